/*
 * workers: GET /v1/workers: 200 with who works, and on what (workers_write.h has the JSON).
 *
 * Two round trips to Redis, one command a worker, at most QUEUE_WORKERS_MAX of them.  A token sees the queues that it may use and the
 * jobs that it may see.  While Redis is away: 503.
 */
#ifndef HOIST_FCGI_WORKERS_H
#define HOIST_FCGI_WORKERS_H

#include "fcgi-app/http/exchange.h"

void workers_list(struct exchange *x);

#endif
