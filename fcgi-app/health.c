#include "fcgi-app/health.h"

#include "shared/cleanup.h"
#include "shared/log.h"

#include <string.h>

void health_live(struct exchange *x)
{
    response_begin(&x->response, 200, "application/json");
    buf_puts(&x->response.body, "{\"status\":\"ok\"}\n");
}

/* ERR_OK: up.  ERR_CONFIG: it is there and an operator must act; the publisher knows of what does not show in a PING. */
static enum err_code ask_redis(struct exchange *x, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd ping;
    struct redis_value *reply = NULL;
    redis_cmd_init(&ping);
    redis_cmd_begin(&ping, "PING");
    enum err_code code = exchange_ask(x, &ping, 1, &reply, e);
    redis_reply_free(reply);
    if (code != ERR_CONFIG) {
        struct err trouble = ERR_INIT;
        if (publisher_trouble(x->app->publisher, &trouble) == ERR_CONFIG)
            code = (*e = trouble).code;
    }
    return code;
}

static bool spool_is_writable(struct exchange *x)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;
    if (spool_begin(x->app->spool, &u, &e)) {
        log_warn("health", "the spool cannot be written", LOG_ERR(&e));
        return false;
    }
    spool_abort(x->app->spool, &u);
    return true;
}

void health_ready(struct exchange *x)
{
    struct buf *b = &x->response.body;
    struct err e = ERR_INIT;
    bool spool = spool_is_writable(x);
    enum err_code redis = ask_redis(x, &e);
    response_begin(&x->response, spool ? 200 : 503, "application/json");
    if (!spool)
        response_header(&x->response, "Retry-After", "5");
    buf_printf(b, "{\"spool\":\"%s\",\"redis\":\"%s\"", spool ? "ok" : "failing",
               redis == ERR_OK       ? "up"
               : redis == ERR_CONFIG ? "refused"
                                     : "down");
    if (redis) {
        buf_puts(b, ",\"redis_error\":");
        buf_add_json(b, e.text, strlen(e.text));
    }
    buf_puts(b, "}\n");
}
