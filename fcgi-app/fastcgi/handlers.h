/*
 * handlers: the threads that answer requests, and the table of what there is to answer.
 *
 *     gate_take -> request_parse -> router_find -> route->answer -> exchange_send
 *
 * Each thread owns one struct exchange with all its buffers; nothing is allocated for a request but what the spool
 * needs.
 *
 * No client can hold up another one: a request that has taken longer than HANDLERS_HELD_MS is held up by its client (or
 * by the disk), and its thread does not count; nor does one that waits for replicas (exchange_hold).  handlers_tick sees to it that `threads` others are there, up to
 * max_threads in all; when there are more than that again, some end with the request they are at.  The last `threads` of
 * max_threads never wait for a client's body: an upload that they would have to read is answered 503.
 *
 * Should all max_threads be busy all the same (a disk that stands still, say), one more thread stands in: it answers /status,
 * /healthz and /metrics, and sets what else comes aside until there is a thread for it.
 */
#ifndef HOIST_FCGI_HANDLERS_H
#define HOIST_FCGI_HANDLERS_H

#include "fcgi-app/app.h"
#include "fcgi-app/http/router.h"

#include <stddef.h>

enum { HANDLERS_HELD_MS = 100 };

struct handlers;
struct exchange;

/* What there is to answer (router.h). */
extern const struct route handlers_routes[];
extern const size_t handlers_route_count;

/* Start threads on app->gate.  On failure those that were started still run: stop the gate, then join. */
MUST_CHECK enum err_code handlers_start(struct app *app, size_t threads,
                                        size_t max_threads,
                                        struct handlers **ret_handlers, struct err *e);
/* GET /status: status.h says what it says. */
void handlers_status(struct exchange *x);

/* For /metrics. */
struct handlers_figures {
    int64_t busy, idle, limit;
    int64_t exhausted; /* how often all were busy, and there could be no more */
    int64_t slow, accepted;
    int64_t listen_queue; /* connections not accepted yet; -1: unknown */
};
struct handlers_figures handlers_figures(const struct handlers *h);
struct meter_sum;
/* Add what all of them, and those that have ended, have answered. */
void handlers_meter(const struct handlers *h, struct meter_sum *to);

/* From the gate thread, once in a while (gate.h, on_tick). */
void handlers_tick(struct handlers *h);
/* After gate_run has returned: wait for the threads to end, and free.  Takes NULL. */
void handlers_join(struct handlers *h);

#endif
