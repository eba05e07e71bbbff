#include "worker/queue/beats.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log_limit.h"

enum {
    TICKS_PER_LEASE = 12,
    TICKS_PER_BEAT = 4,
    TICK_MAX_MS = 625 /* a beat each 2.5 s at least: who cancels a job waits for one */
};

struct beats {
    const struct worker_env *env;
    struct transfers *transfers;
    uv_timer_t tick;
    unsigned ticks;
    uint64_t round; /* of beats; each transfer has part once in each */
};

/* One call under way: which transfers it was for. */
struct beat_call {
    struct transfers *transfers;
    int64_t sent_ms; /* boot time */
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

static bool is_to_beat(const struct beats *b, const struct transfer *t)
{
    return t && t->beat != b->round && transfer_holds_lease(t);
}

static struct queue_beat beat_of(struct transfer *t)
{
    struct destination_progress p = transfer_progress(t);

    progress_meter_look(&t->meter, p.sent, clock_mono_ms());
    return (struct queue_beat){.lease = t->lease,
                               .sent = p.sent,
                               .arrived = p.arrived,
                               .phase = destination_phase_name(p.phase),
                               .rate = t->meter.rate,
                               .parts = p.parts,
                               .parts_done = p.parts_done};
}

/* Beat for the transfer in this slot, and for those of its queue behind it: one call. */
static void beat_from(struct beats *b, size_t first)
{
    struct transfers *s = b->transfers;
    const char *queue = s->slots[first]->lease.id.queue;
    struct queue_beat beats[QUEUE_BATCH_MAX];
    struct beat_call *call = calloc(1, sizeof *call);
    struct redis_cmd cmd;

    if (!call)
        return; /* the next tick tries again */
    call->transfers = s;
    call->sent_ms = clock_boot_ms();
    memcpy(call->queue, queue, sizeof call->queue);
    for (size_t i = first; i < s->capacity && call->count < QUEUE_BATCH_MAX; i++) {
        struct transfer *t = s->slots[i];
        if (!is_to_beat(b, t) || strcmp(t->lease.id.queue, queue) != 0)
            continue;
        beats[call->count] = beat_of(t);
        call->of[call->count].index = i;
        call->of[call->count++].serial = t->serial;
        t->beat = b->round;
    }
    redis_cmd_init(&cmd);
    queue_beat_cmd(&cmd, queue, &b->env->self, beats, call->count);
    redis_async_send(b->env->redis, &cmd, 0, on_beat, call);
    redis_cmd_release(&cmd);
}

void beats_now(struct beats *b)
{
    const struct transfers *s = b->transfers;

    if (s->count == 0 || !redis_async_is_ready(b->env->redis))
        return;
    b->round++;
    for (size_t i = 0; i < s->capacity; i++)
        if (is_to_beat(b, s->slots[i]))
            beat_from(b, i);
}

static void on_tick(uv_timer_t *timer)
{
    struct beats *b = timer->data;

    transfers_check_leases(b->transfers);
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
    if (tick_ms > TICK_MAX_MS)
        tick_ms = TICK_MAX_MS;
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
