/*
 * histogram: how many values fell below each of a few fixed bounds, counted without a lock.
 *
 *     bounds      250   1000   5000                     value 700 --> bucket 1, sum + 700
 *     buckets   [  12 |   40 |    3 |    1 ]
 *                <=250  <=1000 <=5000  above
 *
 * Values are whole numbers of a small unit (us, bytes); struct histogram_scale says how many of them make the base unit that
 * is shown (1,000,000 for us: seconds).  Counters only ever grow, and wrap after 2^64.
 *
 * Threads: histogram_note is for the one thread that owns the histogram: a load and a store of each of two words, no locked
 * instruction.  histogram_note_shared may be called by any thread, but then by all of them.  histogram_read may run at any
 * time in any thread: a note that happens meanwhile is in the buckets, in the sum, in both or in neither.
 */
#ifndef HOIST_SHARED_HISTOGRAM_H
#define HOIST_SHARED_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MAX = 14 };

struct histogram_scale {
    size_t count; /* of bounds */
    int64_t per_unit;
    int64_t
        bounds[HISTOGRAM_BOUNDS_MAX]; /* ascending; a value equal to one is below it */
};

struct histogram { /* all zero: empty */
    _Atomic uint64_t buckets[HISTOGRAM_BOUNDS_MAX + 1];
    _Atomic uint64_t sum;
};

/* What was read, of one or of several together. */
struct histogram_sum { /* all zero: empty */
    uint64_t buckets[HISTOGRAM_BOUNDS_MAX + 1];
    uint64_t sum;
};

extern const struct histogram_scale histogram_request_us; /* 0.5 ms to 10 s */
extern const struct histogram_scale histogram_redis_us;   /* 0.1 ms to 1 s */
extern const struct histogram_scale histogram_upload_ms;  /* 10 ms to an hour */
extern const struct histogram_scale histogram_bytes;      /* 1 KiB to 16 GiB */

/* A negative value counts as 0. */
void histogram_note(struct histogram *h, const struct histogram_scale *scale,
                    int64_t value);
void histogram_note_shared(struct histogram *h, const struct histogram_scale *scale,
                           int64_t value);
/* Add what h holds to *to. */
void histogram_read(const struct histogram *h, struct histogram_sum *to);
uint64_t histogram_count(const struct histogram_sum *s);

#endif
