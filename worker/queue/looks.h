/*
 * looks: jobs that are done by Redis, and whose files are still in the spool (shared/reconcile.h hands them out).
 *
 *     manifest --destination, only_look--> there -> still done by Redis? -> files removed          LOOK_THERE
 *                                          nobody can look there: as `there`, for Redis says so
 *                                          gone  -> queue_again_cmd: it runs again from its bytes  LOOK_AGAIN
 *                                          cannot be told -> left for another time                 LOOK_LEFT
 *
 * Four at a time.  Each step is checked again by Redis where it acts, so that any number of workers may do it.  Belongs to the
 * loop's thread.
 */
#ifndef HOIST_WORKER_LOOKS_H
#define HOIST_WORKER_LOOKS_H

#include "shared/reconcile.h"
#include "worker/dest/destinations.h"
#include "worker/env.h"

enum look_result {
    LOOK_THERE, /* its files are removed, or will be; removal.h logs when that fails */
    LOOK_AGAIN,
    LOOK_MOOT, /* another worker was faster: its files have gone, or it is not done any more */
    LOOK_LEFT /* why tells */
};

struct looks_options {
    const struct worker_env *env;
    struct destinations *destinations;
    bool dry_run; /* look, and do nothing about it */
    /* Told of each, in any order; why is "" unless it is LEFT. */
    void (*on_result)(const struct job_id *id, enum look_result result, const char *why,
                      void *ctx);
    void (*on_done)(void *ctx); /* once, at the end; the looks are gone then */
    void *ctx;
};

struct looks;

/* count > 0; they are copied.  NULL: no memory, nothing is called.  Callbacks come later, never from inside. */
struct looks *looks_begin(const struct looks_options *o,
                          const struct reconcile_look *items, size_t count);
/* Begin no more, stop those under way.  on_done comes as usual, soon. */
void looks_stop(struct looks *l);

#endif
