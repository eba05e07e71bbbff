/*
 * removal: the spool files of a job that has ended go, on the thread pool.  Whatever hinders it is logged, or found by
 * reconcile.
 *
 *     removal_begin --> waiting --> a batch of all that wait, on one thread of the pool --> done for each, on the loop
 *
 * While one batch is under way others gather for the next one, and so do those of jobs that were told to have ended by one
 * reply, so that a thousand small jobs a second do not wake a thousand threads; behind a slow disk up to four batches are under
 * way.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_REMOVAL_H
#define HOIST_WORKER_REMOVAL_H

#include "worker/env.h"

struct removal;

/* Those that wait; one for each loop, named in its env.  The storage is the caller's and outlives the loop. */
struct removals {
    uv_loop_t *loop;
    struct removal *first, *last;
    size_t waiting;
    unsigned batches; /* under way */
    bool gathering;
};

void removals_init(struct removals *set, uv_loop_t *loop);

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
/* Several are coming: what begins from here to removals_begin begins there, together. */
void removals_gather(struct removals *set);
void removals_begin(struct removals *set);

#endif
