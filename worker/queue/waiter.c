#include "worker/queue/waiter.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log_limit.h"

enum { WAIT_MS = 5000 };

struct waiter {
    struct redis_async *redis;
    const char *names[CONFIG_QUEUES_MAX];
    size_t count;
    void (*on_wake)(size_t index, void *ctx);
    void *ctx;
    bool waiting; /* a BZPOPMIN is under way */
    struct log_limit said;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* Which queue a popped marker belongs to: the reply is [key, member, score], the key "hoist:{NAME}:wake". */
static size_t woken_queue(const struct waiter *w, const struct redis_value *reply)
{
    size_t len = 0;
    const char *key = redis_value_str(redis_value_at(reply, 0), &len);
    const char *open = strchr(key, '{'), *end = open ? strchr(open, '}') : NULL;

    for (size_t i = 0; end && i < w->count; i++)
        if (strlen(w->names[i]) == (size_t)(end - open - 1) &&
            memcmp(w->names[i], open + 1, strlen(w->names[i])) == 0)
            return i;
    return WAITER_NOTHING;
}

static void on_reply(enum err_code code, const struct redis_value *reply,
                     const struct err *e, void *ctx)
{
    struct waiter *w = ctx;

    w->waiting = false;
    if (code == ERR_OK) {
        w->on_wake(woken_queue(w, reply), w->ctx);
        return;
    }
    /* A lost connection tells when it is ready again; otherwise the owner's looks by time do the work. */
    int64_t held;
    if (code != ERR_RETRY &&
        log_limit_passes(&w->said, e->text, clock_mono_ms(), &held))
        log_error("waiter", "waiting for work was refused", LOG_ERR(e),
                  log_limit_held(held));
}

void waiter_add(struct waiter *w, const char *name)
{
    w->names[w->count++] = name;
}

void waiter_wait(struct waiter *w, const bool *skipped)
{
    const char *names[CONFIG_QUEUES_MAX];
    struct redis_cmd cmd;
    size_t count = 0;

    for (size_t i = 0; i < w->count; i++)
        if (!skipped[i])
            names[count++] = w->names[i];
    if (w->waiting || count == 0 || !redis_async_is_ready(w->redis))
        return;
    w->waiting = true;
    redis_cmd_init(&cmd);
    queue_wait_cmd(&cmd, names, count, WAIT_MS / 1000.0);
    redis_async_send(w->redis, &cmd, WAIT_MS, on_reply, w);
    redis_cmd_release(&cmd);
}

static void on_ready(void *ctx)
{
    struct waiter *w = ctx;

    w->on_wake(WAITER_LOST, w->ctx);
}

static void on_lost(const struct err *why, void *ctx)
{
    (void)why; /* the main connection tells the log */
    (void)ctx;
}

enum err_code waiter_open(const struct worker_env *env,
                          const struct redis_target *target,
                          const struct waiter_options *o, struct waiter **ret,
                          struct err *e)
{
    const struct config_redis *config = &env->config->redis;
    struct waiter *w = calloc(1, sizeof *w);

    if (!w)
        return err_set(e, ERR_NOMEM, "no memory for a waiter");
    memcpy(w->names, o->names, o->count * sizeof *o->names);
    w->count = o->count;
    w->on_wake = o->on_wake;
    w->ctx = o->ctx;
    struct redis_async_options r = {.target = *target,
                                    .connect_timeout_ms =
                                        (int)config->connect_timeout_ms,
                                    .timeout_ms = (int)config->timeout_ms,
                                    .on_ready = on_ready,
                                    .on_lost = on_lost,
                                    .ctx = w};
    if (redis_async_open(env->loop, &r, &w->redis, e) != ERR_OK) {
        free(w);
        return e->code;
    }
    *ret = w;
    return ERR_OK;
}

static void on_redis_closed(void *ctx)
{
    struct waiter *w = ctx;
    void (*on_closed)(void *) = w->on_closed;
    void *closed_ctx = w->closed_ctx;

    free(w);
    on_closed(closed_ctx);
}

void waiter_close(struct waiter *w, void (*on_closed)(void *ctx), void *ctx)
{
    w->on_closed = on_closed;
    w->closed_ctx = ctx;
    redis_async_close(w->redis, on_redis_closed, w);
}
