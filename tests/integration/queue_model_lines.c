#include "tests/integration/queue_model_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool model_is_leased(const struct model_job *j)
{
    return j->place == MODEL_CLAIMED || j->place == MODEL_BEGUN;
}

bool model_has_ended(const struct model_job *j)
{
    return j->place >= MODEL_DEAD;
}

bool model_is_alive(const struct model_job *j)
{
    return j->place != MODEL_NOWHERE && !model_has_ended(j);
}

double model_limit(const struct model *m, enum model_conf field)
{
    const char *text = model_conf_text(field, m->conf[field]);

    return text ? strtod(text, NULL) : 0;
}

/* --- Buckets --- */

double model_tokens(const struct model *m, const struct model_bucket *b,
                    double per_second, double burst)
{
    if (!b->known)
        return burst;
    double gained = (double)(m->now - b->at) * per_second / 1000;
    return b->left + gained < burst ? b->left + gained : burst;
}

void model_keep_tokens(struct model *m, struct model_bucket *b, double left)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%.3f", left);
    b->known = true;
    b->left = strtod(text, NULL);
    b->at = m->now;
    b->forget_at = m->now + MODEL_DAY_MS;
}

int64_t model_ms_until_token(double left, double per_second)
{
    int64_t ms = (int64_t)ceil((1 - left) * 1000 / per_second);

    return ms > 1 ? ms : 1;
}

/* --- Groups --- */

static bool is_before(const struct model_job *a, const struct model_job *b)
{
    if (a->spec.priority != b->spec.priority)
        return a->spec.priority < b->spec.priority;
    int64_t a_seq = a->place == MODEL_READY ? a->place_seq : a->seq;
    int64_t b_seq = b->place == MODEL_READY ? b->place_seq : b->seq;
    return a_seq < b_seq;
}

static struct model_job *first_of(struct model *m, enum model_place place, int group)
{
    struct model_job *first = NULL;

    for (int i = 0; i < m->job_count; i++) {
        struct model_job *j = &m->jobs[i];
        if (j->place == place && (group < 0 || j->spec.group == group) &&
            (!first || is_before(j, first)))
            first = j;
    }
    return first;
}

struct model_job *model_first_ready(struct model *m)
{
    return first_of(m, MODEL_READY, -1);
}

static int slots_of(const struct model *m, int group)
{
    double own = group == 0 ? model_limit(m, CONF_GROUP_INFLIGHT_0) : 0;
    double all = model_limit(m, CONF_GROUP_INFLIGHT);

    return own >= 1 ? (int)own : own <= 0 && all >= 1 ? (int)all : 1;
}

void model_admit(struct model *m, int group)
{
    double per_second = model_limit(m, CONF_GROUP_RATE);
    double burst = model_limit(m, CONF_GROUP_BURST);
    struct model_bucket *b = &m->group_buckets[group];

    if (burst <= 0)
        burst = per_second > 1 ? per_second : 1;
    while (m->slots[group] < slots_of(m, group)) {
        struct model_job *j = first_of(m, MODEL_GROUPED, group);
        if (!j)
            return;
        if (per_second > 0) {
            double left = model_tokens(m, b, per_second, burst);
            if (left < 1) {
                m->group_timer[group] = m->now + model_ms_until_token(left, per_second);
                return;
            }
            model_keep_tokens(m, b, left - 1);
        }
        m->slots[group]++;
        j->has_slot = true;
        j->place = MODEL_READY;
        j->place_seq = ++m->seq;
    }
}

void model_place(struct model *m, struct model_job *j)
{
    j->says_running = j->says_scheduled = false;
    if (j->spec.group >= 0 && !j->has_slot) {
        j->place = MODEL_GROUPED;
        model_admit(m, j->spec.group);
        if (m->sweep_at == 0)
            m->sweep_at = m->now + MODEL_SWEEP_MS;
    } else {
        j->place = MODEL_READY;
        j->place_seq = j->seq;
    }
}

void model_schedule(struct model *m, struct model_job *j, int64_t at)
{
    int64_t first = INT64_MAX;

    for (int i = 0; i < m->job_count; i++)
        if (m->jobs[i].place == MODEL_LATER && m->jobs[i].at < first)
            first = m->jobs[i].at;
    m->news |= at < first;
    j->place = MODEL_LATER;
    j->at = at;
}

/* --- What is tied to a job --- */

int model_holder(const struct model *m, int key, int job)
{
    int other = m->holder[key];

    if (other < 0 || other == job)
        return -1;
    return m->window[key] > m->now || model_is_alive(&m->jobs[other]) ? other : -1;
}

void model_unlock(struct model *m, struct model_job *j, int64_t window_ms)
{
    int key = j->spec.key;

    if (key < 0 || m->holder[key] != j->spec.job)
        return;
    if (window_ms > 0)
        m->window[key] = m->now + window_ms;
    else
        m->holder[key] = -1;
}

void model_count_in_batch(struct model *m, int batch, int64_t *number, int64_t by)
{
    struct model_batch *b = &m->batches[batch];

    b->known = true;
    b->told &= number != &b->total; /* one that comes later makes it end again */
    *number = *number + by > 0 ? *number + by : 0;
}

void model_check_batch(struct model *m, int batch)
{
    struct model_batch *b = batch >= 0 ? &m->batches[batch] : NULL;

    if (!b || !b->known)
        return;
    b->told |= b->open == 0 && b->done + b->dead + b->cancelled >= b->total;
    b->forget_at = m->now + 7 * (int64_t)MODEL_DAY_MS;
}

static void release_children(struct model *m, const struct model_job *parent)
{
    for (int i = 0; i < m->job_count; i++) {
        struct model_job *child = &m->jobs[i];
        if (child->place != MODEL_BEHIND || child->spec.parent != parent->spec.job)
            continue;
        child->parent_failed = parent->place != MODEL_DONE;
        model_schedule(m, child, m->now);
    }
}

void model_settle(struct model *m, struct model_job *j)
{
    struct model_batch *b = j->spec.batch >= 0 ? &m->batches[j->spec.batch] : NULL;

    if (j->has_slot) {
        j->has_slot = false;
        m->slots[j->spec.group]--;
        model_admit(m, j->spec.group);
    }
    release_children(m, j);
    model_unlock(m, j, j->place == MODEL_DONE ? j->spec.unique_ms : 0);
    if (b)
        model_count_in_batch(m, j->spec.batch,
                             j->place == MODEL_DONE   ? &b->done
                             : j->place == MODEL_DEAD ? &b->dead
                                                      : &b->cancelled,
                             1);
    model_check_batch(m, j->spec.batch);
    m->bytes -= j->spec.bytes;
}

/* --- Ends --- */

/* The oldest of those in done; by id where they are of the same ms. */
static struct model_job *oldest_done(struct model *m, int *ret_count)
{
    struct model_job *oldest = NULL;

    *ret_count = 0;
    for (int i = 0; i < m->job_count; i++) {
        struct model_job *j = &m->jobs[i];
        if (!j->in_done)
            continue;
        ++*ret_count;
        if (!oldest || j->at < oldest->at)
            oldest = j;
    }
    return oldest;
}

void model_trim_done(struct model *m, int64_t keep_ms, int keep_count)
{
    int count;

    for (int i = 0; i < m->job_count; i++)
        if (m->jobs[i].in_done && m->jobs[i].at <= m->now - keep_ms)
            m->jobs[i].in_done = false;
    for (;;) {
        struct model_job *j = oldest_done(m, &count);
        if (keep_count < 0 || count <= keep_count)
            return;
        j->in_done = false;
    }
}

void model_call_off(struct model *m, struct model_job *j)
{
    bool was_dead = j->place == MODEL_DEAD;

    j->place = MODEL_CANCELLED;
    j->cancel = j->parent_failed = false;
    j->at = m->now;
    j->in_done = true;
    if (!was_dead) {
        model_settle(m, j);
    } else if (j->spec.batch >= 0) {
        struct model_batch *b = &m->batches[j->spec.batch];
        model_count_in_batch(m, j->spec.batch, &b->dead, -1);
        model_count_in_batch(m, j->spec.batch, &b->cancelled, 1);
        model_check_batch(m, j->spec.batch);
    }
    m->cancelled++;
}

void model_bury(struct model *m, struct model_job *j)
{
    j->place = MODEL_DEAD;
    j->cancel = false;
    j->at = m->now;
    m->dead++;
    model_settle(m, j);
}
