/*
 * job_move: POST /v1/jobs/{id}/move {"queue":"docs"}: 202 with the job under its new id, Location too.
 *
 *     spool: manifest and data under a new id, committed  -->  the old job cancelled, "moved to docs.UUID"  -->  enqueued
 *
 * In this order, a crash at any point leaves one job or two, never none; two of them make one object, for the key goes
 * along.  So do the destination, the group, the batch (which then counts the old one as cancelled) and its priority;
 * attempts begin at 0, a unique key stays behind.  Of several that move a job at once, one does: the others get 409.
 * A queue that has become full meanwhile takes it later, from the spool.
 *
 * With an Idempotency-Key (idempotency.h) its record is kept when the job stands in the other queue: sent again it is answered
 * as the first one was, whatever became of either job since (only a queue that is no longer configured is refused); and where
 * the first one died, or lost Redis, before the old job was taken out, that is done then.  A refused one leaves no record.
 *
 * The 202 says waiting or scheduled, as that of an upload does: it is promised, and in Redis now or soon.
 *
 * 409: running, done or cancelled; it waits for another job, or others wait for it: those are of the old queue; its bytes
 * are gone.  422: a queue that is not configured, or the same, or one whose max_bytes it is over.  415: one whose
 * allow_types it is not of, by its first bytes or as it was declared.  503 while Redis is away, or while the other queue
 * is full.  One that a worker takes in this very moment stays: 409.
 */
#ifndef HOIST_FCGI_JOB_MOVE_H
#define HOIST_FCGI_JOB_MOVE_H

#include "fcgi-app/http/exchange.h"

void job_move(struct exchange *x);

#endif
