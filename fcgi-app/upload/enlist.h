/*
 * enlist: how the jobs of an upload come into the queue, and what must be asked of Redis before they may.
 *
 *     before the commit   enlist_check    parents that are known, batches that are open; no answer from Redis: accepted
 *     after the commit    enlist_jobs     to the publisher; of one with a unique key its answer is waited for, a tenth of
 *                                         a second at most, for the client is to learn of a duplicate
 *
 * Where Redis cannot be asked, what cannot be decided is accepted: the queue decides when it learns of the job.  A parent
 * that it does not know then counts as done (queue.h), a job enters a batch only where its own client opened that, in the
 * queue that keeps it, and is in none otherwise (a client who sees all is not asked: any batch is counted), and of two jobs with
 * one unique key the second ends as cancelled, with the reason.  A parent that Redis has forgotten and the spool has not is
 * brought back first, with up to ENLIST_GENERATIONS of its own, so that its child waits for it.
 *
 * After the commit the promise is made, so that nothing Redis fails to say can refuse a job any more.  What it says does:
 * a duplicate, or one that a full queue would not take, is removed from the spool again before the client is told.
 */
#ifndef HOIST_FCGI_ENLIST_H
#define HOIST_FCGI_ENLIST_H

#include "fcgi-app/http/exchange.h"

enum { ENLIST_GENERATIONS = 16 };

/* The jobs of x->batch, not committed yet.  PROBLEM_BAD_VALUE: `after` names a job that nobody has, or `batch` one that
 * was not opened or is closed. */
enum problem enlist_check(struct exchange *x, struct err *e);

/* The jobs of x->batch, just committed.
 * PROBLEM_NONE        x->waited says what replicas and append-only file have (waits.h)
 * PROBLEM_DUPLICATE   *ret_holder is the job that has the unique key, its queue "" when the client may not see it; the
 *                     upload is gone
 * PROBLEM_QUEUE_FULL  the upload is gone */
enum problem enlist_jobs(struct exchange *x, struct job_id *ret_holder, struct err *e);

#endif
