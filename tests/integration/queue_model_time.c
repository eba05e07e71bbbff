#include "tests/integration/queue_model_internal.h"

struct timer {
    int64_t at;
    enum {
        TIMER_BATCH,
        TIMER_GROUP,
        TIMER_GROUP_RATE,
        TIMER_RATE,
        TIMER_SWEEP,
        TIMER_KEY
    } kind; /* in the order of their names */
    int index;
};

static void forget_batch(struct model *m, struct model_batch *b)
{
    if (b->done + b->dead + b->cancelled < b->total)
        b->forget_at = m->now + 7 * (int64_t)MODEL_DAY_MS;
    else
        *b = (struct model_batch){.known = false};
}

/* All groups that wait: fewer than a sweep may look at. */
static void sweep(struct model *m)
{
    static const int by_member[MODEL_GROUPS] = {1, 2, 0}; /* "g.a:", "g1:", "g:" */
    bool waits = false;

    for (int i = 0; i < MODEL_GROUPS; i++)
        model_admit(m, by_member[i]);
    for (int i = 0; i < m->job_count; i++)
        waits |= m->jobs[i].place == MODEL_GROUPED;
    m->sweep_at = waits ? m->now + MODEL_SWEEP_MS : 0;
}

static void run_timer(struct model *m, const struct timer *t)
{
    struct model_bucket *b =
        t->kind == TIMER_RATE ? &m->queue_bucket : &m->group_buckets[t->index];

    switch (t->kind) {
    case TIMER_BATCH:
        forget_batch(m, &m->batches[t->index]);
        break;
    case TIMER_SWEEP:
        sweep(m);
        break;
    case TIMER_GROUP:
        m->group_timer[t->index] = 0;
        model_admit(m, t->index);
        break;
    case TIMER_GROUP_RATE:
    case TIMER_RATE:
        if (b->forget_at <= m->now)
            *b = (struct model_bucket){.known = false};
        break;
    case TIMER_KEY:
        m->holder[t->index] = -1;
        m->window[t->index] = 0;
        break;
    }
}

/* Whether it comes next after `last`; `best` is what was found so far. */
static void consider(struct timer *best, bool *found, struct timer t, int64_t now)
{
    if (t.at == 0 || t.at > now)
        return;
    bool earlier =
        !*found || t.at < best->at ||
        (t.at == best->at &&
         (t.kind < best->kind || (t.kind == best->kind && t.index < best->index)));
    if (earlier)
        *best = t;
    *found = true;
}

void model_run_timers(struct model *m)
{
    int64_t now = m->now;
    struct timer t = {0};

    for (;;) {
        bool found = false;
        for (int i = 0; i < MODEL_BATCHES; i++)
            consider(&t, &found,
                     (struct timer){m->batches[i].forget_at, TIMER_BATCH, i}, now);
        for (int i = 0; i < MODEL_GROUPS; i++) {
            struct model_bucket *b = &m->group_buckets[i];
            consider(&t, &found, (struct timer){m->group_timer[i], TIMER_GROUP, i},
                     now);
            consider(&t, &found,
                     (struct timer){b->known ? b->forget_at : 0, TIMER_GROUP_RATE, i},
                     now);
        }
        if (m->queue_bucket.known)
            consider(&t, &found,
                     (struct timer){m->queue_bucket.forget_at, TIMER_RATE, 0}, now);
        consider(&t, &found, (struct timer){m->sweep_at, TIMER_SWEEP, 0}, now);
        for (int i = 0; i < MODEL_KEYS; i++)
            consider(&t, &found, (struct timer){m->window[i], TIMER_KEY, i}, now);
        if (!found)
            break;
        run_timer(m, &t);
    }
    for (int i = 0; i < MODEL_WORKERS; i++)
        if (m->workers[i].remembered && m->workers[i].remembered_until <= now)
            m->workers[i].remembered = false;
}
