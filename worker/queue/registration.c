#include "worker/queue/registration.h"

#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "worker/queue/claimer.h"

enum { EVERY_MS = 15 * 1000, EXPIRE_MS = 3 * EVERY_MS, PAUSED_MAX = 16 * 1024 };

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

/* Beside the fields that every worker has. */
static void tell_alive(struct registration *r)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "HSET");
    redis_cmd_add_format(&cmd, "hoist:worker:%s", r->env->self.id);
    redis_cmd_add_str(&cmd, "alive");
    redis_cmd_add_str(&cmd, r->is_alive ? "yes" : "no");
    redis_cmd_add_str(&cmd, "paused_destinations");
    redis_cmd_add_str(&cmd, r->paused.data ? r->paused.data : "");
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
    send_and_release(r, &cmds[2], on_told, r);
}

static void on_timer(uv_timer_t *timer)
{
    tell(timer->data);
}

void registration_init(struct registration *r, const struct worker_env *env,
                       const struct transfers *transfers)
{
    *r = (struct registration){.env = env,
                               .transfers = transfers,
                               .is_alive = true,
                               .paused = BUF_INIT(PAUSED_MAX)};
    if (gethostname(r->host, sizeof r->host - 1) < 0 || !r->host[0])
        memcpy(r->host, "host", sizeof "host");
    (void)uv_timer_init(env->loop, &r->timer); /* cannot fail */
    r->timer.data = r;
}

void registration_start(struct registration *r)
{
    (void)uv_timer_start(&r->timer, on_timer, EVERY_MS, EVERY_MS);
}

void registration_announce(struct registration *r)
{
    struct claimer_entry queues[CONFIG_QUEUES_MAX];
    struct err e = ERR_INIT;
    size_t count = 0;

    tell(r);
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
}
