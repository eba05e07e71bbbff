/*
 * queues: GET /v1/queues: every configured queue with its depth, the age of its oldest ready job, and counters.
 * One pipeline, O(log n) in jobs.  While Redis is away: 503.
 */
#ifndef HOIST_FCGI_QUEUES_H
#define HOIST_FCGI_QUEUES_H

#include "fcgi-app/exchange.h"

void queues_list(struct exchange *x);

#endif
