/*
 * waiter: blocks in Redis until there is work, on a connection of its own.
 *
 *     waiter_wait --BZPOPMIN of the queues' wake keys, at most 5 s--> on_wake(queue, or WAITER_NOTHING)
 *
 * One wait at a time.  After a lost connection it connects again by itself and tells with on_wake(WAITER_LOST), so that the
 * owner may wait again.  A server that says no to a wait (BUSY, MISCONF) is asked again when the owner looks by time.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_WAITER_H
#define HOIST_WORKER_WAITER_H

#include "worker/env.h"

struct waiter;

/* Instead of a queue: the wait was answered with none, or there was no answer. */
#define WAITER_NOTHING SIZE_MAX
#define WAITER_LOST (SIZE_MAX - 1)

struct waiter_options {
    const char *const *
        names; /* of the queues, in order; the array is copied, the strings outlive the waiter */
    size_t count; /* at most CONFIG_QUEUES_MAX */
    /* A wait has ended: this queue (an index into names) was woken and we hold its marker, or WAITER_NOTHING.  Or
     * WAITER_LOST: the connection was lost, is there again, and one may wait. */
    void (*on_wake)(size_t index, void *ctx);
    void *ctx;
};

MUST_CHECK enum err_code waiter_open(const struct worker_env *env,
                                     const struct redis_target *target,
                                     const struct waiter_options *o,
                                     struct waiter **ret, struct err *e);
/* One more queue, behind the others, from the next wait on; there are less than CONFIG_QUEUES_MAX. */
void waiter_add(struct waiter *w, const char *name);
/* Wait for those queues that are not skipped (as many as there are), unless it does already or is not connected, or all are. */
void waiter_wait(struct waiter *w, const bool *skipped);
/* Then on_closed; it is gone then.  on_wake may come once more before. */
void waiter_close(struct waiter *w, void (*on_closed)(void *ctx), void *ctx);

#endif
