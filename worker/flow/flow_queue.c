/* Endpoints and requests: who may send, who waits, what the answers say. */
#include "worker/flow/flow_internal.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/log.h"

enum flow_verdict flow_verdict(const struct flow_answer *a)
{
    if (a->net == RETRY_NET_ABORTED)
        return FLOW_NOTHING;
    if (a->class == RETRY_THROTTLED || a->status == 429 || a->status == 503)
        return FLOW_THROTTLED;
    if (a->status >= 500)
        return a->status == 501 || a->status == 505 ? FLOW_ANSWERED : FLOW_BROKEN;
    if (a->status >= 300)
        return FLOW_ANSWERED;
    /* A success that was cut off, or has an error in it. */
    return a->net != RETRY_NET_OK || a->status < 200 || a->class == RETRY_TRANSIENT
               ? FLOW_BROKEN
               : FLOW_ANSWERED;
}

/* --- the queue of an endpoint --- */

static void enqueue(struct flow_endpoint *e, struct flow_ticket *t, bool first)
{
    t->state = FLOW_TICKET_WAITS;
    t->previous = first ? NULL : e->last;
    t->next = first ? e->first : NULL;
    *(t->previous ? &t->previous->next : &e->first) = t;
    *(t->next ? &t->next->previous : &e->last) = t;
    e->waiting++;
}

static void dequeue(struct flow_endpoint *e, struct flow_ticket *t)
{
    *(t->previous ? &t->previous->next : &e->first) = t->next;
    *(t->next ? &t->next->previous : &e->last) = t->previous;
    t->previous = t->next = NULL;
    t->state = FLOW_TICKET_FREE;
    e->waiting--;
}

static bool has_room(const struct flow_endpoint *e)
{
    return e->under_way < e->aimd.limit;
}

static void go(struct flow_ticket *t)
{
    t->state = FLOW_TICKET_GOES;
    t->began_ms = clock_mono_ms();
    t->flow->endpoint->under_way++;
    retry_budget_deposit(&t->flow->endpoint->budget);
}

/* A request of a probe goes, whatever circuit there is. */
static bool rests(const struct flow *f)
{
    return flow_rest_ms(f) > 0;
}

enum flow_turn flow_ask(struct flow *f, struct flow_ticket *t, bool first)
{
    assert(t->state == FLOW_TICKET_FREE);
    t->flow = f;
    if (!f)
        return FLOW_GO;
    if (rests(f))
        return FLOW_HOLD;
    if (has_room(f->endpoint) && (first || !f->endpoint->first)) {
        go(t);
        return FLOW_GO;
    }
    enqueue(f->endpoint, t, first);
    return FLOW_WAIT;
}

bool flow_is_waiting(const struct flow_ticket *t)
{
    return t->state == FLOW_TICKET_WAITS;
}

/* The first whose destination rests; where none does, the first of all when there is room. */
static struct flow_ticket *next_in_turn(struct flow_endpoint *e)
{
    for (struct flow_ticket *t = e->first; t; t = t->next)
        if (rests(t->flow))
            return t;
    return has_room(e) ? e->first : NULL;
}

void flow_queue_turn(struct flow_endpoint *e)
{
    struct flow_ticket *t;

    while ((t = next_in_turn(e))) {
        bool hold = rests(t->flow);
        dequeue(e, t);
        if (!hold)
            go(t);
        t->on_turn(hold ? FLOW_HOLD : FLOW_GO, t->ctx);
    }
}

/* --- answers --- */

static uint64_t random_bits(void)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint64_t)clock_mono_us(); /* jitter need not be secret */
    return random;
}

static void throttled(struct flow *f, const struct flow_ticket *t, int64_t now)
{
    struct flow_endpoint *e = f->endpoint;

    if (aimd_throttled(&e->aimd, t->began_ms, now))
        log_info("flow", "the store wants fewer requests", LOG_STR("endpoint", e->name),
                 LOG_INT("limit", e->aimd.limit));
}

static void obey_retry_after(struct flow *f, const struct flow_answer *a, int64_t now)
{
    int64_t ms = a->retry_after_ms;

    if (ms > FLOW_RETRY_AFTER_MAX_MS)
        ms = FLOW_RETRY_AFTER_MAX_MS;
    if (now + ms <= f->endpoint->quiet_until_ms)
        return;
    f->endpoint->quiet_until_ms = now + ms;
    for (size_t i = 0; i < f->set->count; i++)
        if (f->set->of[i]->endpoint == f->endpoint)
            flow_set_why(f->set->of[i], a->error);
}

static void failed(struct flow_ticket *t, const struct flow_answer *a,
                   enum circuit_failure how, int64_t now)
{
    struct flow *f = t->flow;

    if (a->retry_after_ms > 0)
        obey_retry_after(f, a, now);
    if (how == CIRCUIT_THROTTLED)
        throttled(f, t, now);
    if (circuit_fail(&f->circuit, how, t->began_ms, now, random_bits()))
        flow_set_why(f, a->error);
}

/* It is under way no more.  Whether it, or somebody else, met the limit. */
static bool end(struct flow_ticket *t)
{
    struct flow_endpoint *e = t->flow->endpoint;
    bool held_back = e->waiting > 0 || !has_room(e);

    t->state = FLOW_TICKET_FREE;
    e->under_way--;
    flow_turn_soon(t->flow->set);
    return held_back;
}

void flow_told(struct flow_ticket *t, const struct flow_answer *a)
{
    struct flow *f = t->flow;
    int64_t now = clock_mono_ms();

    if (!f)
        return;
    assert(t->state == FLOW_TICKET_GOES);
    bool held_back = end(t);
    switch (flow_verdict(a)) {
    case FLOW_NOTHING:
        return;
    case FLOW_ANSWERED:
        aimd_success(&f->endpoint->aimd, held_back);
        (void)circuit_success(&f->circuit, t->began_ms, now); /* the turn tells */
        return;
    case FLOW_THROTTLED:
        failed(t, a, CIRCUIT_THROTTLED, now);
        return;
    case FLOW_BROKEN:
        failed(t, a, CIRCUIT_BROKEN, now);
        return;
    }
}

void flow_leave(struct flow_ticket *t)
{
    if (t->state == FLOW_TICKET_WAITS)
        dequeue(t->flow->endpoint, t);
    else if (t->state == FLOW_TICKET_GOES)
        (void)end(t);
}

bool flow_may_retry(struct flow *f)
{
    return !f || retry_budget_take(&f->endpoint->budget, clock_mono_ms());
}

struct flow_figures flow_figures(const struct flow *f)
{
    const struct flow_endpoint *e = f->endpoint;

    return (struct flow_figures){e->under_way, e->waiting, e->aimd.limit};
}
