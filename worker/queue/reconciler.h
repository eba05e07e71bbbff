/*
 * reconciler: runs shared/reconcile now and then, beside the uploads.
 *
 * One pass at the start and one every [spool] reconcile_seconds, on a thread of libuv's pool with a Redis connection
 * of its own; never two at a time.  A pass that repaired something is logged.  Any number of workers do it: each step
 * of a pass is idempotent.
 *
 * Jobs that are done, and whose files are still there, are looked at after the pass, on the loop (looks.h), at most
 * RECONCILER_LOOKS_MAX a pass.  Passes do not wait for a store that is slow to answer: while looks are under way they hand
 * out no others.
 *
 * Uploads in parts that nobody will go on with are aborted at the same time (abandoned.h).
 */
#ifndef HOIST_WORKER_RECONCILER_H
#define HOIST_WORKER_RECONCILER_H

#include "worker/dest/destinations.h"
#include "worker/env.h"

enum { RECONCILER_LOOKS_MAX = 256 };

struct reconciler;

/* How long after its end a job that is done is left to the worker that ended it. */
int64_t reconciler_settle_ms(const struct worker_env *env);

MUST_CHECK enum err_code reconciler_open(const struct worker_env *env,
                                         struct destinations *destinations,
                                         const struct redis_target *target,
                                         struct reconciler **ret, struct err *e);
/* Ask a running pass to stop (it looks between two pipelines), and the looks, then call on_closed; it is gone then.
 * destinations must live until then. */
void reconciler_close(struct reconciler *r, void (*on_closed)(void *ctx), void *ctx);

#endif
