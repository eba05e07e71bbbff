#include "worker/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log_limit.h"
#include "shared/redis_check.h"
#include "worker/alive.h"
#include "worker/hooks/outbox.h"
#include "worker/queue/beats.h"
#include "worker/queue/claimer.h"
#include "worker/queue/quiet.h"
#include "worker/identity.h"
#include "worker/metrics/metrics.h"
#include "worker/metrics/tally.h"
#include "worker/once.h"
#include "worker/queue/reconciler.h"
#include "worker/queue/registration.h"
#include "worker/queue/removal.h"
#include "worker/queue/scheduler.h"
#include "worker/trace/tracer.h"

enum { GRACE_MS = 1000 }; /* for giving jobs back */

enum phase { PHASE_RUN, PHASE_DRAIN, PHASE_GIVE_BACK, PHASE_CLOSE };

struct worker {
    struct worker_env env;
    uv_loop_t loop;
    char id[QUEUE_WORKER_ID_MAX + 1];
    struct destinations *destinations;
    struct transfers transfers;
    struct claimer *claimer;
    struct beats *beats;
    struct reconciler *reconciler;
    struct scheduler *scheduler;
    struct removals removals;
    struct registration registration;
    struct quiet quiet;
    struct alive alive;
    struct tally tally;
    struct metrics *metrics;
    struct tracer *tracer;
    struct once once;
    bool is_once;
    uv_timer_t phase_timer; /* end of the drain, then of giving back */
    uv_signal_t signals[3];
    enum phase phase;
    int64_t phase_ms;      /* monotonic: when the drain began */
    struct log_limit said; /* of Redis coming and going */
    bool unclean;          /* did not end in time */
    size_t left;           /* then: jobs that were not given back */
};

static const int signal_numbers[] = {SIGTERM, SIGINT, SIGHUP};

/* --- Redis comes and goes --- */

static void tell_of_server(struct worker *w)
{
    const struct redis_facts *f = redis_async_facts(w->env.redis);
    int64_t now_ms = clock_mono_ms(), held;

    if (log_limit_passes(&w->said, "ready", now_ms, &held))
        log_info("worker", "redis is ready", LOG_INT("version", f->major),
                 LOG_STR("maxmemory_policy", f->policy),
                 LOG_INT("maxmemory", f->maxmemory), log_limit_held(held));
    if (redis_check_warns(f) && log_limit_passes(&w->said, f->policy, now_ms, &held))
        log_warn("worker", "redis may forget ended jobs early when memory is short",
                 LOG_STR("maxmemory_policy", f->policy), log_limit_held(held));
}

static void on_ready(void *ctx)
{
    struct worker *w = ctx;

    tell_of_server(w);
    transfers_resume(&w->transfers);
    beats_now(w->beats);
    registration_announce(&w->registration);
    claimer_resume(w->claimer);
    scheduler_resume(w->scheduler);
}

static void on_lost(const struct err *why, void *ctx)
{
    struct worker *w = ctx;
    int64_t held;

    if (!log_limit_passes(&w->said, why->text, clock_mono_ms(), &held))
        return;
    if (why->code == ERR_CONFIG)
        log_error("worker", "redis cannot be used", LOG_ERR(why), log_limit_held(held));
    else
        log_warn("worker", "redis is away", LOG_ERR(why), log_limit_held(held));
}

static void on_flow(void *ctx)
{
    struct worker *w = ctx;

    claimer_flow_changed(w->claimer);
    registration_flow_changed(&w->registration);
}

static void on_alive(bool is_alive, void *ctx)
{
    struct worker *w = ctx;

    registration_alive(&w->registration, is_alive);
}

/* --- stopping --- */

static void on_part_closed(void *ctx)
{
    (void)ctx; /* the loop ends by itself when all is closed */
}

/* Its looks have ended. */
static void on_reconciler_closed(void *ctx)
{
    struct worker *w = ctx;

    destinations_close(w->destinations);
}

/* Close whatever was opened. */
static void close_parts(struct worker *w)
{
    registration_close(&w->registration);
    quiet_close(&w->quiet);
    alive_close(&w->alive);
    metrics_close(w->metrics);
    tracer_close(w->tracer);
    once_close(&w->once);
    uv_close((uv_handle_t *)&w->phase_timer, NULL);
    for (size_t i = 0; i < sizeof w->signals / sizeof w->signals[0]; i++)
        uv_close((uv_handle_t *)&w->signals[i], NULL);
    (void)signal(SIGHUP, SIG_IGN); /* closing took the handler away */
    beats_close(w->beats);
    scheduler_close(w->scheduler);
    outboxes_close(TAKE(w->env.outboxes));
    if (w->reconciler)
        reconciler_close(w->reconciler, on_reconciler_closed, w);
    else
        destinations_close(w->destinations);
    if (w->env.redis)
        redis_async_close(w->env.redis, on_part_closed, w);
    if (w->claimer)
        claimer_close(w->claimer, on_part_closed, w);
}

static void on_flushed(void *ctx)
{
    close_parts(ctx);
}

static void on_unregistered(enum err_code code, const struct redis_value *reply,
                            const struct err *e, void *ctx)
{
    (void)code; /* the registration expires by itself */
    (void)reply;
    (void)e;
    struct worker *w = ctx;
    tracer_flush(w->tracer, on_flushed, w);
}

static void on_grace_over(uv_timer_t *timer)
{
    struct worker *w = timer->data;

    w->unclean = true;
    w->left = transfers_log_left(&w->transfers);
    if (w->left == 0)
        log_warn("worker", "stopped before all was closed, no job is concerned");
    uv_stop(&w->loop);
}

/* All transfers have gone: leave the list of workers, then close. */
static void on_empty(void *ctx)
{
    struct worker *w = ctx;

    if (w->phase == PHASE_RUN || w->phase == PHASE_CLOSE ||
        claimer_pending(w->claimer) > 0)
        return;
    w->phase = PHASE_CLOSE;
    log_info("worker", "drained", LOG_INT("ms", clock_mono_ms() - w->phase_ms));
    (void)uv_timer_start(&w->phase_timer, on_grace_over, GRACE_MS, 0);
    flows_listen(destinations_flows(w->destinations), NULL, NULL);
    registration_leave(&w->registration, on_unregistered, w);
}

static void give_back(struct worker *w)
{
    if (w->phase >= PHASE_GIVE_BACK)
        return;
    w->phase = PHASE_GIVE_BACK;
    (void)uv_timer_start(&w->phase_timer, on_grace_over, GRACE_MS, 0);
    log_info("worker", "giving back", LOG_INT("jobs", w->transfers.count));
    transfers_abort_all(&w->transfers);
}

static void on_drain_over(uv_timer_t *timer)
{
    give_back(timer->data);
}

static void drain(struct worker *w)
{
    uint64_t drain_ms = (uint64_t)w->env.config->worker.drain_seconds * 1000;

    w->phase = PHASE_DRAIN;
    w->phase_ms = clock_mono_ms();
    log_info("worker", "draining", LOG_INT("jobs", w->transfers.count));
    (void)uv_timer_start(&w->phase_timer, on_drain_over, drain_ms, 0);
    alive_drain(&w->alive);
    claimer_stop(w->claimer);
    scheduler_stop(w->scheduler);
    transfers_drain(&w->transfers);
}

/* --once: nothing is left to do. */
static void on_once_over(void *ctx)
{
    struct worker *w = ctx;

    if (w->phase == PHASE_RUN)
        drain(w);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct worker *w = handle->data;

    if (number == SIGHUP)
        log_info("worker", "SIGHUP: nothing to reload");
    else if (w->phase == PHASE_RUN)
        drain(w);
    else
        give_back(w);
}

/* --- life cycle --- */

static void init_handles(struct worker *w)
{
    /* None of these can fail but signal_start, without memory. */
    (void)uv_timer_init(&w->loop, &w->phase_timer);
    w->phase_timer.data = w;
    for (size_t i = 0; i < sizeof w->signals / sizeof w->signals[0]; i++) {
        (void)uv_signal_init(&w->loop, &w->signals[i]);
        w->signals[i].data = w;
    }
}

static enum err_code start_handles(struct worker *w, struct err *e)
{
    registration_start(&w->registration);
    alive_start(&w->alive, w->claimer, on_alive, w);
    if (w->is_once)
        once_start(&w->once, &w->transfers, w->claimer, on_once_over, w);
    else if (quiet_start(&w->quiet, e) != ERR_OK)
        return e->code;
    for (size_t i = 0; i < sizeof w->signals / sizeof w->signals[0]; i++)
        if (uv_signal_start(&w->signals[i], on_signal, signal_numbers[i]) != 0)
            return err_set(e, ERR_NOMEM, "cannot watch signal %d", signal_numbers[i]);
    return ERR_OK;
}

static enum err_code open_redis(struct worker *w, const struct redis_target *target,
                                struct err *e)
{
    const struct config_redis *config = &w->env.config->redis;
    struct redis_async_options o = {.target = *target,
                                    .connect_timeout_ms =
                                        (int)config->connect_timeout_ms,
                                    .timeout_ms = (int)config->timeout_ms,
                                    .scripts = queue_scripts,
                                    .on_ready = on_ready,
                                    .on_lost = on_lost,
                                    .ctx = w};

    return redis_async_open(&w->loop, &o, &w->env.redis, e);
}

static enum err_code open_parts(struct worker *w, const struct redis_target *target,
                                struct err *e)
{
    if (destinations_open(&w->env, &w->destinations, e) != ERR_OK ||
        transfers_init(&w->transfers, &w->env, w->destinations, e) != ERR_OK ||
        open_redis(w, target, e) != ERR_OK ||
        claimer_open(&w->env, &w->transfers, target, &w->claimer, e) != ERR_OK ||
        beats_open(&w->env, &w->transfers, &w->beats, e) != ERR_OK ||
        reconciler_open(&w->env, w->destinations, target, &w->reconciler, e) !=
            ERR_OK ||
        scheduler_open(&w->env, &w->scheduler, e) != ERR_OK ||
        outboxes_open(&w->env, w->claimer, &w->env.outboxes, e) != ERR_OK ||
        metrics_open(
            &(struct metrics_parts){&w->env, &w->transfers, w->destinations, &w->alive},
            &w->metrics, e) != ERR_OK ||
        tracer_open(&w->env, &w->tracer, e) != ERR_OK)
        return e->code;
    flows_listen(destinations_flows(w->destinations), on_flow, w);
    w->transfers.claimer = w->claimer;
    w->transfers.beats = w->beats;
    w->transfers.tracer = w->tracer;
    w->transfers.on_empty = on_empty;
    w->transfers.ctx = w;
    return start_handles(w, e);
}

enum err_code worker_check(const struct config *config, struct err *e)
{
    struct claimer_entry queues[CONFIG_QUEUES_MAX];
    struct redis_target target = REDIS_TARGET_INIT;
    size_t count = 0;
    enum err_code code = env_redis_target(&config->redis, &target, e);

    redis_target_release(&target);
    return code == ERR_OK ? claimer_queues(config, queues, &count, e) : code;
}

enum err_code worker_open(const struct config *config, struct spool *spool, bool once,
                          struct worker **ret, struct err *e)
{
    struct redis_target target = REDIS_TARGET_INIT;
    struct worker *w = calloc(1, sizeof *w);

    if (!w || uv_loop_init(&w->loop) != 0) {
        free(w);
        return err_set(e, ERR_NOMEM, "no memory for a worker");
    }
    w->env =
        (struct worker_env){.loop = &w->loop,
                            .config = config,
                            .spool = spool,
                            .removals = &w->removals,
                            .tally = &w->tally,
                            .self = {.id = w->id, .lease_ms = config->worker.lease_ms}};
    removals_init(&w->removals, &w->loop);
    tally_init(&w->tally, config);
    w->is_once = once;
    once_init(&w->once, &w->loop);
    init_handles(w);
    quiet_init(&w->quiet, &w->env, &w->transfers);
    registration_init(&w->registration, &w->env, &w->transfers, &w->quiet);
    alive_init(&w->alive, &w->env);
    identity_format(config->worker.id, w->registration.host, getpid(), w->id);

    enum err_code code = env_redis_target(&config->redis, &target, e);
    if (code == ERR_OK)
        code = env_check_redis(&config->redis, &target, e);
    if (code == ERR_OK)
        code = open_parts(w, &target, e);
    redis_target_release(&target);
    if (code != ERR_OK) {
        close_parts(w);
        (void)uv_run(&w->loop, UV_RUN_DEFAULT);
        worker_close(w);
        return code;
    }
    *ret = w;
    return ERR_OK;
}

bool worker_run(struct worker *w)
{
    log_info("worker", "started", LOG_STR("worker", w->id),
             LOG_INT("concurrency", w->env.config->worker.concurrency),
             LOG_STR("queues", w->env.config->worker.queues));
    (void)uv_run(&w->loop, UV_RUN_DEFAULT);
    return !w->unclean;
}

bool worker_conclude(struct worker *w)
{
    return !w->is_once || once_conclude(&w->once);
}

bool worker_left_jobs(const struct worker *w)
{
    return w->left > 0;
}

void worker_close(struct worker *w)
{
    if (!w)
        return;
    transfers_release(&w->transfers);
    (void)uv_loop_close(&w->loop); /* nothing is open any more */
    free(w);
}
