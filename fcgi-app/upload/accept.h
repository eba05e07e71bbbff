/*
 * accept: what the requests that make jobs have in common: from "may it come" to the 202, or to why not.
 *
 *     accept_begin --> fill x->batch --> accept_batch: parents and batches looked at, committed, enlisted --> accept_end: answered
 *        '--> refused already               '--> a problem -----------------------------------------------------'
 *
 * A request with an Idempotency-Key that was answered before goes the same way, but what comes is only digested, and the answer
 * is the one of then (idempotency.h).
 *
 * With Prefer: wait=N a request that makes one job is parked until that has ended or N seconds, at most [http]
 * wait_max_seconds, are over (listeners.h), and is then answered with the job's status: 200 when it has ended, done or not, else 202, with
 * Preference-Applied: wait.  It is answered at once where it makes several jobs, was answered before (Idempotency-Key), or
 * too many wait already.
 *
 * The 202 has a Location where there is one job.  Size and sha256 stand in it of jobs whose bytes were in the request.
 */
#ifndef HOIST_FCGI_ACCEPT_H
#define HOIST_FCGI_ACCEPT_H

#include "fcgi-app/http/exchange.h"

/* False: spool or Redis are full or away; the request has been refused. */
bool accept_begin(struct exchange *x);
/* The promise.  PROBLEM_DUPLICATE: *ret_holder is the job that has the unique key. */
enum problem accept_batch(struct exchange *x, struct job_id *ret_holder, struct err *e);
/* Answer for better (PROBLEM_NONE) or worse, and forget the batch.  holder: as accept_batch gave it. */
void accept_end(struct exchange *x, enum problem p, const struct job_id *holder,
                const struct err *e);
/* Answer with 202 what the request was answered when it came first; also for one that makes a job of another. */
void accept_replay(struct exchange *x);

#endif
