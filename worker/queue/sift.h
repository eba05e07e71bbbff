/*
 * sift: how many jobs may be claimed from a queue most of whose jobs cannot run now.  Pure; time is an argument.
 *
 * The default destination of the queue takes nothing (flow.h).  What is in the queue for others must get through all the
 * same, and nothing but claiming tells where a job goes; those that cannot run are held back (given back, with a delay).
 * So claims are paid for, and those that brought a job that runs are paid back:
 *
 *     sift_take(3) --> one runs: sift_give_back      two were held back: they are what it costs
 *
 * The allowance: 100 at once, and then 1 a second where no job for another destination was seen for 10 minutes, which is
 * nearly nothing; 100 a second where one was.  Jobs that are held back come back with the next probe, in front of the others, so
 * that at least the first 100 jobs of a queue are seen, and those behind them as far as 100 a second reach.
 */
#ifndef HOIST_WORKER_SIFT_H
#define HOIST_WORKER_SIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIFT_AT_ONCE = 100, SIFT_MIXED_MS = 10 * 60 * 1000 };

struct sift {
    int64_t allowed;  /* thousandths of a job */
    int64_t at_ms;    /* as of then */
    int64_t mixed_ms; /* when a job for another destination was seen last; 0: never */
};

/* Jobs that may be claimed now.  A zeroed struct is a fresh one; now_ms > 0 never goes back. */
size_t sift_allows(struct sift *s, int64_t now_ms);
void sift_take(struct sift *s, size_t count);
/* That many were not there, or ran after all. */
void sift_give_back(struct sift *s, size_t count);
/* A job for another destination than the queue's own was seen. */
void sift_saw_other(struct sift *s, int64_t now_ms);
bool sift_is_mixed(const struct sift *s, int64_t now_ms);

#endif
