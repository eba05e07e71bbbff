/*
 * retry_budget: how many requests to one endpoint may be sent again within a run.  Pure.
 *
 *     each request: + 0.2, at most 100 saved --.
 *                                              +--> a retry: - 1, or it is not made
 *     a reserve: 10 a second, not saved -------'
 *
 * So retries are at most a fifth of the requests, and 10 a second on top for an endpoint that has few: a store in
 * trouble is not sent several times what it failed to take.  (Finagle's RetryBudget; gRPC's A6 has the same idea.)  A
 * run without budget ends, and its job is tried again by its own policy.
 */
#ifndef HOIST_WORKER_RETRY_BUDGET_H
#define HOIST_WORKER_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RETRY_BUDGET_DEPOSIT = 200,          /* thousandths of a retry, each request */
    RETRY_BUDGET_SAVED_MAX = 100 * 1000, /* thousandths */
    RETRY_BUDGET_RESERVE = 10            /* retries a second */
};

struct retry_budget {
    int64_t saved;      /* thousandths of a retry */
    int64_t reserve;    /* thousandths, at most a second's */
    int64_t reserve_ms; /* when it was filled last */
};

void retry_budget_init(struct retry_budget *b, int64_t now_ms);
/* A request was sent that is no retry. */
void retry_budget_deposit(struct retry_budget *b);
/* One may be sent again; it is paid for. */
bool retry_budget_take(struct retry_budget *b, int64_t now_ms);

#endif
