/*
 * circuit: whether a destination is worth a request: a circuit breaker.  Pure; time and randomness are arguments.
 *
 *     CLOSED --failures in a row, or half of a window's requests--> OPEN --delay--> HALF_OPEN (one probe job at a time)
 *        ^                                                           ^                |  |
 *        |                                                           '--it fails: delay doubled
 *        '-------------------------- a request is answered ---------------------------'
 *
 * Failures are those that speak of the endpoint (flow.h says which); any other answer is a success here.
 * Only requests count that began after it opened last: those that were under way then tell of the time before.
 * The delay is 1 s at first, doubled for each probe that fails up to the maximum, less a jitter of up to a quarter, so
 * that many workers do not probe in step.  Where it opens again soon after it closed, doubling goes on.
 * The window: 10 s, of at least 20 requests, throttled ones not among them (aimd.h slows those down).
 */
#ifndef HOIST_WORKER_CIRCUIT_H
#define HOIST_WORKER_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

enum { CIRCUIT_DELAY_MS = 1000, CIRCUIT_WINDOW_MS = 10000, CIRCUIT_WINDOW_MIN = 20 };

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_HALF_OPEN };

struct circuit {
    unsigned failures_max; /* in a row; 0: it never opens */
    int64_t delay_max_ms;
    bool open;                    /* or half open: time tells */
    bool probing;                 /* a probe job is under way */
    unsigned row;                 /* failures since the latest success */
    unsigned requests, failures;  /* of the window */
    int64_t window_ms;            /* when it began */
    int64_t opened_ms, closed_ms; /* last */
    int64_t delay_ms;             /* the latest, before jitter */
    int64_t until_ms;             /* half open from then on */
};

enum circuit_failure {
    CIRCUIT_BROKEN,   /* no answer, or one that says that it cannot */
    CIRCUIT_THROTTLED /* it wants fewer requests: counts in a row only */
};

void circuit_init(struct circuit *c, unsigned failures_max, int64_t delay_max_ms);
enum circuit_state circuit_state(const struct circuit *c, int64_t now_ms);
/* Until a probe may be made; 0 unless OPEN. */
int64_t circuit_wait_ms(const struct circuit *c, int64_t now_ms);

/* A request that began at began_ms was answered.  True: it is closed by that. */
bool circuit_success(struct circuit *c, int64_t began_ms, int64_t now_ms);
/* It failed.  True: it is open by that, or again.  random: 64 bits, fresh for each call. */
bool circuit_fail(struct circuit *c, enum circuit_failure how, int64_t began_ms,
                  int64_t now_ms, uint64_t random);

/* HALF_OPEN, and nobody probes: from now on somebody does. */
bool circuit_begin_probe(struct circuit *c, int64_t now_ms);
/* The probe job has ended, whatever became of it. */
void circuit_end_probe(struct circuit *c);

#endif
