/*
 * maintenance: what a look at a queue finds to be put right: due jobs are promoted, expired leases reaped.
 *
 * Every worker does it, none leads: the scripts check again, so that it does not matter who acts, nor how often.
 * Pipelined: at most 2 * QUEUE_BATCH_MAX small commands, one round trip.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_MAINTENANCE_H
#define HOIST_WORKER_MAINTENANCE_H

#include "worker/env.h"

/*
 * Promote claimed->due and reap claimed->expired.  False: there was nothing to do.  Else done is called once, on the
 * loop, after the last answer; changed: at least one job moved.  The spool files of a job that this cancels (its parent
 * has failed, or it was asked to stop when its worker died) are removed, on the thread pool, where this worker sees them.
 */
MUST_CHECK bool
maintenance_run(const struct worker_env *env, const char *queue,
                const struct queue_claimed *claimed,
                void (*done)(const char *queue, bool changed, void *ctx), void *ctx);

#endif
