#include "fcgi-app/health.h"

#include "shared/cleanup.h"
#include "shared/log.h"

#include <stdio.h>
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

enum spool_state { SPOOL_OK, SPOOL_FULL, SPOOL_FAILING };

/* A file of it, made and removed: one that is too large to be kept in memory until its commit. */
static enum spool_state try_spool(struct exchange *x, struct err *why)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;
    enum err_code code = spool_begin(x->app->spool, &u, &e);
    if (code == ERR_OK)
        code = spool_expect(x->app->spool, &u, SPOOL_SMALL_MAX + 1, &e);
    spool_abort(x->app->spool, &u);
    if (code == ERR_OK)
        return SPOOL_OK;
    log_warn("health", "the spool cannot be written", LOG_ERR(&e));
    if (!why->code)
        *why = e;
    return spool_is_full(&e) ? SPOOL_FULL : SPOOL_FAILING;
}

/* *what: of the marks. */
static enum spool_state look_at_spool(struct exchange *x, enum water_what *ret_what,
                                      struct err *why)
{
    enum water_what what = marks_reason(x->app->marks, why);
    *ret_what = what;
    if (what == WATER_UNUSABLE)
        return SPOOL_FAILING;
    if (what != WATER_NOTHING && what != WATER_REDIS)
        return SPOOL_FULL;
    *why = (struct err)ERR_INIT;
    return try_spool(x, why);
}

static void add_error(struct buf *b, const char *name, const char *text)
{
    buf_printf(b, ",\"%s\":", name);
    buf_add_json(b, text, strlen(text));
}

void health_ready(struct exchange *x)
{
    static const char *const spool_names[] = {"ok", "full", "failing"};
    struct buf *b = &x->response.body;
    struct err e = ERR_INIT, why = ERR_INIT;
    char seconds[12];
    enum water_what what;
    enum spool_state spool = look_at_spool(x, &what, &why);
    enum err_code redis = ask_redis(x, &e);
    bool redis_full = what == WATER_REDIS;
    bool is_ready = spool == SPOOL_OK && !redis_full;
    response_begin(&x->response, is_ready ? 200 : 503, "application/json");
    if (!is_ready) {
        (void)snprintf(seconds, sizeof seconds, "%d", marks_retry_after(x->app->marks));
        response_header(&x->response, "Retry-After", seconds);
    }
    buf_printf(b, "{\"spool\":\"%s\"", spool_names[spool]);
    if (spool != SPOOL_OK)
        add_error(b, "spool_error", why.text);
    buf_printf(b, ",\"redis\":\"%s\"",
               redis == ERR_CONFIG ? "refused"
               : redis             ? "down"
               : redis_full        ? "full"
                                   : "up");
    if (redis || redis_full)
        add_error(b, "redis_error", redis ? e.text : water_text(what));
    buf_puts(b, "}\n");
}
