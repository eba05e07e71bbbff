/*
 * workers: who works, and who is to begin no more.
 *
 *     GET  /v1/workers               200 with who works, and on what (workers_write.h has the JSON)
 *     POST /v1/workers/{id}/quiet    200 with the worker: it ends what it runs, and begins no more (worker/queue/quiet.h)
 *     POST /v1/workers/{id}/resume   200: it does again
 *
 * A worker hears of it with its next beat, within 2 s while it has jobs, else within 15 s; then quiet_since says so.  Either may be
 * asked again and changes nothing then.  404: a worker that is not there, or was not heard of for 45 s; 403: one that works on queues
 * that the token may not use.
 *
 * Two round trips to Redis, one command a worker, at most QUEUE_WORKERS_MAX of them.  A token sees the queues that it may use and the
 * jobs that it may see.  While Redis is away: 503.
 */
#ifndef HOIST_FCGI_WORKERS_H
#define HOIST_FCGI_WORKERS_H

#include "fcgi-app/http/exchange.h"

void workers_list(struct exchange *x);
void workers_quiet(struct exchange *x);
void workers_resume(struct exchange *x);

#endif
