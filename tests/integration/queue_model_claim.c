#include "tests/integration/queue_model_internal.h"

#include <math.h>
#include <string.h>

/* --- enqueue --- */

static void still_born(struct model *m, struct model_job *j)
{
    j->place = MODEL_CANCELLED;
    j->at = m->now;
    j->in_done = true;
    if (j->spec.batch >= 0) {
        struct model_batch *b = &m->batches[j->spec.batch];
        model_count_in_batch(m, j->spec.batch, &b->total, 1);
        model_count_in_batch(m, j->spec.batch, &b->cancelled, 1);
    }
    m->cancelled++;
}

static void line_up(struct model *m, struct model_job *j,
                    const struct model_job *parent)
{
    if (parent && parent->has_record && model_is_alive(parent)) {
        j->place = MODEL_BEHIND;
    } else if (j->due > m->now) {
        j->says_scheduled = true;
        model_schedule(m, j, j->due);
    } else {
        model_place(m, j);
    }
    m->bytes += j->spec.bytes;
}

/* A new job; -1 or who has its unique key. */
static int add(struct model *m, const struct model_spec *spec, int64_t seq)
{
    struct model_job *j = &m->jobs[spec->job];
    const struct model_job *parent =
        spec->parent >= 0 && m->jobs[spec->parent].place != MODEL_NOWHERE &&
                m->jobs[spec->parent].has_record
            ? &m->jobs[spec->parent]
            : NULL;

    *j = (struct model_job){.spec = *spec, .has_record = true, .seq = seq};
    j->due = spec->delay_ms > 0 ? m->now + spec->delay_ms : 0;
    if (spec->job >= m->job_count)
        m->job_count = spec->job + 1;
    m->enqueued++;
    int other = spec->key >= 0 ? model_holder(m, spec->key, spec->job) : -1;
    bool parent_failed =
        parent && (parent->place == MODEL_DEAD || parent->place == MODEL_CANCELLED);
    if (other >= 0 || (parent_failed && !spec->run_anyway)) {
        still_born(m, j);
        return other;
    }
    if (spec->key >= 0) {
        m->holder[spec->key] = spec->job;
        m->window[spec->key] = 0;
    }
    if (spec->batch >= 0)
        model_count_in_batch(m, spec->batch, &m->batches[spec->batch].total, 1);
    line_up(m, j, parent);
    return -1;
}

void model_enqueue(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    int64_t first = m->seq;
    double most = model_limit(m, CONF_LENGTH), most_bytes = model_limit(m, CONF_BYTES);
    int64_t bytes = m->bytes; /* with those that this call adds */
    int length = 0;

    for (int i = 0; i < m->job_count; i++)
        length += model_is_alive(&m->jobs[i]);
    m->seq += op->count;
    ret->count = op->count;
    for (int i = 0; i < op->count; i++) {
        const struct model_spec *spec = &op->specs[i];
        const struct model_job *known = &m->jobs[spec->job];
        if (known->place != MODEL_NOWHERE) {
            ret->answers[i] = QUEUE_EXISTS;
        } else if ((most > 0 && length >= most) ||
                   (most_bytes > 0 && (double)(bytes + spec->bytes) > most_bytes)) {
            ret->answers[i] = QUEUE_FULL;
        } else {
            int64_t before = m->bytes;
            ret->holder[i] = add(m, spec, first + i + 1);
            ret->answers[i] = ret->holder[i] >= 0 ? QUEUE_DUPLICATE : QUEUE_OK;
            length++;
            bytes += m->bytes - before;
        }
    }
    for (int i = 0; i < op->count; i++)
        if (ret->answers[i] == QUEUE_OK || ret->answers[i] == QUEUE_DUPLICATE)
            model_check_batch(m, op->specs[i].batch);
}

/* --- claim --- */

static int count_leased(const struct model *m)
{
    int n = 0;

    for (int i = 0; i < m->job_count; i++)
        n += model_is_leased(&m->jobs[i]);
    return n;
}

static int room(const struct model *m)
{
    double most = model_limit(m, CONF_INFLIGHT);

    if (m->conf[CONF_PAUSED])
        return 0;
    if (most <= 0)
        return QUEUE_BATCH_MAX;
    return most > count_leased(m) ? (int)most - count_leased(m) : 0;
}

bool model_needs_marker(const struct model *m)
{
    bool waits = false;

    for (int i = 0; i < m->job_count; i++)
        waits |= m->jobs[i].place == MODEL_READY;
    return m->news || (waits && room(m) > 0 && m->conf[CONF_RATE] == 0);
}

static void at_most(int64_t *next, int64_t ms)
{
    if (ms > 0 && (*next < 0 || ms < *next))
        *next = ms;
}

/* What claim says besides the leases. */
static void look(struct model *m, struct model_reply *ret)
{
    ret->next_at_most = -1;
    for (int i = 0; i < m->job_count; i++) {
        struct model_job *j = &m->jobs[i];
        if (j->place == MODEL_LATER && j->at <= m->now)
            ret->due[ret->due_count++] = i;
        else if (model_is_leased(j) && j->at <= m->now)
            ret->expired[ret->expired_count++] = i;
        else if (j->place == MODEL_LATER || model_is_leased(j))
            at_most(&ret->next_at_most, j->at - m->now);
    }
    if (ret->recalled)
        return;
    for (int i = 0; i < MODEL_GROUPS; i++)
        at_most(&ret->next_at_most, m->group_timer[i] - m->now);
}

static int take(struct model *m, const struct model_op *op, int want,
                struct model_reply *ret)
{
    int n = 0;

    while (n < want) {
        struct model_job *j = model_first_ready(m);
        if (!j)
            break;
        j->place = MODEL_CLAIMED;
        j->worker = op->worker;
        j->life = m->workers[op->worker].life;
        j->told = !op->lost;
        j->at = m->now + MODEL_LEASE_MS;
        j->lease = ++m->lease;
        ret->leases[n++] = j->spec.job;
    }
    ret->lease_count = n;
    return n;
}

/* The call is remembered by its turn, if it did anything. */
static void remember(struct model *m, const struct model_op *op,
                     const struct model_reply *ret)
{
    struct model_worker *w = &m->workers[op->worker];

    if (ret->lease_count == 0 && ret->count == 0)
        return;
    w->remembered = true;
    w->remembered_turn = w->turn;
    w->remembered_until = m->now + MODEL_DAY_MS;
    w->said_count = ret->count;
    memcpy(w->said, ret->answers, sizeof w->said);
    w->lease_count = ret->lease_count;
    for (int i = 0; i < ret->lease_count; i++) {
        w->jobs[i] = ret->leases[i];
        w->leases[i] = m->jobs[ret->leases[i]].lease;
    }
}

static void claim(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    double per_second = model_limit(m, CONF_RATE), burst = model_limit(m, CONF_BURST);
    int want = op->want;

    if (burst <= 0)
        burst = per_second > 1 ? per_second : 1;
    model_run_timers(m);
    want = want < room(m) ? want : room(m);
    double left = model_tokens(m, &m->queue_bucket, per_second, burst);
    if (per_second > 0 && want > (int)floor(left))
        want = (int)floor(left);
    int taken = take(m, op, want, ret);
    if (per_second > 0 && taken > 0) {
        left -= taken;
        model_keep_tokens(m, &m->queue_bucket, left);
    }
    remember(m, op, ret);
    look(m, ret);
    bool dry = per_second > 0 && left < 1;
    ret->more = model_first_ready(m) && room(m) > 0 && !dry;
    ret->no_more =
        m->conf[CONF_PAUSED] || !model_first_ready(m) || (op->want > 0 && taken == 0);
    if (model_first_ready(m) && room(m) > 0 && dry)
        at_most(&ret->next_at_most, model_ms_until_token(left, per_second));
}

/* A new turn of a worker. */
static void begin_turn(struct model *m, const struct model_op *op)
{
    struct model_worker *w = &m->workers[op->worker];

    w->has_last = true;
    w->last = *op;
    w->turn++;
}

void model_claim(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    begin_turn(m, op);
    if (op->pops)
        m->news = false;
    claim(m, op, ret);
}

/* --- finish, and the same again --- */

static bool is_mine(const struct model *m, const struct model_op *op, int job)
{
    const struct model_job *j = &m->jobs[job];

    return model_is_leased(j) && j->worker == op->worker &&
           j->life == m->workers[op->worker].life && j->told;
}

static void end(struct model *m, struct model_job *j, bool cancelled)
{
    j->attempts += j->place == MODEL_BEGUN;
    j->place = cancelled ? MODEL_CANCELLED : MODEL_DONE;
    j->cancel = false;
    j->at = m->now;
    j->in_done = true;
    if (cancelled)
        m->cancelled++;
    else
        m->done++;
}

static void finish(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    bool mine[MODEL_ITEMS];

    ret->count = op->count;
    for (int i = 0; i < op->count; i++) {
        mine[i] = is_mine(m, op, op->jobs[i]);
        ret->answers[i] = mine[i] ? QUEUE_OK : QUEUE_LOST;
        if (mine[i])
            end(m, &m->jobs[op->jobs[i]], op->number >> i & 1);
    }
    for (int i = 0; i < op->count; i++) {
        if (!mine[i])
            continue;
        model_trim_done(m, MODEL_KEEP_MS, MODEL_KEEP_COUNT);
        model_settle(m, &m->jobs[op->jobs[i]]);
    }
    claim(m, op, ret);
}

void model_finish(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    begin_turn(m, op);
    finish(m, op, ret);
}

void model_repeat(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    struct model_worker *w = &m->workers[op->worker];

    ret->skipped = !w->has_last;
    if (ret->skipped)
        return;
    struct model_op again = w->last;
    again.lost = op->lost;
    if (!w->remembered || w->remembered_turn != w->turn) {
        if (again.kind == MODEL_FINISH)
            finish(m, &again, ret);
        else
            claim(m, &again, ret);
        return;
    }
    ret->recalled = true;
    ret->count = w->said_count;
    memcpy(ret->answers, w->said, sizeof w->said);
    for (int i = 0; i < w->lease_count; i++) {
        struct model_job *j = &m->jobs[w->jobs[i]];
        if (j->place != MODEL_CLAIMED || j->lease != w->leases[i])
            continue;
        ret->leases[ret->lease_count++] = w->jobs[i];
        j->told |= !op->lost;
    }
    look(m, ret);
}
