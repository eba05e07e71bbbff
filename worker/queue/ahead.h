/*
 * ahead: how many jobs may be claimed beyond those that can run now.  Pure.
 *
 *     a slot is free --claim--start--> runs        two round trips to Redis in which the slot stands empty
 *     claimed and started before ----> runs        none
 *
 * A job that is claimed ahead is kept from other workers, so this is done only where it will not wait long: while jobs of late
 * ran for less than AHEAD_RUN_MS each on average, as many are claimed ahead as can run at once.  One that has not begun after
 * AHEAD_WAIT_MS all the same is given back, at its old place and with its attempt, and none is claimed ahead before
 * AHEAD_SAMPLES more have run.
 */
#ifndef HOIST_WORKER_AHEAD_H
#define HOIST_WORKER_AHEAD_H

#include <stddef.h>
#include <stdint.h>

enum { AHEAD_RUN_MS = 50, AHEAD_WAIT_MS = 1000, AHEAD_SAMPLES = 16 };

struct ahead {
    unsigned
        samples; /* since the beginning or the latest one that waited; at most AHEAD_SAMPLES */
    int64_t mean_us; /* of these, the latest counting an eighth */
};

/* One ran for so long, however it ended. */
void ahead_note(struct ahead *a, int64_t run_us);
/* One waited in vain. */
void ahead_forget(struct ahead *a);
/* So many more may be claimed than the concurrency. */
size_t ahead_count(const struct ahead *a, size_t concurrency);

#endif
