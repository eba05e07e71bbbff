/*
 * bench_queue: what its files share.  See hoist.c for what the program is.
 */
#ifndef HOIST_TESTS_BENCH_QUEUE_HOIST_H
#define HOIST_TESTS_BENCH_QUEUE_HOIST_H

#include "shared/clock.h"
#include "shared/queue.h"

enum { BATCH = QUEUE_BATCH_MAX, LEASE_MS = 10000, WAIT_S = 5, SAMPLES_MAX = 10000 };

extern const char queue_name[sizeof "default"];

struct bench {
    struct redis *redis;
    struct redis_options options;
    int64_t jobs, samples, seconds, concurrency;
    const char *mode;
    struct queue_worker worker;
    uint64_t turn;
};

/* Say what went wrong, and end. */
_Noreturn void die(const char *what, const struct err *e);
double seconds_since(int64_t start_us);
struct redis_value *call(struct bench *b, const struct redis_cmd *c);

/* hoist_producer.c: enqueue so many jobs; the seconds it took. */
double enqueue_all(struct bench *b, int64_t jobs, const char *mode);

/* hoist_worker.c */

/* Run what is waiting, at most most jobs (then what is claimed is given back), to its end; the seconds from the first
 * claim to the last end. */
double drain(struct bench *b, int64_t most, int64_t *ret_done);
/* One job at a time, enqueued while a worker, a process of its own, waits for it: ms from before the call of enqueue until
 * it may run. */
void measure_idle(struct bench *b, double *ret_ms, size_t count);

/* hoist_quiet.c: hoist-worker of the same build for so many seconds with nothing to do; prints its memory. */
void run_quiet(struct bench *b);

#endif
