/*
 * chaos: one run and its phases.
 *
 *     chaos.c         main, storm and calm
 *     chaos_begin.c   everything started
 *     chaos_judge.c   the verdict, and what is printed
 */
#ifndef HOIST_TESTS_CHAOS_CHAOS_H
#define HOIST_TESTS_CHAOS_CHAOS_H

#include "tests/chaos/check.h"
#include "tests/chaos/clients.h"
#include "tests/chaos/faults.h"
#include "tests/chaos/options.h"
#include "tests/chaos/system.h"

enum { CHAOS_OURS_MAX = OPTIONS_WORKERS_MAX + SYSTEM_RESPONDERS };

struct run {
    const struct options *options;
    struct system system;
    struct store store;
    struct store_index
        *index; /* what has been replaced; not of the sink, whose log tells */
    struct ledger *ledger;
    struct clients *clients;
    struct poller *poller;
    struct watch *watch;
    struct faults *faults;
    char address[160], redis_url[160];
    struct procs_sample before[CHAOS_OURS_MAX], after[CHAOS_OURS_MAX];
    size_t sampled;
    int64_t began_ms, progress_ms, looked_ms, look_took_ms;
    bool reached, quiet;
};

extern const char *const chaos_queues[]; /* up to NULL */

/* What a run cannot do without: aborts with the error. */
void chaos_must(enum err_code code, const struct err *e, const char *what);

/* Start all of it, and the clients; returns when they have uploaded for two seconds. */
void chaos_begin(struct run *r, bool is_private);
/* What responders and workers hold now. */
void chaos_sample(struct run *r, struct procs_sample ret[CHAOS_OURS_MAX]);

/* When all has ended and responders and workers have stopped: print the table; true when every promise was kept. */
bool chaos_judge(struct run *r);
/* The faults, and how it went; false when that was not as it should be.  seconds: of the storm. */
bool chaos_print_summary(struct run *r, double seconds);

#endif
