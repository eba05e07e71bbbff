#include "worker/reconciler.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log_limit.h"
#include "shared/reconcile.h"

enum { MIN_AGE_MS = 2000, SWEEP_AGE_MS = 24 * 60 * 60 * 1000 };

struct reconciler {
    const struct worker_env *env;
    struct redis *redis; /* the pool's thread while a pass runs */
    uv_timer_t timer;
    uv_work_t work;
    bool running;
    atomic_bool stop;
    enum err_code code; /* of the latest pass */
    struct err err;
    struct reconcile_stats stats;
    struct log_limit said;
    bool timer_closed;
    void (*on_closed)(void *ctx);
    void *ctx;
};

static void run_on_pool(uv_work_t *work)
{
    struct reconciler *r = work->data;
    struct reconcile_options o = {
        .min_age_ms = MIN_AGE_MS, .sweep_age_ms = SWEEP_AGE_MS, .stop = &r->stop};

    r->code = reconcile_run(r->env->spool, r->redis, &o, &r->stats, &r->err);
}

static void close_if_idle(struct reconciler *r)
{
    if (r->running || !r->timer_closed)
        return;
    void (*on_closed)(void *) = r->on_closed;
    void *ctx = r->ctx;
    redis_close(r->redis);
    free(r);
    on_closed(ctx);
}

static void after_pool(uv_work_t *work, int status)
{
    struct reconciler *r = work->data;
    const struct reconcile_stats *s = &r->stats;
    char bad[ID_JOB_MAX + 1];
    int64_t held;

    r->running = false;
    if (status == 0 && r->code != ERR_OK &&
        log_limit_passes(&r->said, r->err.text, clock_mono_ms(), &held))
        log_warn("reconciler", "pass not finished", LOG_ERR(&r->err),
                 log_limit_held(held));
    if (s->bad_id.queue[0]) {
        id_format_job(&s->bad_id, bad);
        log_warn("reconciler", "some jobs could not be dealt with, this is the first",
                 LOG_STR("id", bad), LOG_ERR(&s->bad_why),
                 LOG_INT("damaged", s->damaged), LOG_INT("failed", s->failed));
    }
    if (s->enqueued + s->removed + s->damaged + s->failed + s->swept > 0)
        log_info("reconciler", "repaired", LOG_INT("scanned", s->scanned),
                 LOG_INT("enqueued", s->enqueued), LOG_INT("removed", s->removed),
                 LOG_INT("damaged", s->damaged), LOG_INT("failed", s->failed),
                 LOG_INT("swept", s->swept));
    close_if_idle(r);
}

static void on_timer(uv_timer_t *timer)
{
    struct reconciler *r = timer->data;

    if (r->running || r->timer_closed)
        return;
    r->work.data = r;
    r->running = uv_queue_work(r->env->loop, &r->work, run_on_pool, after_pool) == 0;
}

enum err_code reconciler_open(const struct worker_env *env,
                              const struct redis_target *target,
                              struct reconciler **ret, struct err *e)
{
    const struct config_redis *config = &env->config->redis;
    uint64_t every_ms = (uint64_t)env->config->spool.reconcile_seconds * 1000;
    struct redis_options o = {.target = *target,
                              .connect_timeout_ms = (int)config->connect_timeout_ms,
                              .timeout_ms = (int)config->timeout_ms};
    struct reconciler *r = calloc(1, sizeof *r);

    if (!r)
        return err_set(e, ERR_NOMEM, "no memory for a reconciler");
    if (redis_open(&o, &r->redis, e) != ERR_OK) {
        free(r);
        return e->code;
    }
    r->env = env;
    r->err = (struct err)ERR_INIT;
    r->timer.data = r;
    (void)uv_timer_init(env->loop, &r->timer); /* cannot fail */
    (void)uv_timer_start(&r->timer, on_timer, 0, every_ms);
    *ret = r;
    return ERR_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct reconciler *r = handle->data;

    r->timer_closed = true;
    close_if_idle(r);
}

void reconciler_close(struct reconciler *r, void (*on_closed)(void *ctx), void *ctx)
{
    r->on_closed = on_closed;
    r->ctx = ctx;
    atomic_store(&r->stop, true);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}
