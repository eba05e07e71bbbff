#include "worker/queue/reconciler.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log_limit.h"
#include "shared/reconcile.h"
#include "worker/s3/abandoned.h"
#include "worker/metrics/tally.h"
#include "worker/queue/looks.h"

enum { LEASE_MIN_MS = 10000, SETTLE_MORE_MS = 5000 };

struct reconciler {
    const struct worker_env *env;
    struct destinations *destinations;
    struct redis *redis; /* the pool's thread while a pass runs */
    uv_timer_t timer;
    uv_work_t work;
    struct reconcile_options options; /* of the pass */
    bool running;
    atomic_bool stop;
    enum err_code code; /* of the latest pass */
    struct err err;
    struct reconcile_stats stats;
    struct reconcile_look found[RECONCILER_LOOKS_MAX]; /* by the pass */
    struct uuid looks_after;     /* where the next pass goes on; the loop's */
    unsigned key_dir;            /* the same of keys/; the loop's */
    struct looks *looks;         /* under way, or NULL; the loop's */
    struct abandoned *abandoned; /* the same */
    struct log_limit said, said_left;
    bool closing, timer_closed;
    void (*on_closed)(void *ctx);
    void *ctx;
};

/* A worker does not unlink later than a lease after it has asked (removal.h). */
int64_t reconciler_settle_ms(const struct worker_env *env)
{
    int64_t lease_ms = env->self.lease_ms;

    return (lease_ms > LEASE_MIN_MS ? lease_ms : LEASE_MIN_MS) + SETTLE_MORE_MS;
}

static void run_on_pool(uv_work_t *work)
{
    struct reconciler *r = work->data;

    r->code = reconcile_run(r->env->spool, r->redis, &r->options, &r->stats, &r->err);
}

static void close_if_idle(struct reconciler *r)
{
    if (r->running || r->looks || r->abandoned || !r->timer_closed)
        return;
    void (*on_closed)(void *) = r->on_closed;
    void *ctx = r->ctx;
    redis_close(r->redis);
    free(r);
    on_closed(ctx);
}

/* --- looks --- */

static void on_look(const struct job_id *id, enum look_result result, const char *why,
                    void *ctx)
{
    struct reconciler *r = ctx;
    char text[ID_JOB_MAX + 1];
    const char *name = text;
    int64_t held;

    id_format_job(id, text);
    if (result == LOOK_AGAIN)
        log_warn("reconciler", "done, but its object has gone: it runs again",
                 LOG_STR("id", name));
    else if (result == LOOK_THERE)
        log_info("reconciler", "done, and its object is there: its files go",
                 LOG_STR("id", name));
    else if (result == LOOK_LEFT && !r->closing &&
             log_limit_passes(&r->said_left, why, clock_mono_ms(), &held))
        log_warn("reconciler", "done, but its object cannot be looked at: files stay",
                 LOG_STR("id", name), LOG_STR("error", why), log_limit_held(held));
}

static void on_looks_done(void *ctx)
{
    struct reconciler *r = ctx;

    r->looks = NULL;
    close_if_idle(r);
}

static void begin_looks(struct reconciler *r)
{
    struct looks_options o = {.env = r->env,
                              .destinations = r->destinations,
                              .on_result = on_look,
                              .on_done = on_looks_done,
                              .ctx = r};
    size_t count = r->stats.looks;

    if (!r->options.looks || r->code != ERR_OK)
        return;
    r->looks_after = (struct uuid){""};
    if (count == RECONCILER_LOOKS_MAX)
        r->looks_after = r->found[count - 1].id.uuid;
    if (count > 0 && !r->closing)
        r->looks = looks_begin(&o, r->found, count); /* else the next pass does */
}

/* --- uploads in parts that nobody goes on with --- */

static void on_abandoned(const char *name, enum abandoned_result result,
                         const char *why, void *ctx)
{
    struct reconciler *r = ctx;
    int64_t held;

    if (result == ABANDONED_CLEARED)
        log_info("reconciler", "an upload in parts that was abandoned is aborted",
                 LOG_STR("journal", name));
    else if (!r->closing &&
             log_limit_passes(&r->said_left, why, clock_mono_ms(), &held))
        log_warn("reconciler", "an upload in parts that was abandoned stays",
                 LOG_STR("journal", name), LOG_STR("error", why), log_limit_held(held));
}

static void on_abandoned_done(void *ctx)
{
    struct reconciler *r = ctx;

    r->abandoned = NULL;
    close_if_idle(r);
}

static void begin_abandoned(struct reconciler *r)
{
    struct abandoned_options o = {.env = r->env,
                                  .destinations = r->destinations,
                                  .on_result = on_abandoned,
                                  .on_done = on_abandoned_done,
                                  .ctx = r};

    if (!r->abandoned && !r->closing && r->code == ERR_OK)
        r->abandoned = abandoned_begin(&o); /* else the next pass does */
}

/* --- passes --- */

static void log_pass(struct reconciler *r)
{
    const struct reconcile_stats *s = &r->stats;
    char bad[ID_JOB_MAX + 1];
    int64_t held;

    if (r->code != ERR_OK &&
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
}

static void after_pool(uv_work_t *work, int status)
{
    struct reconciler *r = work->data;

    (void)status; /* never cancelled */
    r->running = false;
    tally_pass(r->env->tally, r->code == ERR_OK, &r->stats, clock_wall_ms());
    log_pass(r);
    r->key_dir += RECONCILE_KEY_DIRS;
    begin_looks(r);
    begin_abandoned(r);
    close_if_idle(r);
}

static void on_timer(uv_timer_t *timer)
{
    struct reconciler *r = timer->data;

    if (r->running || r->timer_closed)
        return;
    r->work.data = r;
    r->options = (struct reconcile_options)RECONCILE_OPTIONS_INIT;
    r->options.stop = &r->stop;
    r->options.settle_ms = reconciler_settle_ms(r->env);
    r->options.looks = r->looks ? NULL : r->found;
    r->options.looks_max = RECONCILER_LOOKS_MAX;
    r->options.looks_after = r->looks_after;
    r->options.key_age_ms = r->env->config->http.idempotency_keep_seconds * 1000;
    r->options.key_dir = r->key_dir;
    r->running = uv_queue_work(r->env->loop, &r->work, run_on_pool, after_pool) == 0;
}

enum err_code reconciler_open(const struct worker_env *env,
                              struct destinations *destinations,
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
    r->destinations = destinations;
    r->err = (struct err)ERR_INIT;
    r->key_dir = (unsigned)clock_mono_us(); /* not all workers at the same ones */
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
    r->closing = true;
    atomic_store(&r->stop, true);
    if (r->looks)
        looks_stop(r->looks);
    if (r->abandoned)
        abandoned_stop(r->abandoned);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}
