/*
 * watch: a thread that looks at the queues while the run is on, for what cannot be seen any more at its end.
 *
 *     hoist:{Q}:events  --XREAD, all entries-->  one state for each job, and what may follow it     (I8)
 *     status script     --one atomic look-->     enqueued = waiting + scheduled + running + done + dead + cancelled  (I10)
 *
 * I8.  A job that is done stays so: nothing follows (running, waiting, scheduled, dead or a second end of it), and `done`
 * follows `running` alone: an end that was taken after the lease had gone back to the line would follow `waiting`, and the end
 * of the next owner would be the second one.
 *
 * Rollbacks.  What Redis forgot (a kill without appendfsync always, a restored dump, FLUSHALL) may happen again.  The thread
 * forgets the states it knows whenever the server could not be asked (a restart shows as a broken connection) or `enqueued` went
 * back; the caller says watch_forget before and after what it does itself.  I10 holds at any instant of any history.
 * Thread rules: start, stop and free by one thread, the others by any.
 */
#ifndef HOIST_TESTS_CHAOS_WATCH_H
#define HOIST_TESTS_CHAOS_WATCH_H

#include "shared/err.h"

#include <stdint.h>

enum { WATCH_QUEUES_MAX = 8, WATCH_EXAMPLES = 5, WATCH_EXAMPLE_MAX = 160 };

struct watch_options {
    const char *redis_url; /* straight to the server, not through a proxy */
    const char *queues[WATCH_QUEUES_MAX + 1]; /* up to NULL */
    int every_ms;                             /* between two looks; 0: 50 */
};

struct watch_counts {
    int64_t looks;       /* status, of one queue */
    int64_t events;      /* pairs of uuid and state */
    int64_t missed;      /* times the log of events had been cut before it was read */
    int64_t forgets;     /* times all states were forgotten */
    int64_t out_of_turn; /* I8: events that may not follow */
    int64_t unbalanced;  /* I10: looks that do not add up */
    int64_t ended;       /* jobs known to have ended since the last forget */
    char turn_examples[WATCH_EXAMPLES][WATCH_EXAMPLE_MAX];
    char balance_examples[WATCH_EXAMPLES][WATCH_EXAMPLE_MAX];
};

struct watch;

/* ERR_CONFIG: a url or queue that cannot be; ERR_RETRY: no thread; ERR_NOMEM. */
MUST_CHECK enum err_code watch_start(const struct watch_options *o,
                                     struct watch **ret_watch, struct err *e);
/* Reads what is left of the events first, when the server is there.  Twice is once. */
void watch_stop(struct watch *w);
void watch_free(struct watch *w); /* takes NULL */

void watch_forget(struct watch *w);
struct watch_counts watch_counts(struct watch *w);

#endif
