/*
 * jobs: one job: look, wait, cancel, run again, run now.
 *
 *     GET    /v1/jobs/{id}            200 with the job; ?wait=SECONDS: once it has ended, or after so long; of one that
 *                                     goes up in parts also what its stores have (job_parts.h), but for one that was waited for
 *     DELETE /v1/jobs/{id}            200 cancelled, its bytes removed; 202 running, its worker is told; 409 ended
 *     POST   /v1/jobs/{id}/retry      200 a dead job waits again; 409 it is not dead
 *     POST   /v1/jobs/{id}/promote    200 a scheduled job waits no longer for its time, nor for that of its retry; 409 it is not scheduled
 *     POST   /v1/jobs/{id}/priority   200 {"priority":N}, 0 first .. 9: from its next place in line on; 409 it has ended
 *
 * A job that Redis does not know, but whose manifest is in the spool, is `accepted`: GET says so, DELETE,
 * promote and priority enqueue it first.  An id that is none and an id that nobody has are the same 404.  While Redis is away GET answers from the
 * manifest where there is one, everything else is 503.
 */
#ifndef HOIST_FCGI_JOBS_H
#define HOIST_FCGI_JOBS_H

#include "fcgi-app/http/exchange.h"
#include "shared/job.h"

void jobs_show(struct exchange *x);
void jobs_cancel(struct exchange *x);
void jobs_retry(struct exchange *x);
void jobs_promote(struct exchange *x);
void jobs_prioritize(struct exchange *x);

/* Answer with the job: 200 or 202.  Also for requests that were parked. */
void jobs_answer(struct response *r, int status, const struct job *j);
/* The same for the request that made it and waited: 200 when it has ended, else 202; with its Location. */
void jobs_answer_new(struct response *r, const struct job *j);

#endif
