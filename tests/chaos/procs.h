/*
 * procs: what a process holds, from /proc: sampled after the warm-up and at the end, compared (I13).
 */
#ifndef HOIST_TESTS_CHAOS_PROCS_H
#define HOIST_TESTS_CHAOS_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCS_NAME_MAX = 31, PROCS_MAX = 64 };

struct procs_sample {
    char name
        [PROCS_NAME_MAX +
         1]; /* "worker-1": how the two samples are matched, the pid may be another */
    pid_t pid;
    int64_t descriptors;
    int64_t threads;
    int64_t rss_kib;
    int64_t zombies; /* children of it that nobody waits for */
};

/* What may be more at the end. */
struct procs_slack {
    int64_t descriptors, threads;
    int64_t rss_kib; /* this much ... */
    int rss_percent; /* ... or this share of the warm-up's, whichever is more */
};

/* False when there is no such process, or it is a zombie itself. */
bool procs_take(const char *name, pid_t pid, struct procs_sample *ret_sample);

/* True when `after` holds no more than `before` and the slack, and no zombie.  Else what is more stands in ret_text. */
bool procs_is_settled(const struct procs_sample *before,
                      const struct procs_sample *after, const struct procs_slack *slack,
                      char *ret_text, size_t size);

/* Children of this very process that are zombies: programs of the run that died unseen. */
int64_t procs_own_zombies(void);

#endif
