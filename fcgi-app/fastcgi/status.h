/*
 * status: what /status says, in the words of php-fpm's status page, so that what reads that reads this.  Pure.
 *
 *     GET /status          "accepted conn:        1234\n" ...
 *     GET /status?json     {"pool":"hoist","accepted conn":1234,...}
 *     GET /status?full     and each handler: state, since when, with what; both together are &
 *
 * A handler is a thread, where php-fpm has processes.  The target of a request is its route ("v1/jobs/{}"), never what the
 * client sent.  What the kernel does not tell is "unknown", in JSON null.
 */
#ifndef HOIST_FCGI_STATUS_H
#define HOIST_FCGI_STATUS_H

#include "shared/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { STATUS_HANDLERS_MAX = 1000 /* are listed */ };

struct status_handler {
    int64_t thread;      /* its id for the kernel */
    int64_t requests;    /* answered so far */
    int64_t since_s;     /* started so long ago */
    int64_t duration_ms; /* of the request under way; 0: idle */
    const char *route;   /* of it, or of the last one; "" before the first */
    const char *method;
    bool is_busy;
};

struct status {
    int64_t start_s, since_s; /* Unix time; so long ago */
    int64_t accepted;
    int64_t queue, max_queue, queue_len; /* connections not accepted yet; -1: unknown */
    int64_t idle, active, max_active;
    int64_t max_reached; /* how often no further thread could be started */
    int64_t slow;
    size_t count; /* of handlers */
    struct status_handler handlers[STATUS_HANDLERS_MAX];
};

void status_format(const struct status *s, bool json, bool full, struct buf *ret);

#endif
