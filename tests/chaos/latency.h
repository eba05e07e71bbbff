/*
 * latency: how long something took, thousands of times: percentiles of the whole run and of its worst moments.
 *
 *     time   |--- window 0 ---|--- window 1 ---|---  ...         each window one histogram
 *
 * A histogram has eight steps to each doubling: what it tells is at most 12.5 % above what was measured, from 1 us to 2^32 us.
 * A run has at most LATENCY_WINDOWS_MAX windows; what comes later counts in the last one.  Any number of threads.
 */
#ifndef HOIST_TESTS_CHAOS_LATENCY_H
#define HOIST_TESTS_CHAOS_LATENCY_H

#include "shared/err.h"

#include <stdint.h>

enum { LATENCY_WINDOWS_MAX = 65536 };

struct latency;

/* Windows of window_ms from now on.  ERR_NOMEM. */
MUST_CHECK enum err_code latency_new(int64_t window_ms, struct latency **ret_latency,
                                     struct err *e);
void latency_free(struct latency *l); /* takes NULL */

/* Something that ended now took so many us.  What finds no memory for its window is left out. */
void latency_add(struct latency *l, int64_t us);

struct latency_summary {
    int64_t count;
    int64_t p50_us, p99_us, p999_us, max_us; /* 0 when count is 0; max is exact */
};

/* What ended between these two times (clock_mono_ms), rounded to whole windows; 0 and INT64_MAX: all. */
struct latency_summary latency_between(struct latency *l, int64_t from_ms,
                                       int64_t to_ms);

/* The window with the highest p99 of those with at least min_count in them, and when it began (clock_mono_ms); count is 0 when there
 * is none. */
struct latency_summary latency_worst(struct latency *l, int64_t min_count,
                                     int64_t *ret_from_ms);

#endif
