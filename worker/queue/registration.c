#include "worker/queue/registration.h"

#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/queue_workers.h"
#include "shared/worker_jobs.h"
#include "worker/queue/claimer.h"
#include "worker/queue/running.h"

enum {
    EVERY_MS = 15 * 1000,
    EXPIRE_MS = QUEUE_WORKER_EXPIRE_MS, /* three of these */
    JOBS_EVERY_MS = 2000,
    PAUSED_MAX = 16 * 1024,
    FORGET_MS = 7 * 86400 * 1000 /* of those that died without a word */
};

static void on_told(enum err_code code, const struct redis_value *reply,
                    const struct err *e, void *ctx)
{
    struct registration *r = ctx;
    int64_t held;

    (void)reply;
    if (code != ERR_OK && code != ERR_RETRY &&
        log_limit_passes(&r->said, e->text, clock_mono_ms(), &held))
        log_warn("registration", "was refused", LOG_ERR(e), log_limit_held(held));
}

static void send_and_release(struct registration *r, struct redis_cmd *cmd,
                             redis_async_fn *fn, void *ctx)
{
    redis_async_send(r->env->redis, cmd, 0, fn, ctx);
    redis_cmd_release(cmd);
}

static void begin_hset(const struct registration *r, struct redis_cmd *cmd)
{
    redis_cmd_init(cmd);
    redis_cmd_begin(cmd, "HSET");
    redis_cmd_add_format(cmd, "hoist:worker:%s", r->env->self.id);
}

static void add_field(struct redis_cmd *cmd, const char *name, int64_t n)
{
    redis_cmd_add_str(cmd, name);
    redis_cmd_add_int(cmd, n);
}

/* What does not change: the names of its queues, comma between. */
static void add_self(struct registration *r, struct redis_cmd *cmd)
{
    CLEANUP(buf_release) struct buf names = BUF_INIT(PAUSED_MAX);
    struct claimer_entry queues[CONFIG_QUEUES_MAX];
    struct err e = ERR_INIT;
    size_t count = 0;

    if (claimer_queues(r->env->config, queues, &count, &e) != ERR_OK)
        return; /* cannot be: the claimer was opened with them */
    for (size_t i = 0; i < count; i++)
        BUF_PUTS(&names, i > 0 ? "," : "", queues[i].queue->name);
    redis_cmd_add_str(cmd, "version");
    redis_cmd_add_str(cmd, HOIST_VERSION);
    redis_cmd_add_str(cmd, "queues");
    redis_cmd_add(cmd, names.data, names.len);
    add_field(cmd, "slots", r->env->config->worker.concurrency);
    add_field(cmd, "started", r->started_ms);
}

/* Beside the fields that every worker has. */
static void tell_alive(struct registration *r)
{
    struct redis_cmd cmd;

    begin_hset(r, &cmd);
    add_self(r, &cmd);
    redis_cmd_add_str(&cmd, "alive");
    redis_cmd_add_str(&cmd, r->is_alive ? "yes" : "no");
    redis_cmd_add_str(&cmd, "paused_destinations");
    redis_cmd_add_str(&cmd, r->paused.data ? r->paused.data : "");
    add_field(&cmd, "quiet_since", r->quiet->since_ms);
    send_and_release(r, &cmd, on_told, r);
}

/* Whether it is news. */
static bool describe_paused(struct registration *r)
{
    CLEANUP(buf_release) struct buf now = BUF_INIT(PAUSED_MAX);

    flows_describe(destinations_flows(r->transfers->destinations), &now);
    const char *told = r->paused.data ? r->paused.data : "";
    if (strcmp(now.data ? now.data : "", told) == 0)
        return false;
    buf_clear(&r->paused);
    (void)buf_puts(&r->paused, now.data ? now.data : ""); /* cut: people see enough */
    return true;
}

static void tell(struct registration *r)
{
    struct redis_cmd cmds[3];

    if (!redis_async_is_ready(r->env->redis))
        return;
    (void)describe_paused(r);
    for (size_t i = 0; i < 3; i++)
        redis_cmd_init(&cmds[i]);
    queue_register_worker_cmds(cmds, &r->env->self, r->host, getpid(),
                               (int64_t)r->transfers->count, clock_wall_ms(),
                               EXPIRE_MS);
    send_and_release(r, &cmds[0], on_told, r);
    send_and_release(r, &cmds[1], on_told, r);
    tell_alive(r); /* before the last one, which lets the hash expire */
    quiet_beat(r->quiet);
    send_and_release(r, &cmds[2], on_told, r);
}

static void on_timer(uv_timer_t *timer)
{
    tell(timer->data);
}

/* The jobs that run, and once that none does any more. */
static void tell_jobs(struct registration *r)
{
    CLEANUP(buf_release) struct buf jobs = BUF_INIT(WORKER_JOBS_BYTES_MAX);
    struct redis_cmd cmd;

    if (!redis_async_is_ready(r->env->redis))
        return;
    bool any = r->transfers->count > 0 || r->jobs_told;
    if (any || r->quiet->is_quiet)
        quiet_beat(r->quiet);
    if (!any)
        return;
    running_describe(r->transfers, &jobs);
    r->jobs_told = r->transfers->count > 0;
    begin_hset(r, &cmd);
    add_field(&cmd, "running", (int64_t)r->transfers->count);
    add_field(&cmd, "seen", clock_wall_ms());
    redis_cmd_add_str(&cmd, "jobs");
    redis_cmd_add(&cmd, jobs.data, jobs.len);
    send_and_release(r, &cmd, on_told, r);
    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "PEXPIRE"); /* it may have expired just before */
    redis_cmd_add_format(&cmd, "hoist:worker:%s", r->env->self.id);
    redis_cmd_add_int(&cmd, EXPIRE_MS);
    send_and_release(r, &cmd, on_told, r);
}

static void on_jobs_timer(uv_timer_t *timer)
{
    tell_jobs(timer->data);
}

/* Those that died without a word. */
static void forget_old(struct registration *r)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "ZREMRANGEBYSCORE");
    redis_cmd_add_str(&cmd, "hoist:workers");
    redis_cmd_add_str(&cmd, "-inf");
    redis_cmd_add_int(&cmd, clock_wall_ms() - FORGET_MS);
    send_and_release(r, &cmd, on_told, r);
}

void registration_init(struct registration *r, const struct worker_env *env,
                       struct transfers *transfers, struct quiet *quiet)
{
    *r = (struct registration){.env = env,
                               .transfers = transfers,
                               .quiet = quiet,
                               .is_alive = true,
                               .started_ms = clock_wall_ms(),
                               .paused = BUF_INIT(PAUSED_MAX)};
    if (gethostname(r->host, sizeof r->host - 1) < 0 || !r->host[0])
        memcpy(r->host, "host", sizeof "host");
    (void)uv_timer_init(env->loop, &r->timer); /* cannot fail */
    r->timer.data = r;
    (void)uv_timer_init(env->loop, &r->jobs_timer); /* nor this */
    r->jobs_timer.data = r;
}

void registration_start(struct registration *r)
{
    (void)uv_timer_start(&r->timer, on_timer, EVERY_MS, EVERY_MS);
    (void)uv_timer_start(&r->jobs_timer, on_jobs_timer, JOBS_EVERY_MS, JOBS_EVERY_MS);
}

void registration_announce(struct registration *r)
{
    struct claimer_entry queues[CONFIG_QUEUES_MAX];
    struct err e = ERR_INIT;
    size_t count = 0;

    tell(r);
    forget_old(r);
    if (claimer_queues(r->env->config, queues, &count, &e) != ERR_OK)
        return; /* cannot be: the claimer was opened with them */
    for (size_t i = 0; i < count; i++) {
        struct redis_cmd cmd;
        redis_cmd_init(&cmd);
        queue_register_queue_cmd(&cmd, queues[i].queue->name);
        send_and_release(r, &cmd, on_told, r);
    }
}

void registration_alive(struct registration *r, bool is_alive)
{
    r->is_alive = is_alive;
    tell(r);
}

void registration_flow_changed(struct registration *r)
{
    if (describe_paused(r))
        tell(r);
}

void registration_leave(struct registration *r, redis_async_fn *done, void *ctx)
{
    struct redis_cmd cmds[2];
    struct err away = {.code = ERR_RETRY};

    if (!redis_async_is_ready(r->env->redis)) {
        done(ERR_RETRY, NULL, &away, ctx);
        return;
    }
    for (size_t i = 0; i < 2; i++)
        redis_cmd_init(&cmds[i]);
    queue_unregister_worker_cmds(cmds, &r->env->self);
    send_and_release(r, &cmds[0], on_told, r);
    send_and_release(r, &cmds[1], done, ctx);
}

void registration_close(struct registration *r)
{
    buf_release(&r->paused);
    uv_close((uv_handle_t *)&r->timer, NULL);
    uv_close((uv_handle_t *)&r->jobs_timer, NULL);
}
