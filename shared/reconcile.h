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
    int64_t min_age_ms;       /* default 2,000; by the id's creation time */
    int64_t sweep_age_ms;     /* default one day */
    const atomic_bool *stop;  /* checked between pipelines; may be NULL */
};

struct reconcile_stats {
    size_t scanned, enqueued, removed, damaged, swept;
};

/* One pass.  ERR_RETRY: Redis or the disk is away; what was repaired stays repaired. */
MUST_CHECK enum err_code reconcile_run(struct spool *s, struct redis *r, const struct reconcile_options *o,
                                       struct reconcile_stats *ret_stats, struct err *e);

#endif
