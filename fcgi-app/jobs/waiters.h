/*
 * waiters: the requests with ?wait= or Prefer: wait=N that are waiting for their job to end.  One thread for all of them.
 *
 *     handler --waiters_park--> parked requests --job ended | time over | server stops--> answered, connection back
 *                                     |                '--client left--> connection closed
 *           XREAD BLOCK of the queues' event streams, HGETALL of the jobs that ended
 *
 * A parked request costs a descriptor and what it was read with (fastcgi.h), no thread.  Redis is asked only while somebody
 * waits: one XREAD of at most 100 ms for all queues concerned, so a new request is looked at, and one whose time is
 * over answered, at most 100 ms late.  The position in each stream is read before the job's record, in one pipeline, so
 * that no end can fall between the two.  While Redis is away requests stay parked until their time is over, and
 * are then answered with what was known last.
 */
#ifndef HOIST_FCGI_WAITERS_H
#define HOIST_FCGI_WAITERS_H

#include "fcgi-app/http/exchange.h"
#include "shared/job.h"

struct waiters;

/* app->gate and app->redis must be set. */
MUST_CHECK enum err_code waiters_start(struct app *app, struct waiters **ret_waiters,
                                       struct err *e);
/* Answer whoever is still parked, end the thread, free.  Takes NULL. */
void waiters_stop(struct waiters *w);

/* How many requests are parked. */
size_t waiters_count(struct waiters *w);

/* What is waited for, and how it is answered: the job's status, 200. */
struct waiters_wish {
    int64_t seconds;
    bool
        is_new; /* the request made the job: with its Location, and while it has not ended 202 */
};

/* Park x's request; job is its state now (taken over: JOB_INIT is left).  The request's body must have been read.
 * False: there are [http] max_waiters already, or no memory: x and job are as before. */
bool waiters_park(struct waiters *w, struct exchange *x, struct job *job,
                  const struct waiters_wish *wish);

#endif
