#include "tests/integration/queue_model_internal.h"

#include <string.h>

const char *const model_groups[MODEL_GROUPS] = {"g", "g.a", "g1"};
const char *const model_keys[MODEL_KEYS] = {"k", "k:1", "batch:k"};

const char *const model_conf_names[CONF_FIELDS] = {
    [CONF_PAUSED] = "paused",
    [CONF_INFLIGHT] = "max_inflight",
    [CONF_LENGTH] = "max_length",
    [CONF_BYTES] = "max_bytes",
    [CONF_RATE] = "rate",
    [CONF_BURST] = "burst",
    [CONF_GROUP_INFLIGHT] = "group_max_inflight",
    [CONF_GROUP_INFLIGHT_0] = "group_max_inflight:g",
    [CONF_GROUP_RATE] = "group_rate",
    [CONF_GROUP_BURST] = "group_burst",
    [CONF_TAIL] = "retry_place",
};

const char *model_conf_text(enum model_conf field, int value)
{
    static const char *const texts[CONF_FIELDS][2] = {
        [CONF_PAUSED] = {"1", "yes"},       [CONF_INFLIGHT] = {"2", "4"},
        [CONF_LENGTH] = {"6", "15"},        [CONF_BYTES] = {"9000", "30000"},
        [CONF_RATE] = {"2", "0.5"},         [CONF_BURST] = {"3", "1"},
        [CONF_GROUP_INFLIGHT] = {"2", "3"}, [CONF_GROUP_INFLIGHT_0] = {"3", "1"},
        [CONF_GROUP_RATE] = {"1", "4"},     [CONF_GROUP_BURST] = {"2", "1"},
        [CONF_TAIL] = {"tail", "place"},
    };

    return value == 0 ? NULL : texts[field][value - 1];
}

void model_init(struct model *m)
{
    memset(m, 0, sizeof *m);
    m->now = INT64_C(1800000000000);
    for (int i = 0; i < MODEL_KEYS; i++)
        m->holder[i] = -1;
}

bool model_resolve(const struct model *m, struct model_op *op)
{
    int n = 0;

    if (op->kind != MODEL_ENQUEUE)
        return true;
    for (int i = 0; i < op->count; i++) {
        const struct model_job *j = &m->jobs[op->specs[i].job];
        if (j->place == MODEL_NOWHERE || j->has_record)
            op->specs[n++] = op->specs[i];
    }
    op->count = n;
    return n > 0;
}

/* --- What a worker says of a job it has --- */

/* NULL: the lease is another's. */
static struct model_job *mine(struct model *m, const struct model_op *op, int i)
{
    struct model_job *j = &m->jobs[op->jobs[i]];
    const struct model_worker *w = &m->workers[op->worker];
    bool is =
        model_is_leased(j) && j->worker == op->worker && j->life == w->life && j->told;

    return is ? j : NULL;
}

static void start(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    ret->count = op->count;
    for (int i = 0; i < op->count; i++) {
        struct model_job *j = mine(m, op, i);
        ret->answers[i] = !j ? QUEUE_LOST : j->cancel ? QUEUE_CANCELLED : QUEUE_OK;
        if (!j || j->place == MODEL_BEGUN)
            continue;
        j->place = MODEL_BEGUN;
        j->began = m->now;
        m->started++;
    }
}

static void begun_key(struct model *m, const struct model_op *op,
                      struct model_reply *ret)
{
    struct model_job *j = mine(m, op, 0);

    ret->answers[0] = j ? QUEUE_OK : QUEUE_LOST;
    if (j)
        model_unlock(m, j, 0);
}

static void beat(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    ret->count = op->count;
    for (int i = 0; i < op->count; i++) {
        struct model_job *j = mine(m, op, i);
        ret->answers[i] = !j ? QUEUE_LOST : j->cancel ? QUEUE_CANCELLED : QUEUE_OK;
        if (!j)
            continue;
        j->at = m->now + MODEL_LEASE_MS;
        j->says_running |= j->place == MODEL_BEGUN;
    }
}

static void fail(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    struct model_job *j = mine(m, op, 0);

    ret->answers[0] = QUEUE_LOST;
    if (!j)
        return;
    m->failed++;
    j->attempts += j->place == MODEL_BEGUN;
    if (j->cancel) {
        ret->answers[0] = QUEUE_CANCELLED;
        model_call_off(m, j);
    } else if (op->ms < 0 || j->attempts >= MODEL_ATTEMPTS) {
        ret->answers[0] = QUEUE_CONFLICT;
        model_bury(m, j);
    } else {
        ret->answers[0] = QUEUE_OK;
        j->due = m->now + op->ms;
        j->says_scheduled = true;
        j->says_running = false;
        m->retried++;
        model_schedule(m, j, j->due);
    }
}

static void release(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    struct model_job *j = mine(m, op, 0);

    ret->answers[0] = j ? QUEUE_OK : QUEUE_LOST;
    if (!j)
        return;
    if (op->ms == 0) {
        model_place(m, j);
        return;
    }
    j->due = m->now + op->ms;
    j->says_scheduled = true;
    j->says_running = false;
    model_schedule(m, j, j->due);
}

/* --- What anybody does --- */

static void promote(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    struct model_job *j = &m->jobs[op->jobs[0]];
    bool hurried = op->value == 1;

    ret->answers[0] = hurried && j->place != MODEL_NOWHERE && j->has_record
                          ? QUEUE_CONFLICT
                          : QUEUE_MISSING;
    if (j->place != MODEL_LATER || (j->at > m->now && !hurried))
        return;
    ret->answers[0] = QUEUE_OK;
    if (j->parent_failed && !j->spec.run_anyway) {
        ret->answers[0] = QUEUE_CONFLICT;
        model_call_off(m, j);
        return;
    }
    j->parent_failed = false;
    if (hurried)
        j->due = m->now;
    if (!j->says_scheduled && j->due > m->now) {
        j->says_scheduled = true;
        j->place = MODEL_NOWHERE; /* while its new time is compared with the others' */
        model_schedule(m, j, j->due);
        return;
    }
    if (j->attempts > 0 && m->conf[CONF_TAIL] == 1)
        j->seq = ++m->seq;
    model_place(m, j);
}

static void reap(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    struct model_job *j = &m->jobs[op->jobs[0]];
    bool began = j->place == MODEL_BEGUN;

    ret->answers[0] = QUEUE_MISSING;
    if (!model_is_leased(j) || j->at > m->now)
        return;
    j->crashes += began;
    j->attempts += began;
    m->crashed += began;
    ret->answers[0] = QUEUE_CONFLICT;
    if (j->cancel) {
        model_call_off(m, j);
    } else if (began &&
               (j->crashes >= MODEL_CRASHES || j->attempts >= MODEL_ATTEMPTS)) {
        model_bury(m, j);
    } else {
        ret->answers[0] = QUEUE_OK;
        model_place(m, j);
    }
}

static void cancel(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    struct model_job *j = &m->jobs[op->jobs[0]];

    if (j->place == MODEL_NOWHERE || !j->has_record) {
        ret->answers[0] = QUEUE_MISSING;
    } else if (model_is_leased(j)) {
        ret->answers[0] = QUEUE_RUNNING;
        j->cancel = true;
    } else if (j->place == MODEL_DONE || j->place == MODEL_CANCELLED) {
        ret->answers[0] = QUEUE_CONFLICT;
    } else {
        ret->answers[0] = QUEUE_OK;
        model_call_off(m, j);
    }
}

/* What retry and again have in common: a job of this place, a number of its batch. */
static void revive(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    struct model_job *j = &m->jobs[op->jobs[0]];
    bool again = op->kind == MODEL_AGAIN;
    int key = j->spec.key;

    ret->answers[0] = QUEUE_MISSING;
    if (j->place == MODEL_NOWHERE || !j->has_record)
        return;
    ret->answers[0] = QUEUE_CONFLICT;
    if (j->place != (again ? MODEL_DONE : MODEL_DEAD) ||
        (key >= 0 && model_holder(m, key, j->spec.job) >= 0))
        return;
    ret->answers[0] = QUEUE_OK;
    j->attempts = j->crashes = 0;
    if (key >= 0) {
        m->holder[key] = j->spec.job;
        m->window[key] = 0;
    }
    if (j->spec.batch >= 0) {
        struct model_batch *b = &m->batches[j->spec.batch];
        model_count_in_batch(m, j->spec.batch, again ? &b->done : &b->dead, -1);
    }
    model_check_batch(m, j->spec.batch);
    m->enqueued += again;
    m->bytes += j->spec.bytes;
    j->in_done = false;
    model_place(m, j);
}

static void reprioritize(struct model *m, const struct model_op *op,
                         struct model_reply *ret)
{
    struct model_job *j = &m->jobs[op->jobs[0]];

    ret->answers[0] = QUEUE_OK;
    if (j->place == MODEL_NOWHERE || !j->has_record)
        ret->answers[0] = QUEUE_MISSING;
    else if (j->place == MODEL_DONE || j->place == MODEL_CANCELLED)
        ret->answers[0] = QUEUE_CONFLICT;
    else
        j->spec.priority = op->number;
}

static void batch(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    struct model_batch *b = &m->batches[op->number];

    ret->answers[0] = QUEUE_OK;
    if (op->value == 0 && !b->known)
        ret->answers[0] = QUEUE_MISSING;
    else if (op->value == 0) {
        model_count_in_batch(m, op->number, &b->open, -1);
        model_check_batch(m, op->number);
    } else if (!b->known)
        *b = (struct model_batch){
            .known = true, .open = 1, .forget_at = m->now + 7 * (int64_t)MODEL_DAY_MS};
}

/* --- What no script does --- */

static void configure(struct model *m, const struct model_op *op,
                      struct model_reply *ret)
{
    (void)ret;
    m->conf[op->number] = op->value;
}

static void step(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    (void)ret;
    m->now += op->ms;
}

static void crash(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    int life = m->workers[op->worker].life + 1;

    (void)ret;
    m->workers[op->worker] = (struct model_worker){.life = life};
}

static void expire(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    struct model_job *j = &m->jobs[op->jobs[0]];

    ret->skipped = j->place != MODEL_DONE && j->place != MODEL_CANCELLED;
    if (!ret->skipped)
        j->has_record = false;
}

void model_apply(struct model *m, const struct model_op *op, struct model_reply *ret)
{
    static void (*const kinds[MODEL_KINDS])(struct model *, const struct model_op *,
                                            struct model_reply *) = {
        [MODEL_ENQUEUE] = model_enqueue,
        [MODEL_CLAIM] = model_claim,
        [MODEL_FINISH] = model_finish,
        [MODEL_REPEAT] = model_repeat,
        [MODEL_START] = start,
        [MODEL_BEGUN_KEY] = begun_key,
        [MODEL_BEAT] = beat,
        [MODEL_FAIL] = fail,
        [MODEL_RELEASE] = release,
        [MODEL_PROMOTE] = promote,
        [MODEL_REAP] = reap,
        [MODEL_CANCEL] = cancel,
        [MODEL_RETRY] = revive,
        [MODEL_AGAIN] = revive,
        [MODEL_REPRIORITIZE] = reprioritize,
        [MODEL_CONFIGURE] = configure,
        [MODEL_BATCH] = batch,
        [MODEL_STEP] = step,
        [MODEL_CRASH] = crash,
        [MODEL_EXPIRE] = expire,
    };

    memset(ret, 0, sizeof *ret);
    ret->count = 1;
    if (op->kind == MODEL_CLAIM || op->kind == MODEL_REPEAT)
        ret->count = 0;
    kinds[op->kind](m, op, ret);
}
