/*
 * reconciler: runs shared/reconcile now and then, beside the uploads.
 *
 * One pass at the start and one every [spool] reconcile_seconds, on a thread of libuv's pool with a Redis connection
 * of its own; never two at a time.  A pass that repaired something is logged.  Any number of workers do it: each step
 * of a pass is idempotent.
 */
#ifndef HOIST_WORKER_RECONCILER_H
#define HOIST_WORKER_RECONCILER_H

#include "worker/env.h"

struct reconciler;

MUST_CHECK enum err_code reconciler_open(const struct worker_env *env,
                                         const struct redis_target *target,
                                         struct reconciler **ret, struct err *e);
/* Ask a running pass to stop (it looks between two pipelines), then call on_closed; it is gone then. */
void reconciler_close(struct reconciler *r, void (*on_closed)(void *ctx), void *ctx);

#endif
