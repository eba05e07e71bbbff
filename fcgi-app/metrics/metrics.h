/*
 * metrics: GET /metrics, for Prometheus (metrics_write.h says what stands in it).
 *
 *     scraper --GET /metrics--> the text of up to METRICS_KEEP_MS ago --or--> look anew: 1 read-only script a queue
 *
 * For whoever has the scope metrics, which read and admin bring along where all queues
 * may be used; without any [auth] for clients on this machine.
 * Redis is asked in one pipeline, O(log n) in jobs, at most once in METRICS_KEEP_MS however many ask; who comes while
 * somebody looks has the text of before.  A Redis that is away is no error: the rest is told, hoist_redis_up is 0.
 */
#ifndef HOIST_FCGI_METRICS_H
#define HOIST_FCGI_METRICS_H

#include "fcgi-app/http/exchange.h"

enum { METRICS_KEEP_MS = 1000 };

struct metrics;

MUST_CHECK enum err_code metrics_open(struct metrics **ret, struct err *e);
void metrics_close(struct metrics *m); /* takes NULL; after the last request */

/* The route. */
void metrics_show(struct exchange *x);

#endif
