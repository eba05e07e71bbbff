#include "shared/reconcile.h"

#include "shared/clock.h"
#include "shared/queue.h"

#include <stdlib.h>
#include <string.h>

enum { SWEEP_MAX = 1000, RUN_MAX = 65536 /* ids that are sorted at a time */ };

/* What one pass works with; on the heap for its size. */
struct pass {
    struct spool *spool;
    struct redis *redis;
    const struct reconcile_options *options;
    struct reconcile_stats stats;

    struct job_id *run; /* manifests of one run, the oldest first: owned */
    size_t run_count, run_capacity, run_next;
    struct job_id ids[QUEUE_BATCH_MAX]; /* one batch of them */
    size_t id_count;
    struct redis_cmd cmds[QUEUE_BATCH_MAX]; /* one pipeline, and its replies */
    struct redis_value *replies[QUEUE_BATCH_MAX];
    size_t cmd_count;
};

DEFINE_CLEANUP(struct spool_scan *, scan_close, spool_scan_close)

static void drop_pipeline(struct pass *p)
{
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++) {
        redis_reply_free(p->replies[i]);
        p->replies[i] = NULL;
        redis_cmd_clear(&p->cmds[i]);
    }
    p->cmd_count = 0;
}

static enum err_code send_pipeline(struct pass *p, struct err *e)
{
    if (p->cmd_count == 0)
        return ERR_OK;
    return redis_pipeline(p->redis, p->cmds, p->cmd_count, p->replies, e);
}

/* Remember the first job that could not be dealt with. */
static void note_bad(struct pass *p, const struct job_id *id, const struct err *why)
{
    if (p->stats.damaged + p->stats.failed > 0)
        return;
    p->stats.bad_id = *id;
    p->stats.bad_why = *why;
}

/* What the reply to the command for this job means to the pass: a refusal of this one key is counted, all else ends it. */
static enum err_code check_reply(struct pass *p, const struct redis_value *reply,
                                 const struct job_id *id, bool *ret_usable,
                                 struct err *e)
{
    enum err_code code = redis_value_error(reply, e);

    *ret_usable = code == ERR_OK;
    if (code != ERR_REJECT)
        return code;
    note_bad(p, id, e);
    p->stats.damaged++;
    return ERR_OK;
}

/* --- The steps of a batch --- */

/* Ask for the state of every job of the batch. */
static enum err_code ask_states(struct pass *p, struct err *e)
{
    for (size_t i = 0; i < p->id_count; i++) {
        struct redis_cmd *c = &p->cmds[p->cmd_count++];
        redis_cmd_begin(c, "HGET");
        queue_add_job_key(c, &p->ids[i]);
        redis_cmd_add_str(c, "state");
    }
    return send_pipeline(p, e);
}

static bool is_ended(const struct redis_value *reply)
{
    enum job_state state;
    size_t len;
    const char *word = redis_value_str(reply, &len);

    return job_state_parse(word, len, &state) &&
           (state == JOB_DONE || state == JOB_CANCELLED);
}

/* Remove the files of ended jobs; keep in ids those that Redis does not know. */
static enum err_code act_on_states(struct pass *p, struct err *e)
{
    size_t unknown = 0;

    for (size_t i = 0; i < p->id_count; i++) {
        struct err why = ERR_INIT;
        bool usable;
        if (check_reply(p, p->replies[i], &p->ids[i], &usable, e))
            return e->code;
        if (usable && redis_value_type(p->replies[i]) == REDIS_NIL) {
            p->ids[unknown++] = p->ids[i];
        } else if (usable && is_ended(p->replies[i])) {
            if (spool_remove(p->spool, &p->ids[i], &why) == ERR_OK) {
                p->stats.removed++;
            } else {
                note_bad(p, &p->ids[i], &why);
                p->stats.failed++;
            }
        }
    }
    p->id_count = unknown;
    return ERR_OK;
}

/* Put the enqueue of each unknown job into the pipeline; keep in ids those that are there, in the same order. */
static void build_enqueues(struct pass *p)
{
    size_t readable = 0;

    for (size_t i = 0; i < p->id_count; i++) {
        CLEANUP(job_release) struct job j = JOB_INIT;
        struct err why = ERR_INIT;
        bool missing = false;
        enum err_code code =
            spool_read_manifest(p->spool, &p->ids[i], &j, &missing, &why);
        if (code == ERR_REJECT && missing)
            continue; /* ended and removed a moment ago */
        if (code != ERR_OK) {
            note_bad(p, &p->ids[i], &why);
            p->stats.damaged += code == ERR_REJECT;
            p->stats.failed += code != ERR_REJECT;
            continue;
        }
        queue_enqueue_one_cmd(&p->cmds[p->cmd_count++], &j);
        p->ids[readable++] = p->ids[i];
    }
    p->id_count = readable;
}

static enum err_code read_enqueue_replies(struct pass *p, struct err *e)
{
    for (size_t i = 0; i < p->cmd_count; i++) {
        enum queue_answer answer = QUEUE_BAD;
        bool usable;
        if (check_reply(p, p->replies[i], &p->ids[i], &usable, e))
            return e->code;
        if (!usable)
            continue;
        if (queue_parse_answer(redis_value_at(p->replies[i], 0), &answer, NULL, e))
            return e->code;
        p->stats.enqueued += answer == QUEUE_OK;
        if (answer == QUEUE_BAD) {
            struct err why = ERR_INIT;
            (void)err_set(&why, ERR_REJECT, "Redis holds no record of a job there");
            note_bad(p, &p->ids[i], &why);
            p->stats.damaged++;
        }
    }
    return ERR_OK;
}

/* hoist:queues lies outside the slot of any queue, so that the script cannot do it. */
static void build_registrations(struct pass *p)
{
    for (size_t i = 0; i < p->id_count; i++) {
        bool met = false;
        for (size_t k = 0; k < i && !met; k++)
            met = strcmp(p->ids[k].queue, p->ids[i].queue) == 0;
        if (!met)
            queue_register_queue_cmd(&p->cmds[p->cmd_count++], p->ids[i].queue);
    }
}

static enum err_code read_registration_replies(struct pass *p, struct err *e)
{
    for (size_t i = 0; i < p->cmd_count; i++) {
        bool usable; /* hoist:queues may be of another type: no matter of one queue */
        if (check_reply(p, p->replies[i], &p->ids[0], &usable, e))
            return e->code;
    }
    return ERR_OK;
}

static enum err_code enqueue_unknown(struct pass *p, struct err *e)
{
    drop_pipeline(p);
    build_registrations(p);
    if (send_pipeline(p, e) || read_registration_replies(p, e))
        return e->code;
    drop_pipeline(p);
    build_enqueues(p);
    if (send_pipeline(p, e))
        return e->code;
    return read_enqueue_replies(p, e);
}

/* --- The pass --- */

static bool is_stopped(const struct pass *p)
{
    return p->options->stop && atomic_load(p->options->stop);
}

static bool has_room(struct pass *p)
{
    if (p->run_count < p->run_capacity)
        return true;
    size_t capacity = p->run_capacity ? 2 * p->run_capacity : QUEUE_BATCH_MAX;
    struct job_id *run = reallocarray(p->run, capacity, sizeof *run);
    if (!run)
        return false;
    p->run = run;
    p->run_capacity = capacity;
    return true;
}

static int by_age(const void *a, const void *b)
{
    const struct job_id *x = a, *y = b;

    return strcmp(x->uuid.text, y->uuid.text);
}

/* Collect manifests that are old enough, and sort them: parents come before their children, and a group in its order. */
static void next_run(struct pass *p, struct spool_scan *scan)
{
    int64_t before_ms = clock_wall_ms() - p->options->min_age_ms;
    struct job_id id;

    p->run_count = p->run_next = 0;
    /* Without memory for more it is a shorter run. */
    while (p->run_count < RUN_MAX && has_room(p) && spool_scan_next(scan, &id)) {
        p->stats.scanned++;
        if (id_uuid_ms(id.uuid.text) <= before_ms)
            p->run[p->run_count++] = id;
    }
    if (p->run_count > 0)
        qsort(p->run, p->run_count, sizeof *p->run, by_age);
}

static void next_batch(struct pass *p, struct spool_scan *scan)
{
    if (p->run_next == p->run_count)
        next_run(p, scan);
    size_t left = p->run_count - p->run_next;
    p->id_count = left < QUEUE_BATCH_MAX ? left : QUEUE_BATCH_MAX;
    if (p->id_count > 0)
        memcpy(p->ids, p->run + p->run_next, p->id_count * sizeof p->ids[0]);
    p->run_next += p->id_count;
}

static enum err_code run_batches(struct pass *p, struct err *e)
{
    CLEANUP(scan_close) struct spool_scan *scan = NULL;

    if (spool_scan_open(p->spool, &scan, e))
        return e->code;
    while (!is_stopped(p)) {
        next_batch(p, scan);
        if (p->id_count == 0)
            return spool_scan_error(scan, e);
        drop_pipeline(p);
        if (ask_states(p, e) || act_on_states(p, e))
            return e->code;
        if (p->id_count > 0 && !is_stopped(p) && enqueue_unknown(p, e))
            return e->code;
    }
    return ERR_OK;
}

enum err_code reconcile_run(struct spool *s, struct redis *r,
                            const struct reconcile_options *o,
                            struct reconcile_stats *ret_stats, struct err *e)
{
    struct pass *p = calloc(1, sizeof *p);

    *ret_stats = (struct reconcile_stats){.bad_why = ERR_INIT};
    if (!p)
        return err_set(e, ERR_NOMEM, "reconcile: no memory");
    p->spool = s;
    p->redis = r;
    p->options = o;
    p->stats = *ret_stats;
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        redis_cmd_init(&p->cmds[i]);
    enum err_code code = run_batches(p, e);
    if (code == ERR_OK && !is_stopped(p))
        p->stats.swept = spool_sweep(s, o->sweep_age_ms, SWEEP_MAX);
    *ret_stats = p->stats;
    drop_pipeline(p);
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        redis_cmd_release(&p->cmds[i]);
    free(p->run);
    free(p);
    return code == ERR_OK ? ERR_OK : err_prefix(e, "reconcile");
}
