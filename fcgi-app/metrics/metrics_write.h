/*
 * metrics_write: the text of the responder's GET /metrics, out of what was read.  Pure.
 *
 * Everything that is known is there from the start, at 0, but for two things: a route appears with its first request, in
 * all its classes; and what is not known is left out, never said to be 0: what queues hold while Redis is away, the spool's
 * disk while it cannot be asked, files that nobody counts.
 */
#ifndef HOIST_FCGI_METRICS_WRITE_H
#define HOIST_FCGI_METRICS_WRITE_H

#include "fcgi-app/fastcgi/handlers.h"
#include "fcgi-app/http/response.h"
#include "fcgi-app/http/router.h"
#include "fcgi-app/metrics/meter.h"
#include "fcgi-app/publish/marks.h"
#include "fcgi-app/publish/publisher.h"
#include "shared/exposition.h"
#include "shared/queue_classes.h"
#include "shared/spool.h"

enum { METRICS_TEXT_MAX = RESPONSE_BODY_MAX };

struct metrics_queue {
    const char *name;
    struct queue_status status;
    struct queue_classes classes;
};

struct metrics_view {
    int64_t now_ms; /* wall clock */
    const struct route *routes;
    size_t route_count;
    struct meter_sum meter;
    struct handlers_figures handlers;
    struct publisher_stats publisher;
    struct marks_figures marks;
    size_t waiters;    /* for their job to end */
    size_t job_events; /* listeners of one job */
    size_t feeds;      /* listeners of everything */
    bool redis_up, breaker_open;
    struct histogram_sum redis_us;
    size_t queue_count; /* 0 while Redis is away */
    struct metrics_queue queues[CONFIG_QUEUES_MAX];
};

void metrics_write(const struct metrics_view *v, struct exposition *x);

#endif
