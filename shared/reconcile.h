/*
 * reconcile: compare the spool with Redis and repair, see the state table in spool.h.
 *
 *     for each manifest in jobs/:   no job in Redis    -> enqueue it (same id; idempotent)
 *                                   job cancelled      -> unlink manifest and data
 *                                   job done           -> handed out: its object is to be looked at first
 *                                   job live or dead   -> leave it
 *     sweep debris
 *     idempotency keys that are old enough, and none of whose jobs anybody knows -> dropped: a few of the directories of
 *         keys/ in each pass (spool_keys.h), in turn
 *
 * A pass knows nothing of destinations: jobs that are done, and whose files are still there, are handed out, a bounded
 * number a pass, and whoever runs it looks at their objects (worker/queue/looks.h): there -> unlink; gone -> the job runs again
 * from its bytes (queue_again_cmd); cannot be told -> left.  One that was done less than settle_ms ago is left alone: its
 * worker is about to unlink (one that will only have been done, by a clock that was ahead, is not).  With looks_after each pass goes on where the one before ended, so that those that stay do not
 * keep others from their turn.
 *
 * Jobs are met the oldest first, so that parents come before their children, and a group in its order.  Of more than run_max
 * the oldest run_max are sorted, then jobs/ is listed again for those behind them.
 *
 * Bounded: constant memory, pipelines of at most QUEUE_BATCH_MAX commands.  Any number of processes may
 * run it at the same time, without a leader: each step is idempotent and checked again where it acts.  A manifest
 * younger than min_age_ms is left to the publisher that wrote it.  The age counts from the begin of the upload, so that one
 * which took longer may be met here just after its commit: its job is then enqueued by both, once.  One that by its id is
 * yet to come, from a clock that was ahead, is not young.
 */
#ifndef HOIST_SHARED_RECONCILE_H
#define HOIST_SHARED_RECONCILE_H

#include "shared/err.h"
#include "shared/redis.h"
#include "shared/spool.h"

#include <stdatomic.h>
#include <stdint.h>

enum { RECONCILE_KEY_DIRS = 16 /* directories of keys/ in a pass */ };

/* A job that is done, by Redis. */
struct reconcile_look {
    struct job_id id;
    int64_t ended; /* ms, as its record says; 0: it does not */
};

/* What was done, or with dry_run would be. */
enum reconcile_act {
    RECONCILE_ENQUEUE,
    RECONCILE_REMOVE,
    RECONCILE_SWEEP,   /* a file, the others are jobs */
    RECONCILE_DAMAGED, /* left to people */
    RECONCILE_FAILED   /* could not be read or removed: the next pass tries again */
};

struct reconcile_options {
    int64_t
        min_age_ms; /* default 2,000; since the upload began, as the id tells, not since it was committed */
    int64_t
        sweep_age_ms; /* default 2 minutes; in tmp/, of files nobody holds (spool_sweep_files); in jobs/ never less than a day */
    int64_t settle_ms;            /* default 15,000: longer than a lease */
    struct reconcile_look *looks; /* the caller's, looks_max of them; NULL: none */
    size_t looks_max;
    struct uuid looks_after; /* only jobs with a greater one; "": all */
    size_t run_max;          /* see above; 0: 65,536 */
    int64_t
        key_age_ms; /* an idempotency key is kept for so long at least; 0: all are, and where dry_run */
    unsigned key_dir; /* where the pass begins among SPOOL_KEYS_DIRS */
    bool dry_run;     /* change nothing, here or in Redis */
    /* Told of each act, on the pass's thread; why: of DAMAGED and FAILED.  May be NULL. */
    void (*on_act)(enum reconcile_act act, const char *what, const struct err *why,
                   void *ctx);
    void *ctx;
    const atomic_bool *stop; /* checked between pipelines; may be NULL */
};

#define RECONCILE_OPTIONS_INIT                                                         \
    {                                                                                  \
        .min_age_ms = 2000, .sweep_age_ms = 2 * 60 * 1000, .settle_ms = 15000          \
    }

struct reconcile_stats {
    size_t scanned;  /* manifests met, young ones included */
    size_t enqueued; /* jobs Redis did not know */
    size_t removed;  /* cancelled jobs whose files were still there */
    size_t looks;    /* filled in looks, to be looked at */
    size_t
        damaged; /* manifests that are none, keys with no job, ends that are no time: left to people */
    size_t
        failed; /* files that could not be read or removed: tried again by the next pass */
    size_t swept; /* files of debris; at most 1,000 a pass */
    size_t keys;  /* idempotency keys that were dropped */
    struct job_id
        bad_id; /* the first that was damaged or failed, for the log; queue "" for none */
    struct err bad_why;
};

/* One pass; the queues of enqueued jobs are added to hoist:queues.  When *stop is seen set it ends early, with ERR_OK.
 * What concerns one job is counted and does not keep the others: only Redis, or a jobs/ that cannot be listed, ends a
 * pass early.  *ret_stats is filled always: it tells what a pass that ended early has done.  With dry_run it counts what
 * would be done.
 * ERR_RETRY   Redis or the disk is away or full; what was repaired stays repaired
 * ERR_CONFIG  Redis refuses us, or the spool is closed to us
 * One thread at a time for r; s may be in use by others. */
MUST_CHECK enum err_code reconcile_run(struct spool *s, struct redis *r,
                                       const struct reconcile_options *o,
                                       struct reconcile_stats *ret_stats,
                                       struct err *e);

#endif
