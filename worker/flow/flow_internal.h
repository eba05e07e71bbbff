/*
 * flow_internal: what the two files of flow share.
 *
 *     flow.c        destinations and jobs: gates, circuits, pauses, the timer
 *     flow_queue.c  endpoints and requests: tickets, limits, answers
 */
#ifndef HOIST_WORKER_FLOW_INTERNAL_H
#define HOIST_WORKER_FLOW_INTERNAL_H

#include "shared/log_limit.h"
#include "worker/flow/aimd.h"
#include "worker/flow/circuit.h"
#include "worker/flow/flow.h"
#include "worker/flow/retry_budget.h"

enum { FLOW_WHY_SIZE = 120 };

struct flow_endpoint {
    char *name;
    struct aimd aimd;
    struct retry_budget budget;
    int64_t quiet_until_ms; /* monotonic: the store asked for it */
    size_t under_way, waiting;
    struct flow_ticket *first, *last; /* that wait */
};

struct flow {
    struct flows *set;
    const struct config_destination *config;
    struct flow_endpoint *endpoint;
    struct circuit circuit;
    int64_t paused_until_ms; /* monotonic */
    char why[FLOW_WHY_SIZE]; /* of the latest trouble */
    enum flow_gate told;     /* to the listener */
    int64_t rests_since_ms;  /* monotonic; 0: it runs */
    struct log_limit said;
};

struct flows {
    struct flow *of[CONFIG_DESTINATIONS_MAX];
    size_t count;
    struct flow_endpoint *endpoints[CONFIG_DESTINATIONS_MAX];
    size_t endpoint_count;
    uv_timer_t timer;
    void (*on_change)(void *ctx);
    void *ctx;
};

/* flow.c */
/* Look at all on the next turn of the loop: something has changed. */
void flow_turn_soon(struct flows *s);
void flow_set_why(struct flow *f, const char *why);

/* flow_queue.c */
/* Give turns to those that wait. */
void flow_queue_turn(struct flow_endpoint *e);

#endif
