/*
 * reconcile: compare the spool with Redis and repair, see the state table in spool.h.
 *
 *     for each manifest in jobs/:   no job in Redis        -> enqueue it (same id; idempotent)
 *                                   job done or cancelled  -> unlink manifest and data
 *                                   job live or dead       -> leave it
 *     sweep debris older than a day
 *
 * Bounded: constant memory, pipelines of at most QUEUE_BATCH_MAX commands.  Any number of processes may
 * run it at the same time, without a leader: each step is idempotent and checked again where it acts.  A manifest
 * younger than min_age_ms is left to the publisher that wrote it.
 */
#ifndef HOIST_SHARED_RECONCILE_H
#define HOIST_SHARED_RECONCILE_H

#include "shared/err.h"
#include "shared/redis.h"
#include "shared/spool.h"

#include <stdatomic.h>
#include <stdint.h>

struct reconcile_options {
    int64_t min_age_ms;      /* default 2,000; by the id's creation time */
    int64_t sweep_age_ms;    /* default one day */
    const atomic_bool *stop; /* checked between pipelines; may be NULL */
};

#define RECONCILE_OPTIONS_INIT                                                         \
    {                                                                                  \
        .min_age_ms = 2000, .sweep_age_ms = 24 * 3600 * 1000                           \
    }

struct reconcile_stats {
    size_t scanned;  /* manifests met, young ones included */
    size_t enqueued; /* jobs Redis did not know */
    size_t removed;  /* ended jobs whose files were still there */
    size_t damaged;  /* unreadable manifests, keys with no job: left to people */
    size_t swept;    /* files of debris; at most 1,000 a pass */
};

/* One pass; the queues of enqueued jobs are added to hoist:queues.  When *stop is seen set it ends early, with ERR_OK.
 * ERR_RETRY   Redis or the disk is away or full; what was repaired stays repaired
 * ERR_CONFIG  Redis refuses us, or the spool is closed to us
 * One thread at a time for r; s may be in use by others. */
MUST_CHECK enum err_code reconcile_run(struct spool *s, struct redis *r,
                                       const struct reconcile_options *o,
                                       struct reconcile_stats *ret_stats,
                                       struct err *e);

#endif
