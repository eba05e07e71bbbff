/*
 * reconcile_internal: one pass, shared by the files that do it.
 *
 *     reconcile.c          walks the manifests, the oldest first, batch by batch
 *     reconcile_batch.c    what is asked of Redis about a batch, and what follows
 *     reconcile_enqueue.c  the jobs Redis does not know, many in one call
 *     reconcile_keys.c     idempotency keys
 */
#ifndef HOIST_SHARED_RECONCILE_INTERNAL_H
#define HOIST_SHARED_RECONCILE_INTERNAL_H

#include "shared/queue.h"
#include "shared/reconcile.h"

/* What one pass works with; on the heap for its size. */
struct pass {
    struct spool *spool;
    struct redis *redis;
    const struct reconcile_options *options;
    struct reconcile_stats stats;
    int64_t
        redis_ms; /* Redis' clock when the first job was met that is done; 0: not yet */

    struct job_id *run; /* manifests of one run, the oldest first: owned */
    size_t run_count, run_capacity, run_next, run_max;
    bool run_is_cut;                    /* there are more, behind its last */
    bool has_run;                       /* there was one before, which ended with ... */
    struct job_id run_last;             /* ... this one */
    struct job_id ids[QUEUE_BATCH_MAX]; /* one batch of them */
    size_t id_count;
    struct job_id done[QUEUE_BATCH_MAX]; /* those of them that are */
    size_t done_count;
    struct redis_cmd cmds[QUEUE_BATCH_MAX]; /* one pipeline, and its replies */
    struct redis_value *replies[QUEUE_BATCH_MAX];
    size_t cmd_count;

    struct reconcile_group {
        size_t first, count;
    } groups[QUEUE_BATCH_MAX]; /* of ids; one for each enqueue in the pipeline */
    struct queue_entry entries[QUEUE_BATCH_MAX]; /* of the ids */
    char registered[ID_QUEUE_MAX + 1];           /* the queue that was told last */
    uint64_t random;
};

bool reconcile_is_stopped(const struct pass *p);
void reconcile_drop_pipeline(struct pass *p);
/* Tell of one act on a job. */
void reconcile_note(struct pass *p, enum reconcile_act act, const struct job_id *id,
                    const struct err *why);
/* Count a job that could not be dealt with, and remember the first. */
void reconcile_note_bad(struct pass *p, enum reconcile_act act, const struct job_id *id,
                        const struct err *why);
MUST_CHECK enum err_code reconcile_send(struct pass *p, struct err *e);
/* What the reply to the command for this job means to the pass: a refusal of this one key is counted, all else ends it. */
MUST_CHECK enum err_code reconcile_check(struct pass *p,
                                         const struct redis_value *reply,
                                         const struct job_id *id, bool *ret_usable,
                                         struct err *e);
/* Enqueue the jobs in ids, which Redis does not know. */
MUST_CHECK enum err_code reconcile_enqueue(struct pass *p, struct err *e);
/* Drop idempotency keys that nobody needs. */
MUST_CHECK enum err_code reconcile_keys(struct pass *p, struct err *e);
/* Deal with the batch in ids. */
MUST_CHECK enum err_code reconcile_batch(struct pass *p, struct err *e);

#endif
