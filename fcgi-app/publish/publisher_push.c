/* The handlers' side of the publisher. */
#include "fcgi-app/publish/publisher_internal.h"

#include "shared/clock.h"

#include <stdlib.h>

/* Takes the slots over, or releases them.  With a ticket: false when there is nothing to wait for. */
static bool push(struct publisher *p, struct publish_slot *slots, size_t count,
                 struct publish_ticket *ticket)
{
    (void)pthread_mutex_lock(&p->lock);
    bool fits = publish_ring_add(&p->ring, slots, count);
    bool waits = fits && ticket && !p->trouble.code;
    if (!fits) {
        p->dropped += (int64_t)count;
    } else {
        p->pushed += (int64_t)count;
        if (p->idle)
            (void)pthread_cond_signal(&p->changed);
    }
    if (waits) {
        ticket->first = p->pushed - (int64_t)count + 1;
        ticket->last = p->pushed;
        publish_tickets_add(&p->tickets, ticket);
    }
    (void)pthread_mutex_unlock(&p->lock);
    if (!fits)
        publish_slots_release(slots, count);
    return waits;
}

static void drop_unsent(struct publisher *p, size_t count)
{
    (void)pthread_mutex_lock(&p->lock);
    p->dropped += (int64_t)count;
    (void)pthread_mutex_unlock(&p->lock);
}

static bool push_jobs(struct publisher *p, const struct job *jobs, size_t count,
                      const struct uuid *own_batch, struct publish_ticket *ticket)
{
    struct publish_slot one, *slots = &one;
    bool waits = false;
    if (count > 1)
        slots = calloc(count, sizeof *slots);
    if (slots && publish_slots_init(slots, jobs, count, own_batch))
        waits = push(p, slots, count, ticket);
    else
        drop_unsent(p, count);
    if (slots != &one)
        free(slots);
    return waits;
}

void publisher_push(struct publisher *p, const struct job *jobs, size_t count,
                    const struct uuid *own_batch)
{
    (void)push_jobs(p, jobs, count, own_batch, NULL); /* nobody waits */
}

/* --- Those who wait --- */

static void await(struct publisher *p, struct publish_ticket *t, int64_t replicas_ms)
{
    int64_t answer_ms = clock_mono_ms() + PUBLISHER_ANSWER_MS;
    bool in_time = true;
    (void)pthread_mutex_lock(&p->lock);
    while (in_time && t->wants_answer && !t->answer.is_known && !t->is_over)
        in_time = thread_wait_until(&p->answered, &p->lock, answer_ms);
    while (in_time && !t->is_over)
        in_time = thread_wait_until(&p->answered, &p->lock, replicas_ms);
    if (!t->is_over)
        publish_tickets_remove(&p->tickets, t);
    (void)pthread_mutex_unlock(&p->lock);
}

void publisher_push_wait(struct publisher *p, const struct job *jobs, size_t count,
                         const struct uuid *own_batch, struct publish_answer *ret)
{
    int64_t until_ms = clock_mono_ms() + p->config->redis.wait_ms;
    struct publish_ticket t = {
        .wants_answer = jobs[0].unique != NULL,
        .wants_replicas = waits_is_wanted(p->waits) && waits_begin(p->waits),
    };
    struct publish_ticket *ticket = t.wants_answer || t.wants_replicas ? &t : NULL;
    if (push_jobs(p, jobs, count, own_batch, ticket))
        await(p, &t, until_ms);
    if (t.wants_replicas)
        waits_end(p->waits);
    *ret = t.answer;
}

void publisher_settle(struct publisher *p)
{
    int64_t until_ms = clock_mono_ms() + PUBLISHER_SETTLE_MS;
    bool in_time = true;
    (void)pthread_mutex_lock(&p->lock);
    const int64_t all = p->pushed;
    while (in_time && p->sent < all && !p->trouble.code)
        in_time = thread_wait_until(&p->answered, &p->lock, until_ms);
    (void)pthread_mutex_unlock(&p->lock);
}

enum err_code publisher_trouble(struct publisher *p, struct err *e)
{
    (void)pthread_mutex_lock(&p->lock);
    if (p->trouble.code)
        *e = p->trouble;
    enum err_code code = p->trouble.code;
    (void)pthread_mutex_unlock(&p->lock);
    return code;
}

struct publisher_stats publisher_stats(struct publisher *p)
{
    (void)pthread_mutex_lock(&p->lock);
    struct publisher_stats s = {p->published, p->dropped, p->refused, p->ring.count};
    (void)pthread_mutex_unlock(&p->lock);
    return s;
}
