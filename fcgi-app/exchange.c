#include "fcgi-app/exchange.h"

#include "shared/clock.h"

#include <stdlib.h>
#include <string.h>

enum { ASK_TIMEOUT_MS = 500 }; /* a client waits; a thread too */

/* For the batch: whether a file of this queue may come in. */
static enum problem admit(void *ctx, const struct config_queue *queue, struct err *e)
{
    struct exchange *x = ctx;
    return rooms_check(x->app->rooms, queue, -1, e);
}

enum err_code exchange_init(struct exchange *x, struct app *app, struct err *e)
{
    memset(x, 0, sizeof *x);
    x->app = app;
    request_init(&x->request);
    response_init(&x->response);
    batch_init(&x->batch, app->spool);
    x->batch.admit = admit;
    x->batch.admit_ctx = x;
    x->web = fastcgi_new();
    x->chunk = malloc(EXCHANGE_CHUNK);
    if (!x->web || !x->chunk) {
        exchange_release(x);
        return err_set(e, ERR_NOMEM, "handler: out of memory");
    }
    return ERR_OK;
}

void exchange_release(struct exchange *x)
{
    batch_release(&x->batch);
    response_release(&x->response);
    request_release(&x->request);
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

void exchange_refuse(struct exchange *x, enum problem p, const struct err *e)
{
    response_problem(&x->response, p, e ? e->text : NULL);
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

enum err_code exchange_ask(struct exchange *x, const struct redis_cmd *cmds,
                           size_t count, struct redis_value **ret_replies,
                           struct err *e)
{
    struct breaker *breaker = &x->app->breaker;
    if (!x->redis) {
        struct redis_options o = x->app->redis;
        if (o.timeout_ms > ASK_TIMEOUT_MS)
            o.timeout_ms = ASK_TIMEOUT_MS;
        if (o.connect_timeout_ms > ASK_TIMEOUT_MS)
            o.connect_timeout_ms = ASK_TIMEOUT_MS;
        if (redis_open(&o, &x->redis, e))
            return e->code;
    }
    if (!breaker_allows(breaker, clock_mono_ms()))
        return err_set(e, ERR_RETRY, "redis is away");
    enum err_code code = redis_pipeline(x->redis, cmds, count, ret_replies, e);
    breaker_report(breaker, clock_mono_ms(), code == ERR_OK);
    return code ? code : look_for_refusal(count, ret_replies, e);
}
