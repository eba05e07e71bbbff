#include "worker/beats.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log_limit.h"

enum { TICKS_PER_LEASE = 12, TICKS_PER_BEAT = 4 };

struct beats {
    const struct worker_env *env;
    struct transfers *transfers;
    uv_timer_t tick;
    unsigned ticks;
};

/* One call under way: which transfers it was for. */
struct beat_call {
    struct transfers *transfers;
    int64_t sent_ms; /* monotonic */
    size_t count;
    char queue[ID_QUEUE_MAX + 1];
    struct {
        size_t index;
        uint64_t serial;
    } of[QUEUE_BATCH_MAX];
};

static void apply(struct transfer *t, enum queue_answer answer, int64_t sent_ms)
{
    if (!transfer_holds_lease(t))
        return; /* the finish or fail that was sent meanwhile decides */
    switch (answer) {
    case QUEUE_OK:
        transfer_renewed(t, sent_ms);
        return;
    case QUEUE_CANCELLED:
        transfer_renewed(t, sent_ms);
        transfer_abort(t, ABORT_CANCEL);
        return;
    default:
        transfer_abort(t, ABORT_LOST);
    }
}

static void on_beat(enum err_code code, const struct redis_value *reply,
                    const struct err *e, void *ctx)
{
    struct beat_call *call = ctx;
    enum queue_answer answers[QUEUE_BATCH_MAX];
    struct err parse = ERR_INIT;
    int64_t held;

    if (code == ERR_OK) {
        code = queue_parse_beat(reply, call->count, answers, &parse);
        e = &parse;
    }
    if (code == ERR_OK) {
        for (size_t i = 0; i < call->count; i++) {
            struct transfer *t =
                transfers_find(call->transfers, call->of[i].index, call->of[i].serial);
            if (t)
                apply(t, answers[i], call->sent_ms);
        }
    } else if (code != ERR_RETRY && log_limit_passes(&call->transfers->said, e->text,
                                                     clock_mono_ms(), &held)) {
        log_error("beats", "beat was refused", LOG_STR("queue", call->queue),
                  LOG_ERR(e), log_limit_held(held));
    }
    free(call);
}

/* Beat for the transfers of one queue from slot *at on, at most one call; *at is where to go on. */
static void beat_some(struct beats *b, const char *queue, size_t *at)
{
    struct transfers *s = b->transfers;
    struct queue_beat beats[QUEUE_BATCH_MAX];
    struct beat_call *call = calloc(1, sizeof *call);
    struct redis_cmd cmd;
    size_t i = *at;

    *at = s->capacity;
    if (!call)
        return; /* the next tick tries again */
    call->transfers = s;
    call->sent_ms = clock_mono_ms();
    for (; i < s->capacity && call->count < QUEUE_BATCH_MAX; i++) {
        struct transfer *t = s->slots[i];
        if (!t || !transfer_holds_lease(t) || strcmp(t->lease.id.queue, queue) != 0)
            continue;
        memcpy(call->queue, t->lease.id.queue, sizeof call->queue);
        beats[call->count] =
            (struct queue_beat){.lease = t->lease, .sent = transfer_sent(t)};
        call->of[call->count].index = i;
        call->of[call->count++].serial = t->serial;
    }
    if (call->count == 0) {
        free(call);
        return;
    }
    *at = i;
    redis_cmd_init(&cmd);
    queue_beat_cmd(&cmd, queue, &b->env->self, beats, call->count);
    redis_async_send(b->env->redis, &cmd, 0, on_beat, call);
    redis_cmd_release(&cmd);
}

void beats_now(struct beats *b)
{
    const struct config *config = b->env->config;

    if (b->transfers->count == 0 || !redis_async_is_ready(b->env->redis))
        return;
    for (size_t q = 0; q < config->queue_count; q++)
        for (size_t at = 0; at < b->transfers->capacity;)
            beat_some(b, config->queues[q].name, &at);
}

static void on_tick(uv_timer_t *timer)
{
    struct beats *b = timer->data;

    transfers_check_leases(b->transfers, clock_mono_ms());
    if (redis_async_is_ready(b->env->redis))
        transfers_resume(b->transfers);
    if (++b->ticks % TICKS_PER_BEAT == 0)
        beats_now(b);
}

enum err_code beats_open(const struct worker_env *env, struct transfers *transfers,
                         struct beats **ret, struct err *e)
{
    uint64_t tick_ms = (uint64_t)(env->self.lease_ms / TICKS_PER_LEASE);
    struct beats *b = calloc(1, sizeof *b);

    if (!b)
        return err_set(e, ERR_NOMEM, "no memory for beats");
    b->env = env;
    b->transfers = transfers;
    b->tick.data = b;
    (void)uv_timer_init(env->loop, &b->tick); /* cannot fail */
    (void)uv_timer_start(&b->tick, on_tick, tick_ms, tick_ms);
    *ret = b;
    return ERR_OK;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void beats_close(struct beats *b)
{
    if (b)
        uv_close((uv_handle_t *)&b->tick, on_closed);
}
