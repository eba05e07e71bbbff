/*
 * queue_bulk: what is done to many jobs of a queue, at most 100 a call; the cursor of the answer goes on (?after=CURSOR).
 *
 *     POST /v1/queues/{q}/retry    200 {"retried":N,"cursor":…}: dead jobs run again; one whose unique key another has stays
 *     POST /v1/queues/{q}/promote  200 {"promoted":N,"cursor":…}: scheduled jobs, and those that wait for a retry, run now
 *     POST /v1/queues/{q}/purge    200 {"cancelled":N,"stopping":N,"cursor":…}: they are cancelled, their bytes removed
 *         {"state":"dead" | "waiting" | "scheduled","confirm":NAME OF THE QUEUE}
 *
 * stopping: a worker had just taken them, and is told.  While Redis is away: 503; what was done by then stays done.
 */
#ifndef HOIST_FCGI_QUEUE_BULK_H
#define HOIST_FCGI_QUEUE_BULK_H

#include "fcgi-app/http/exchange.h"

void queue_bulk_retry(struct exchange *x);
void queue_bulk_promote(struct exchange *x);
void queue_bulk_purge(struct exchange *x);

#endif
