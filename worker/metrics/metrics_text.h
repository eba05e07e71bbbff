/*
 * metrics_text: what a worker tells Prometheus, out of what was looked at.  Pure.
 */
#ifndef HOIST_WORKER_METRICS_TEXT_H
#define HOIST_WORKER_METRICS_TEXT_H

#include "shared/exposition.h"
#include "worker/flow/flow.h"
#include "worker/metrics/tally.h"

enum { METRICS_TEXT_MAX = 1024 * 1024 };

struct metrics_flow {
    bool is_there; /* else nothing holds the destination up */
    enum flow_gate gate;
    struct flow_figures requests;
};

struct metrics_look {
    const struct config *config;
    const struct tally *tally;
    bool is_alive, drains, quiet;
    int64_t slots, busy;
    bool redis_up;
    int64_t redis_pending;                              /* commands not answered yet */
    const struct histogram *redis_us;                   /* round trips */
    struct metrics_flow flows[CONFIG_DESTINATIONS_MAX]; /* of config's destinations */
};

void metrics_text_write(const struct metrics_look *look, struct exposition *x);

#endif
