/* What the calls of the queues bring. */
#include "worker/queue/claimer_internal.h"

#include "shared/clock.h"
#include "worker/hooks/outbox.h"
#include "worker/queue/maintenance.h"

static void maintained(const char *queue, bool changed, void *ctx)
{
    struct claimer *c = ctx;

    c->rounds--;
    if (changed)
        claimer_find(c, queue)->maybe = true;
    claimer_decide_soon(c);
    claimer_free_if_closed(c);
}

static void take(struct claim_queue *q, const struct turns_reply *reply)
{
    struct claimer *c = q->claimer;
    const struct queue_claimed *claimed = reply->claimed;

    transfers_add(c->transfers, claimed->leases, claimed->count, reply->sent_ms);
    /* "More" without a job although we asked would only be asked again for ever. */
    if (claimed->more && (claimed->count > 0 || reply->want == 0 || reply->repeated))
        q->maybe = true;
    q->look_ms = clock_mono_ms() + claimer_idle_ms(c);
    if (claimed->next_ms >= 0)
        claimer_look_within(q, claimed->next_ms);
    if (claimed->has_outbox)
        outboxes_empty(c->env->outboxes, q->name);
    if (!c->stopped && maintenance_run(c->env, q->name, claimed, maintained, c))
        c->rounds++;
}

void claimer_give_back(struct claim_queue *q, size_t want, size_t brought)
{
    struct claimer *c = q->claimer;

    c->reserved -= want;
    claimer_refund(q, want, brought);
    shares_give_back(&c->shares, (size_t)(q - c->queues), want - brought);
}

/* A connection that was lost is told by its owner; here it stands, and the server said no. */
static void complain(struct claim_queue *q, const struct turns_reply *reply)
{
    struct claimer *c = q->claimer;
    int64_t held;

    if (reply->code == ERR_RETRY && !redis_async_is_ready(c->env->redis))
        return;
    if (log_limit_passes(&c->said, reply->err->text, clock_mono_ms(), &held))
        log_line(reply->code == ERR_RETRY ? LOG_WARN : LOG_ERROR, "claimer",
                 "queue cannot be claimed from", LOG_STR("queue", q->name),
                 LOG_ERR(reply->err), log_limit_held(held), LOG_END);
}

void claimer_on_reply(const struct turns_reply *reply, void *ctx)
{
    struct claim_queue *q = ctx;
    struct claimer *c = q->claimer;

    if (reply->code == ERR_RETRY) {
        /* Gone: claimer_resume repeats it when Redis is back.  Busy, loading: later. */
        q->again_ms = clock_mono_ms() + CLAIMER_AGAIN_MS;
        if (c->stopped && turns_forget(&q->turns))
            claimer_give_back(q, reply->want, 0);
    } else if (reply->code == ERR_OK) {
        claimer_give_back(q, reply->want, reply->claimed->count);
        take(q, reply);
    } else {
        claimer_give_back(q, reply->want, 0);
        q->look_ms = clock_mono_ms() + claimer_idle_ms(c);
    }
    if (reply->code == ERR_OK)
        c->ok_ms = clock_mono_ms();
    else
        complain(q, reply);
    claimer_arm_timer(c);
    claimer_decide_soon(c);
    claimer_free_if_closed(c);
}
