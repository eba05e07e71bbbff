/* Queues whose jobs cannot run because destinations rest: how much is claimed from them. */
#include "worker/queue/claimer_internal.h"

#include <string.h>

#include "shared/clock.h"

enum {
    HELD_MS = 5000, /* a queue in which a job was held back is careful for so long */
    PROBE_AGAIN_MS = 1000, /* one probe is claimed, and has begun, before the next */
    MIXED_LOOK_MS = 250    /* while much is in the way: so often */
};

static const struct config_queue *settings(const struct claim_queue *q)
{
    return env_queue(q->claimer->env, q->name);
}

static enum flow_gate gate_of(const struct claim_queue *q)
{
    const struct destinations *all = q->claimer->transfers->destinations;

    return flow_gate(settings(q)->is_of_webhooks
                         ? NULL /* what it delivers goes to none of them */
                         : destinations_flow(all, settings(q)->to));
}

size_t claimer_allowance(struct claim_queue *q)
{
    enum flow_gate gate = gate_of(q);
    int64_t now = clock_mono_ms();

    q->rests = gate != FLOW_RUNS;
    if (!q->rests && (q->held_ms == 0 || now - q->held_ms >= HELD_MS))
        return SIZE_MAX;
    size_t allowed = sift_allows(&q->sift, now);
    if (gate == FLOW_PROBES && !sift_is_mixed(&q->sift, now))
        allowed = 0;
    if (gate == FLOW_PROBES && allowed == 0 && now - q->probed_ms >= PROBE_AGAIN_MS)
        return 1;
    return allowed;
}

void claimer_pay(struct claim_queue *q, size_t want)
{
    if (want == 0 || (!q->rests && q->held_ms == 0))
        return;
    if (gate_of(q) == FLOW_PROBES)
        q->probed_ms = clock_mono_ms();
    sift_take(&q->sift, want);
}

void claimer_refund(struct claim_queue *q, size_t want, size_t brought)
{
    if (want > 0 && brought == 0)
        q->probed_ms = 0; /* there was none to probe with */
    if (q->rests || q->held_ms > 0)
        sift_give_back(&q->sift, want - brought);
}

bool claimer_look_when_allowed(struct claim_queue *q)
{
    bool mixed = sift_is_mixed(&q->sift, clock_mono_ms());

    if (mixed)
        claimer_look_within(q, MIXED_LOOK_MS);
    else if (gate_of(q) == FLOW_PROBES)
        claimer_look_within(q, PROBE_AGAIN_MS);
    else
        return false;
    return true;
}

void claimer_judge(struct claimer *c, const struct transfer *t, bool held)
{
    struct claim_queue *q = claimer_find(c, t->lease.id.queue);
    int64_t now = clock_mono_ms();

    if (!q)
        return;
    bool own = t->job.to && strcmp(t->job.to, settings(q)->to) == 0;
    if (!own)
        sift_saw_other(&q->sift, now);
    if (held && !own)
        q->held_ms = now;
    if (!held && (q->rests || q->held_ms > 0))
        sift_give_back(&q->sift, 1); /* it costs nothing */
}

void claimer_flow_changed(struct claimer *c)
{
    for (size_t i = 0; i < c->shares.count; i++) {
        struct claim_queue *q = &c->queues[i];
        if (q->rests && gate_of(q) != FLOW_RESTS)
            q->maybe = true;
    }
    claimer_decide_soon(c);
}
