#include "fcgi-app/health.h"

#include "shared/cleanup.h"
#include "shared/log.h"

void health_live(struct exchange *x)
{
    response_begin(&x->response, 200, "application/json");
    buf_puts(&x->response.body, "{\"status\":\"ok\"}\n");
}

static bool redis_is_up(struct exchange *x)
{
    CLEANUP(redis_cmd_release) struct redis_cmd ping;
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;
    redis_cmd_init(&ping);
    redis_cmd_begin(&ping, "PING");
    if (exchange_ask(x, &ping, 1, &reply, &e))
        return false;
    bool up = redis_value_error(reply, &e) == ERR_OK;
    redis_reply_free(reply);
    return up;
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
    bool spool = spool_is_writable(x);
    response_begin(&x->response, spool ? 200 : 503, "application/json");
    if (!spool)
        response_header(&x->response, "Retry-After", "5");
    buf_printf(&x->response.body, "{\"spool\":\"%s\",\"redis\":\"%s\"}\n",
               spool ? "ok" : "failing", redis_is_up(x) ? "up" : "down");
}
