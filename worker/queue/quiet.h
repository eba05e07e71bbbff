/*
 * quiet: a worker that begins no more, and does not stop.
 *
 *     hoist:worker:<id>  quiet 1 | 0   <-- POST /v1/workers/{id}/quiet, /resume, or HSET
 *              | HGET, in one write with each beat of the registration (registration.h): no round trip of its own
 *              v
 *     quiet, and SIGTSTP -->  what runs goes on to its end, what was claimed ahead is given back (transfer.h),
 *              |              nothing is claimed (claimer.h) until it is 0, or the worker is started anew
 *              '-->  quiet_since ms (0: it is not) in the same hash: the worker has heard it
 *
 * A worker that does not claim still does what must not depend on it: it reaps what has expired, readies what falls due, enqueues
 * the ticks of schedules and reconciles.
 *
 * It hears of it within 2 s while it has jobs or is quiet, else within 15 s.  A worker that starts says 0, whatever one of its
 * name has left there; when the hash has expired, or somebody removed the field, it says what it is.  What a signal said holds
 * against what stands in Redis until Redis has taken it.
 * With --once: a quiet worker ends when what it runs has ended, and SIGTSTP stops the process, as a terminal expects it.
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_QUIET_H
#define HOIST_WORKER_QUIET_H

#include "worker/env.h"
#include "worker/transfer.h"

struct quiet {
    const struct worker_env *env;
    struct transfers *transfers;
    bool is_quiet;
    bool untold; /* what it is has to be written before what stands there is read */
    unsigned telling; /* such writes under way */
    int64_t since_ms; /* wall clock; 0: it is not quiet */
    uv_signal_t signal;
};

/* Initialise the handle; the storage is the caller's and must outlive its closing. */
void quiet_init(struct quiet *q, const struct worker_env *env,
                struct transfers *transfers);
/* Listen for SIGTSTP.  ERR_NOMEM. */
MUST_CHECK enum err_code quiet_start(struct quiet *q, struct err *e);
/* Ask whether it is to be quiet, beside other commands: Redis is ready. */
void quiet_beat(struct quiet *q);
void quiet_close(struct quiet *q);

#endif
