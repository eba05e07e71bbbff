/*
 * queue_minutes: what went through a queue in each minute of the last hour.  Pure.
 *
 *     hoist:{Q}:minutes  STRING of 64 places, one for each minute; the scripts add to them with one BITFIELD a call
 *
 *     place n of 64:   minute | enqueued | done | failed | dead | bytes        six 64-bit numbers, big-endian
 *                      since 1970; the place is minute % 64, and what an older minute left there does not count
 *
 * So it is exact, never longer than 3 KiB, and costs the same whatever has happened.  enqueued, done, failed (attempts) and
 * dead are jobs, bytes those of done jobs.
 */
#ifndef HOIST_SHARED_QUEUE_MINUTES_H
#define HOIST_SHARED_QUEUE_MINUTES_H

#include "shared/redis.h"

#include <stdint.h>

enum queue_counter {
    QUEUE_COUNT_ENQUEUED,
    QUEUE_COUNT_DONE,
    QUEUE_COUNT_FAILED,
    QUEUE_COUNT_DEAD,
    QUEUE_COUNT_BYTES,
    QUEUE_COUNTERS
};

enum { QUEUE_MINUTES = 60 };

struct queue_minutes {
    int64_t last; /* the minute of the last column, since 1970: the one under way */
    int64_t n[QUEUE_COUNTERS][QUEUE_MINUTES]; /* oldest first */
};

/* "enqueued", "done", "failed", "dead", "bytes". */
const char *queue_counter_name(enum queue_counter counter);

/* GET of the places of a queue. */
void queue_minutes_cmd(struct redis_cmd *c, const char *queue);
/* The hour that ends with the minute of now_ms (UTC).  Whatever the bytes are: what is none of these minutes, is cut off, or
 * below 0, counts as 0. */
void queue_minutes_parse(const char *s, size_t len, int64_t now_ms,
                         struct queue_minutes *ret);
/* How many a second: of the last sixty seconds, what was in the part of the minute before taken as spread evenly. */
double queue_minutes_rate(const struct queue_minutes *m, enum queue_counter counter,
                          int64_t now_ms);

#endif
