/*
 * aimd: how many requests may be under way at one endpoint: additive increase, multiplicative decrease.  Pure.
 *
 *     limit  64 --a success each, while the limit holds requests back: +1--> ... --throttled--> half
 *            half --a window of successes (as many as the limit): +1--> ... --throttled--> half ...
 *
 * Until the store has said for the first time that it wants fewer, each success raises the limit by one (slow start, RFC
 * 5681 section 3.1), then as many successes as the limit is high do.  Only successes of a time when somebody had to wait count: a
 * limit that nobody met is no knowledge of the store.  It is halved at most once a second, and only for a request that
 * began after it was halved last: those under way then know nothing of it.  Never below 1, never above the ceiling.
 */
#ifndef HOIST_WORKER_AIMD_H
#define HOIST_WORKER_AIMD_H

#include <stdbool.h>
#include <stdint.h>

enum { AIMD_START = 64, AIMD_HALVE_MS = 1000 };

struct aimd {
    unsigned limit, ceiling;
    unsigned successes; /* that count, since the limit grew last */
    bool throttled;     /* ever: the slow start is over */
    int64_t halved_ms;  /* when it was halved last */
};

/* ceiling of at least 1. */
void aimd_init(struct aimd *a, unsigned ceiling);
/* No more than that from now on. */
void aimd_set_ceiling(struct aimd *a, unsigned ceiling);
/* The endpoint answered as it should.  held_back: requests waited for the limit, or it was reached just so. */
void aimd_success(struct aimd *a, bool held_back);
/* It wants fewer requests, as the answer to one that began at began_ms says.  True: the limit is halved. */
bool aimd_throttled(struct aimd *a, int64_t began_ms, int64_t now_ms);

#endif
