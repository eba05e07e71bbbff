/*
 * removal: the spool files of a job that has ended go, on the thread pool.  Whatever hinders it is logged, or found by
 * reconcile.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_REMOVAL_H
#define HOIST_WORKER_REMOVAL_H

#include "worker/env.h"

/* done (may be NULL) is called once, later.  False: no memory, nothing was begun, done is not called. */
bool removal_begin(const struct worker_env *env, const struct job_id *id,
                   void (*done)(void *ctx), void *ctx);

#endif
