#include "tests/integration/queue_model.h"

#include <string.h>

/* xorshift64: the same numbers from the same seed everywhere. */
static uint64_t below(struct model_random *r, uint64_t n)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state % n;
}

static bool one_in(struct model_random *r, uint64_t n)
{
    return below(r, n) == 0;
}

/* A random job of one of these places (bits); any where there is none. */
static int pick(const struct model *m, struct model_random *r, unsigned places)
{
    int found = -1, n = 0;

    for (int i = 0; i < m->job_count; i++)
        if (places >> m->jobs[i].place & 1 && below(r, (uint64_t)++n) == 0)
            found = i;
    if (found >= 0 && !one_in(r, 24))
        return found;
    return m->job_count > 0 ? (int)below(r, (uint64_t)m->job_count) : 0;
}

enum {
    LEASED_PLACES = 1u << MODEL_CLAIMED | 1u << MODEL_BEGUN,
    WAITING_PLACES = 1u << MODEL_READY | 1u << MODEL_GROUPED | 1u << MODEL_BEHIND |
                     1u << MODEL_LATER,
    ENDED_PLACES = 1u << MODEL_DONE | 1u << MODEL_CANCELLED
};

static int live_jobs(const struct model *m)
{
    int n = 0;

    for (int i = 0; i < m->job_count; i++)
        n += m->jobs[i].place != MODEL_NOWHERE && m->jobs[i].place < MODEL_DEAD;
    return n;
}

/* --- Each kind --- */

static struct model_spec make_spec(const struct model *m, struct model_random *r,
                                   int job)
{
    struct model_spec s = {
        .job = job, .group = -1, .parent = -1, .key = -1, .batch = -1};

    s.priority = one_in(r, 3) ? (int)below(r, 10) : 0;
    s.bytes = 1000 * (1 + (int64_t)below(r, 3));
    if (one_in(r, 2))
        s.group = (int)below(r, MODEL_GROUPS);
    if (job > 0 && one_in(r, 4))
        s.parent = one_in(r, 3) ? (int)below(r, (uint64_t)job)
                                : pick(m, r, WAITING_PLACES | LEASED_PLACES);
    if (s.parent >= job)
        s.parent = job - 1;
    s.run_anyway = one_in(r, 2);
    if (one_in(r, 4)) {
        s.key = (int)below(r, MODEL_KEYS);
        s.until_start = one_in(r, 3);
        s.unique_ms = one_in(r, 3) ? 5000 : 0;
    }
    if (one_in(r, 3))
        s.batch = (int)below(r, MODEL_BATCHES);
    if (one_in(r, 5))
        s.delay_ms = 1 + (int64_t)below(r, 3000);
    return s;
}

static void make_enqueue(const struct model *m, struct model_random *r,
                         struct model_op *op)
{
    op->count = one_in(r, 3) ? 1 + (int)below(r, MODEL_ITEMS) : 1;
    for (int i = 0; i < op->count; i++) {
        int job = m->job_count + i;
        if (job >= MODEL_JOBS || (m->job_count > 0 && one_in(r, 20)))
            job = (int)below(r, (uint64_t)m->job_count); /* again */
        op->specs[i] = make_spec(m, r, job);
    }
}

/* Jobs that a worker has, each once. */
static void make_several(const struct model *m, struct model_random *r,
                         struct model_op *op, unsigned places)
{
    int some = 1 + (int)below(r, MODEL_ITEMS);

    op->jobs[0] = pick(m, r, places);
    if (1u << m->jobs[op->jobs[0]].place & LEASED_PLACES && !one_in(r, 12))
        op->worker = m->jobs[op->jobs[0]].worker;
    op->count = 1;
    for (int tries = 0; tries < 8 && op->count < some; tries++) {
        int job = pick(m, r, places);
        bool twice = false;
        for (int i = 0; i < op->count; i++)
            twice |= op->jobs[i] == job;
        if (!twice)
            op->jobs[op->count++] = job;
    }
}

static void make_configure(struct model_random *r, struct model_op *op)
{
    op->number = (int)below(r, CONF_FIELDS);
    op->value = one_in(r, 2) ? 0 : 1 + (int)below(r, 2);
}

/* To the next time that something happens, a little, or far. */
static int64_t make_step(const struct model *m, struct model_random *r)
{
    int64_t next = 0;

    for (int i = 0; i < m->job_count; i++) {
        const struct model_job *j = &m->jobs[i];
        bool timed = j->place == MODEL_LATER || (1u << j->place & LEASED_PLACES);
        if (timed && j->at > m->now && (next == 0 || j->at < next))
            next = j->at;
    }
    uint64_t choice = below(r, 100);
    if (choice < 30 && next > 0)
        return next - m->now;
    if (choice < 97)
        return choice < 80 ? 1 + (int64_t)below(r, 2000) : 60000;
    return choice < 99 ? 2 * (int64_t)MODEL_KEEP_MS : MODEL_DAY_MS + MODEL_LEASE_MS;
}

/* --- Which kind --- */

static enum model_kind make_kind(const struct model *m, struct model_random *r)
{
    static const unsigned char weights[MODEL_KINDS] = {
        [MODEL_ENQUEUE] = 16, [MODEL_CLAIM] = 15,       [MODEL_FINISH] = 13,
        [MODEL_REPEAT] = 3,   [MODEL_START] = 13,       [MODEL_BEGUN_KEY] = 2,
        [MODEL_BEAT] = 4,     [MODEL_FAIL] = 8,         [MODEL_RELEASE] = 4,
        [MODEL_PROMOTE] = 10, [MODEL_REAP] = 6,         [MODEL_CANCEL] = 4,
        [MODEL_RETRY] = 4,    [MODEL_REPRIORITIZE] = 3, [MODEL_CONFIGURE] = 4,
        [MODEL_BATCH] = 2,    [MODEL_STEP] = 12,        [MODEL_CRASH] = 1,
        [MODEL_EXPIRE] = 2,   [MODEL_AGAIN] = 3,
    };
    unsigned sum = 0;
    enum model_kind kind = 0;

    for (int i = 0; i < MODEL_KINDS; i++)
        sum += weights[i];
    uint64_t at = below(r, sum);
    while (at >= weights[kind])
        at -= weights[kind++];
    bool full = m->job_count >= MODEL_JOBS || live_jobs(m) > 30;
    return kind == MODEL_ENQUEUE && full ? MODEL_CLAIM : kind;
}

/* Where a job that such an operation is about stands, mostly. */
static unsigned places_for(enum model_kind kind, struct model_random *r)
{
    switch (kind) {
    case MODEL_START:
        return 1u << MODEL_CLAIMED;
    case MODEL_PROMOTE:
        return 1u << MODEL_LATER;
    case MODEL_CANCEL:
        return one_in(r, 2) ? LEASED_PLACES
                            : (unsigned)WAITING_PLACES | 1u << MODEL_DEAD;
    case MODEL_RETRY:
        return 1u << MODEL_DEAD;
    case MODEL_AGAIN:
        return 1u << MODEL_DONE;
    case MODEL_REPRIORITIZE:
        return WAITING_PLACES;
    case MODEL_EXPIRE:
        return ENDED_PLACES;
    case MODEL_FINISH:
    case MODEL_FAIL:
        return one_in(r, 6) ? LEASED_PLACES : 1u << MODEL_BEGUN;
    default:
        return LEASED_PLACES;
    }
}

static void make_rest(const struct model *m, struct model_random *r,
                      struct model_op *op)
{
    op->worker = (int)below(r, MODEL_WORKERS);
    op->want = (int)below(r, 5);
    op->lost = one_in(r, 6);
    op->pops = one_in(r, 2);
    make_several(m, r, op, places_for(op->kind, r));
    switch (op->kind) {
    case MODEL_ENQUEUE:
        make_enqueue(m, r, op);
        break;
    case MODEL_FINISH:
        op->number = one_in(r, 5) ? (int)below(r, 16) : 0;
        break;
    case MODEL_FAIL:
        op->ms = one_in(r, 4) ? -1 : (int64_t)below(r, 3000);
        break;
    case MODEL_RELEASE:
        op->ms = one_in(r, 2) ? 0 : 1 + (int64_t)below(r, 3000);
        break;
    case MODEL_PROMOTE:
        op->value = one_in(r, 4);
        break;
    case MODEL_REPRIORITIZE:
        op->number = (int)below(r, 10);
        break;
    case MODEL_CONFIGURE:
        make_configure(r, op);
        break;
    case MODEL_BATCH:
        op->number = (int)below(r, MODEL_BATCHES);
        op->value = (int)below(r, 2);
        break;
    case MODEL_STEP:
        op->ms = make_step(m, r);
        break;
    default:
        break;
    }
}

struct model_op model_make(const struct model *m, struct model_random *r)
{
    struct model_op op;

    memset(&op, 0, sizeof op);
    op.kind = make_kind(m, r);
    make_rest(m, r, &op);
    return op;
}
