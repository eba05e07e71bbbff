/*
 * queue_minutes: what went through a queue in each minute of the last hour.  Pure.
 *
 *     hoist:{Q}:minutes   HASH of at most 64 fields, minute % 64 -> what the counters of stats were when it began
 *
 *       field 7    "29407751 120 100 3 1 471100"      minute since 1970, enqueued, done, failed, dead, done_bytes
 *       field 8    "29407752 131 108 3 1 501100"      so in minute 29407751: 11 enqueued, 8 done, none failed, 30000 bytes
 *       (no field 9: nothing happened in that minute)
 *
 * Whichever call of a script is the first in a minute to change a counter writes its field, before it does; all others only see
 * that this was done, in what they read anyway.  So the numbers are exact, and cost a job nothing.  enqueued, done and dead
 * are jobs, failed attempts, bytes those of done jobs.
 */
#ifndef HOIST_SHARED_QUEUE_MINUTES_H
#define HOIST_SHARED_QUEUE_MINUTES_H

#include "shared/queue.h"

#include <stdint.h>

enum queue_counter {
    QUEUE_COUNT_ENQUEUED,
    QUEUE_COUNT_DONE,
    QUEUE_COUNT_FAILED,
    QUEUE_COUNT_DEAD,
    QUEUE_COUNT_BYTES,
    QUEUE_COUNTERS
};

enum { QUEUE_MINUTES = 60, QUEUE_MINUTE_FIELDS = 64 };

struct queue_minutes {
    int64_t last; /* the minute of the last column, since 1970: the one under way */
    int64_t n[QUEUE_COUNTERS][QUEUE_MINUTES]; /* oldest first */
};

/* "enqueued", "done", "failed", "dead", "bytes". */
const char *queue_counter_name(enum queue_counter counter);

/* What the counters were when a minute began. */
struct queue_minute {
    int64_t minute;
    int64_t totals[QUEUE_COUNTERS];
};

/* One field's value.  False: it is none. */
bool queue_minute_parse(const char *s, size_t len, struct queue_minute *ret);
/* The hour that ends with the minute of now_ms (UTC), of count of them in any order (they are sorted) and what the counters
 * are now.  A counter that fell, as after a FLUSHALL, counts 0 in that minute. */
void queue_minutes_reckon(struct queue_minute *begun, size_t count,
                          const int64_t totals[static QUEUE_COUNTERS], int64_t now_ms,
                          struct queue_minutes *ret);

/* The same of a reply to queue_status_cmd, which queue_parse_status has understood as s. */
void queue_parse_minutes(const struct redis_value *v, const struct queue_status *s,
                         struct queue_minutes *ret);

/* How many a second: of the last sixty seconds, what was in the part of the minute before taken as spread evenly. */
double queue_minutes_rate(const struct queue_minutes *m, enum queue_counter counter,
                          int64_t now_ms);

#endif
