/*
 * queues: what the configured queues hold, and the switches each of them has.
 *
 *     GET   /v1/queues               200 {"queues":[…]} (queues_write.h): depth, age of the oldest that is ready, counters,
 *                                    rates, limits; with ?history=1 the last hour minute by minute
 *     GET   /v1/queues/{q}           200 one of them, with that history
 *     POST  /v1/queues/{q}/pause     200 the queue: no job of it is begun; those that run go on
 *     POST  /v1/queues/{q}/resume    200 the queue
 *     PATCH /v1/queues/{q}           200 the queue, its limits changed (queue_limits.h)
 *
 * The ETag is a weak one: that time passes for a job which waits is no change.
 * One pipeline, O(log n) in jobs.  A queue that is not configured: 404.  While Redis is away: 503.
 */
#ifndef HOIST_FCGI_QUEUES_H
#define HOIST_FCGI_QUEUES_H

#include "fcgi-app/http/exchange.h"

void queues_list(struct exchange *x);
void queues_show(struct exchange *x);
void queues_pause(struct exchange *x);
void queues_resume(struct exchange *x);
void queues_patch(struct exchange *x);

/* The queue in the third segment of the path.  PROBLEM_NO_QUEUE. */
enum problem queues_find(const struct exchange *x, const struct config_queue **ret,
                         struct err *e);

#endif
