/*
 * removal: the spool files of a job that has ended go, on the thread pool.  Whatever hinders it is logged, or found by
 * reconcile.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_REMOVAL_H
#define HOIST_WORKER_REMOVAL_H

#include "worker/env.h"

struct removal_order {
    const struct job_id *id; /* copied */
    /* When Redis was asked whether the job has ended (boot time).  A lease later its answer is not relied upon: Redis may
     * have been rolled back while this process was stopped, and the files be another worker's.  They stay. */
    int64_t asked_ms;
    void (*done)(void *ctx); /* called once, later; may be NULL */
    void *ctx;
};

/* False: no memory, nothing was begun, done is not called. */
bool removal_begin(const struct worker_env *env, const struct removal_order *o);

#endif
