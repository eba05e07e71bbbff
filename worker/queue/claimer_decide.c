/* Who gets the free slots, and the call of each queue: once an iteration of the loop, when something has changed. */
#include "worker/queue/claimer_internal.h"

#include "shared/clock.h"

static size_t free_slots(const struct claimer *c)
{
    size_t free = transfers_free(c->transfers);

    return !c->stopped && !c->is_quiet && free > c->reserved ? free - c->reserved : 0;
}

static void repeat_unheard(struct claimer *c)
{
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < c->shares.count; i++)
        if (c->queues[i].turns.state == TURNS_UNHEARD && now >= c->queues[i].again_ms)
            turns_repeat(&c->queues[i].turns);
}

static bool is_busy(const struct claim_queue *q)
{
    return q->turns.state != TURNS_FREE;
}

/* Whether any queue is, or may be, with work. */
static bool note_wants(struct claimer *c)
{
    bool any = false;

    for (size_t i = 0; i < c->shares.count; i++) {
        struct claim_queue *q = &c->queues[i];
        bool wants = (q->maybe && claimer_allowance(q) > 0) ||
                     (is_busy(q) && q->turns.call.want > 0);
        shares_want(&c->shares, i, wants);
        any = any || wants;
    }
    return any;
}

static void call(struct claim_queue *q, size_t want)
{
    struct claimer *c = q->claimer;
    size_t allowed = claimer_allowance(q);

    if (want > QUEUE_BATCH_MAX)
        want = QUEUE_BATCH_MAX;
    if (want > allowed)
        want = allowed;
    /* Without a slot, a look for 0 jobs: it puts a marker back for others, and tells what is due or expired. */
    if (want == 0 && q->turns.gathered == 0 && !q->woken && !q->timed)
        return;
    if (want > 0)
        q->maybe = false;
    q->woken = false;
    q->timed = false;
    c->reserved += want;
    claimer_pay(q, want);
    shares_take(&c->shares, (size_t)(q - c->queues), want);
    turns_send(&q->turns, want);
}

/* There is work in it, as far as is known: it will be asked again without being told. */
static bool has_work(const struct claim_queue *q)
{
    return q->maybe || (is_busy(q) && q->turns.call.want > 0);
}

/* For that of queues which may be claimed from; what is in the others is looked at by time.  Where all have work there is
 * nothing to wait for: the marker would come at once, and again with each call. */
static void wait_for_work(struct claimer *c)
{
    bool skipped[CONFIG_QUEUES_MAX], due = false, all_have = true;

    if (free_slots(c) == 0)
        return;
    for (size_t i = 0; i < c->shares.count; i++) {
        skipped[i] = claimer_allowance(&c->queues[i]) == 0;
        all_have = all_have && (skipped[i] || has_work(&c->queues[i]));
        if (skipped[i] && c->queues[i].maybe)
            due = claimer_look_when_allowed(&c->queues[i]) || due;
    }
    if (!all_have)
        waiter_wait(c->waiter, skipped);
    if (due)
        claimer_arm_timer(c);
}

static void decide(struct claimer *c)
{
    size_t slots[CONFIG_QUEUES_MAX];

    transfers_run_ready(c->transfers);
    if (c->on_closed || !redis_async_is_ready(c->env->redis))
        return;
    repeat_unheard(c);
    bool any = note_wants(c);
    shares_allot(&c->shares, free_slots(c), slots);
    for (size_t i = 0; i < c->shares.count; i++) {
        struct claim_queue *q = &c->queues[i];
        if (is_busy(q))
            continue;
        /* Nobody is known to have work: what goes anyway may bring some. */
        call(q, !any && q->turns.gathered > 0 ? free_slots(c) : slots[i]);
    }
    wait_for_work(c);
}

static void on_check(uv_check_t *check)
{
    struct claimer *c = check->data;

    (void)uv_idle_stop(&c->idle); /* neither can fail */
    (void)uv_check_stop(&c->check);
    decide(c);
    transfers_check_empty(c->transfers);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* it is there so that the loop does not block */
}

void claimer_decide_soon(struct claimer *c)
{
    if (c->on_closed)
        return;
    (void)uv_idle_start(&c->idle, on_idle); /* neither can fail */
    (void)uv_check_start(&c->check, on_check);
}
