#include "worker/queue/quiet.h"

#include <signal.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/queue_workers.h"
#include "worker/queue/claimer.h"

static void begin(const struct quiet *q, struct redis_cmd *cmd, const char *verb,
                  const char *field)
{
    redis_cmd_init(cmd);
    redis_cmd_begin(cmd, verb);
    redis_cmd_add_format(cmd, "hoist:worker:%s", q->env->self.id);
    redis_cmd_add_str(cmd, field);
}

static void send_and_release(const struct quiet *q, struct redis_cmd *cmd,
                             redis_async_fn *fn, void *ctx)
{
    redis_async_send(q->env->redis, cmd, 0, fn, ctx);
    redis_cmd_release(cmd);
}

/* What could not be written is written with the next beat. */
static void on_ignored(enum err_code code, const struct redis_value *reply,
                       const struct err *e, void *ctx)
{
    (void)code;
    (void)reply;
    (void)e;
    (void)ctx;
}

static void on_told(enum err_code code, const struct redis_value *reply,
                    const struct err *e, void *ctx)
{
    struct quiet *q = ctx;

    (void)reply;
    (void)e;
    q->telling--;
    if (code == ERR_OK && q->telling == 0)
        q->untold = false;
}

/* The wish, as it now is, and since when it is fulfilled. */
static void tell(struct quiet *q)
{
    struct redis_cmd cmd;

    q->telling++;
    begin(q, &cmd, "HSET", "quiet");
    redis_cmd_add_str(&cmd, q->is_quiet ? "1" : "0");
    redis_cmd_add_str(&cmd, "quiet_since");
    redis_cmd_add_int(&cmd, q->since_ms);
    send_and_release(q, &cmd, on_told, q);
}

static void tell_since(const struct quiet *q)
{
    struct redis_cmd cmd;

    begin(q, &cmd, "HSET", "quiet_since");
    redis_cmd_add_int(&cmd, q->since_ms);
    send_and_release(q, &cmd, on_ignored, NULL);
}

static void become(struct quiet *q, bool is_quiet, const char *by)
{
    q->is_quiet = is_quiet;
    q->since_ms = is_quiet ? clock_wall_ms() : 0;
    log_info("worker", is_quiet ? "quiet: begins no more" : "not quiet any more",
             LOG_STR("by", by), LOG_INT("jobs", q->transfers->count));
    claimer_quiet(q->transfers->claimer, is_quiet);
    transfers_quiet(q->transfers, is_quiet);
}

static void on_asked(enum err_code code, const struct redis_value *reply,
                     const struct err *e, void *ctx)
{
    struct quiet *q = ctx;
    struct redis_cmd cmd;

    (void)e; /* it is asked again with the next beat */
    if (code != ERR_OK || q->untold)
        return;
    if (redis_value_type(reply) == REDIS_NIL) {
        begin(q, &cmd, "HSETNX", "quiet");
        redis_cmd_add_str(&cmd, q->is_quiet ? "1" : "0");
        send_and_release(q, &cmd, on_ignored, NULL);
        tell_since(q);
        return;
    }
    bool wanted = queue_worker_is_quiet(reply);
    if (wanted == q->is_quiet)
        return;
    become(q, wanted, "redis");
    tell_since(q);
}

void quiet_beat(struct quiet *q)
{
    struct redis_cmd cmd;

    if (q->untold) {
        tell(q);
        return;
    }
    begin(q, &cmd, "HGET", "quiet");
    send_and_release(q, &cmd, on_asked, q);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct quiet *q = handle->data;

    (void)number;
    if (q->is_quiet)
        return;
    become(q, true, "SIGTSTP");
    q->untold = true;
    if (redis_async_is_ready(q->env->redis))
        tell(q);
}

void quiet_init(struct quiet *q, const struct worker_env *env,
                struct transfers *transfers)
{
    *q = (struct quiet){.env = env, .transfers = transfers, .untold = true};
    (void)uv_signal_init(env->loop, &q->signal); /* cannot fail */
    q->signal.data = q;
}

enum err_code quiet_start(struct quiet *q, struct err *e)
{
    if (uv_signal_start(&q->signal, on_signal, SIGTSTP) != 0)
        return err_set(e, ERR_NOMEM, "cannot watch signal %d", SIGTSTP);
    return ERR_OK;
}

void quiet_close(struct quiet *q)
{
    bool listened = uv_is_active((uv_handle_t *)&q->signal);

    uv_close((uv_handle_t *)&q->signal, NULL);
    if (listened)
        (void)signal(SIGTSTP, SIG_IGN); /* closing took the handler away */
}
