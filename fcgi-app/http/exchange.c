#include "fcgi-app/http/exchange.h"

#include "fcgi-app/http/trace.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <stdlib.h>
#include <string.h>

enum {
    ASK_TIMEOUT_MS = 500,
    HURRY_TIMEOUT_MS = 100
}; /* a client waits; a thread too */

/* For the batch: whether this job may come in. */
static enum problem admit(void *ctx, const struct config_queue *queue,
                          const struct job *j, struct err *e)
{
    struct exchange *x = ctx;
    if (x->access.awaits_policy)
        return problem_set(e, PROBLEM_UNAUTHORIZED,
                           "a policy is wanted, in front of the file, or a token");
    enum problem p = access_may_use(&x->access, x->app->config, queue, j->to, e);
    if (p || x->batch.is_rehearsal)
        return p;
    return rooms_check(x->app->rooms, queue, -1, &x->retry_after, e);
}

enum err_code exchange_init(struct exchange *x, struct app *app, struct err *e)
{
    memset(x, 0, sizeof *x);
    x->app = app;
    x->body = (struct body_file)BODY_FILE_INIT;
    request_init(&x->request);
    policy_init(&x->policy);
    response_init(&x->response);
    batch_init(&x->batch, app->spool);
    x->batch.sniffer = app->sniffer;
    ingest_init(&x->whole);
    idempotency_init(&x->idempotency);
    x->batch.admit = admit;
    x->batch.admit_ctx = x;
    x->chunk = malloc(EXCHANGE_CHUNK);
    if (!x->chunk) {
        exchange_release(x);
        return err_set(e, ERR_NOMEM, "handler: out of memory");
    }
    return ERR_OK;
}

void exchange_release(struct exchange *x)
{
    batch_release(&x->batch);
    digest_sha256_release(&x->token_digest);
    ingest_release(&x->whole);
    idempotency_release(&x->idempotency);
    response_release(&x->response);
    request_release(&x->request);
    policy_release(&x->policy);
    redis_close(x->redis);
    fastcgi_free(x->web);
    free(x->chunk);
}

void exchange_send(const struct exchange_end *end)
{
    static const enum gate_end ends[] = {
        [FASTCGI_KEEP] = GATE_KEEP,
        [FASTCGI_LINGER] = GATE_LINGER,
        [FASTCGI_CLOSE] = GATE_CLOSE,
    };
    struct response *r = end->response;
    response_finish(r, end->head_only);
    fastcgi_write(end->web, r->head.data, r->head.len);
    fastcgi_write(end->web, r->body.data, r->body.len);
    enum fastcgi_end after = fastcgi_end(end->web, end->drain, end->body_bytes);
    gate_give_back(end->gate, end->conn, ends[after]);
}

/* For the log. */
static struct log_request name_request(void *ctx)
{
    struct exchange *x = ctx;
    return (struct log_request){exchange_request_id(x),
                                x->traceparent[0] ? x->traceparent : NULL};
}

void exchange_begin(struct exchange *x)
{
    x->parked = x->hurry = x->gave_up = false;
    access_set(x, &(struct access){.name = NULL});
    x->policy_noted = false;
    x->quota = (struct quota_taken){.jobs = 0};
    x->retry_after = 0;
    x->response.cors_origin = NULL;
    x->response.varies = *x->app->config->http.cors_origins != '\0';
    x->waited = (struct waits_answer){.replicas = 0};
    x->prefer = (struct prefer)PREFER_INIT;
    x->has_request_id = false;
    x->response.request_id[0] = '\0';
    x->response.if_none_match = x->response.preference = NULL;
    x->traceparent[0] = '\0';
    log_set_request(name_request, x);
}

static void read_prefer(struct exchange *x)
{
    if (!x->request.headers[REQUEST_PREFER])
        return;
    for (char *const *p = x->request.params; *p; p++)
        if (strncmp(*p, "HTTP_PREFER=", 12) == 0)
            prefer_parse(*p + 12, &x->prefer);
}

static void read_trace(struct exchange *x)
{
    const struct request *r = &x->request;
    struct batch_origin *o = &x->batch.origin;
    const char *parent = r->headers[REQUEST_TRACEPARENT];
    const char *state = r->headers[REQUEST_TRACESTATE];
    *o = (struct batch_origin){.request_id = NULL};
    if (x->has_request_id)
        o->request_id = x->response.request_id;
    if (!parent || r->headers_twice & 1U << REQUEST_TRACEPARENT ||
        !trace_parent_is_valid(parent))
        return;
    o->traceparent = parent;
    memcpy(x->traceparent, parent, strlen(parent) + 1); /* a valid one fits */
    if (state && !(r->headers_twice & 1U << REQUEST_TRACESTATE) &&
        trace_state_is_valid(state))
        o->tracestate = state;
}

void exchange_read_head(struct exchange *x)
{
    const struct request *r = &x->request;
    const char *id = r->headers[REQUEST_ID];
    if (id && !(r->headers_twice & 1U << REQUEST_ID) && trace_request_id_is_sane(id)) {
        memcpy(x->response.request_id, id, strlen(id) + 1);
        x->has_request_id = true;
    }
    if (r->method == METHOD_GET || r->method == METHOD_HEAD)
        x->response.if_none_match = r->headers[REQUEST_IF_NONE_MATCH];
    read_trace(x);
    read_prefer(x);
}

const char *exchange_request_id(struct exchange *x)
{
    char *id = x->response.request_id;
    if (*id == '\0') {
        const struct uuid made = id_new();
        memcpy(id, made.text, sizeof made.text);
    }
    return id;
}

void exchange_hold(struct exchange *x)
{
    atomic_store(&x->since_ms, 1);
}

void exchange_refuse(struct exchange *x, enum problem p, const struct err *e)
{
    (void)exchange_request_id(x);
    response_problem(&x->response, p, e ? e->text : NULL, x->retry_after);
}

/* LOADING, READONLY, NOPERM ...: the server answers at once, but no question is to be asked of it now. */
static enum err_code look_for_refusal(size_t count, struct redis_value **replies,
                                      struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        struct err why = ERR_INIT;
        enum err_code code = redis_value_error(replies[i], &why);
        if (code != ERR_RETRY && code != ERR_CONFIG)
            continue;
        for (size_t k = 0; k < count; k++) {
            redis_reply_free(replies[k]);
            replies[k] = NULL;
        }
        *e = why;
        return code;
    }
    return ERR_OK;
}

static enum err_code open_redis(struct exchange *x, struct err *e)
{
    const struct redis_options *o = &x->app->redis;
    int limit_ms = x->hurry ? HURRY_TIMEOUT_MS : ASK_TIMEOUT_MS;
    if (!x->redis && redis_open(o, &x->redis, e))
        return e->code;
    redis_set_timeouts(
        x->redis, o->connect_timeout_ms < limit_ms ? o->connect_timeout_ms : limit_ms,
        o->timeout_ms < limit_ms ? o->timeout_ms : limit_ms);
    return ERR_OK;
}

enum err_code exchange_ask(struct exchange *x, const struct redis_cmd *cmds,
                           size_t count, struct redis_value **ret_replies,
                           struct err *e)
{
    struct breaker *breaker = &x->app->breaker;
    if (x->gave_up || breaker_is_open(breaker))
        return err_set(e, ERR_RETRY, "redis is away");
    if (open_redis(x, e))
        return e->code;
    int64_t began_us = clock_mono_us();
    enum err_code code = redis_pipeline(x->redis, cmds, count, ret_replies, e);
    if (!code)
        histogram_note_shared(&x->app->redis_us, &histogram_redis_us,
                              clock_mono_us() - began_us);
    x->gave_up = x->hurry && code;
    if (!code)
        breaker_close(breaker);
    else
        breaker_fail(breaker);
    return code ? code : look_for_refusal(count, ret_replies, e);
}
