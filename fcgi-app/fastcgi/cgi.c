#include "fcgi-app/fastcgi/cgi.h"

#include "fcgi-app/fastcgi/listen.h"
#include "fcgi-app/http/response.h"
#include "fcgi-app/server.h"
#include "shared/cleanup.h"
#include "shared/config.h"
#include "shared/digest.h"
#include "shared/log.h"
#include "shared/spool.h"

#include <stdlib.h>

/* A process for each request is not to wait for one answer of Redis for longer. */
enum { REDIS_MS = 500 };

bool cgi_is_request(void)
{
    return getenv("GATEWAY_INTERFACE") && getenv("REQUEST_METHOD") &&
           !listener_is_inherited();
}

const char *cgi_config_file(void)
{
    const char *file = getenv("HOIST_CONFIG");
    return file && *file ? file : NULL;
}

static void refuse(const struct cgi_request *request, enum problem p,
                   const char *detail)
{
    CLEANUP(response_release) struct response r;
    response_init(&r);
    response_problem(&r, p, detail, 0);
    response_finish(&r, false);
    buf_add(&r.head, r.body.data, r.body.len);
    ssize_t n = write(1, r.head.data, r.head.len);
    (void)n; /* the web server reads or does not; the log has it, too */
    cgi_throw_away(0, -1, request->is_endless ? INT64_MAX : request->body_bytes);
}

static void at_most(int64_t *setting, int64_t max)
{
    if (*setting > max)
        *setting = max;
}

/* One request: what would be kept for many is not wanted. */
static void make_small(struct config *c)
{
    at_most(&c->http.threads, 1);
    at_most(&c->http.max_threads, 4);
    at_most(&c->http.max_connections, 1);
    at_most(&c->http.max_waiters, 1);
    at_most(&c->http.max_listeners, 0);
    at_most(&c->redis.connect_timeout_ms, REDIS_MS);
    at_most(&c->redis.timeout_ms, REDIS_MS);
    c->spool.max_bytes = c->spool.max_files = 0; /* or each would walk all of jobs/ */
    if (c->http.log_level == LOG_INFO) /* of every process that starts and ends */
        c->http.log_level = LOG_WARN;
}

static enum err_code answer(char *const *env, const struct cgi_request *request,
                            struct err *e)
{
    CLEANUP(config_release) struct config config;
    struct spool *spool = NULL;
    const char *file = getenv("HOIST_CONFIG") ? cgi_config_file() : CGI_CONFIG;
    config_init(&config);
    enum err_code code = config_load_unsigned(&config, file, env, e);
    if (code)
        return code;
    make_small(&config);
    log_set_level(config.http.log_level);
    code = digest_setup(e);
    if (!code)
        code = spool_open_config(&config, &spool, e);
    if (!code)
        code = server_run_cgi(&config, spool, request, e);
    spool_close(spool);
    return code;
}

int cgi_main(char *const *env)
{
    CLEANUP(cgi_request_release) struct cgi_request request = CGI_REQUEST_INIT;
    struct err e = ERR_INIT;
    if (cgi_request_read(&request, env, &e)) {
        refuse(&request, PROBLEM_BAD_REQUEST, "the request's head is too long");
        return 0;
    }
    if (request.is_endless) {
        refuse(&request, PROBLEM_NO_LENGTH,
               "a CGI program cannot tell where the body ends");
        return 0;
    }
    enum err_code code = answer(env, &request, &e);
    if (!code)
        return 0;
    log_error("cgi", "the request failed", LOG_ERR(&e));
    refuse(&request, code == ERR_CONFIG ? PROBLEM_INTERNAL : PROBLEM_UNAVAILABLE, NULL);
    return 1;
}
