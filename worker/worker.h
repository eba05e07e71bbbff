/*
 * worker: the life of one hoist-worker process.
 *
 *   open --> run:  claiming and uploading
 *                    | SIGTERM or SIGINT
 *                  draining: claims nothing; running uploads go on for drain_seconds
 *                    | none left, or time is up, or a second SIGTERM
 *                  giving back: uploads are aborted, their jobs released at their old place, attempt refunded;
 *                    |          at most GRACE_MS
 *                  unregistered, closed --> run returns
 *
 * One thread runs one libuv loop: libcurl, two Redis connections, timers and signals.  What blocks is on libuv's thread
 * pool (copies to file: destinations, removal of spool files, reconcile).
 *
 * Registration: every 15 s hoist:workers and hoist:worker:<id> (which expires after 45 s); removed at a clean end.
 * SIGTSTP: it begins no more, and goes on (queue/quiet.h).  SIGHUP is logged and changes nothing.  SIGPIPE is the caller's to ignore.
 */
#ifndef HOIST_WORKER_WORKER_H
#define HOIST_WORKER_WORKER_H

#include "shared/config.h"
#include "shared/err.h"
#include "shared/spool.h"

#include <stdbool.h>

struct worker;

/* Whether worker_open would refuse these settings.  Touches nothing. */
MUST_CHECK enum err_code worker_check(const struct config *config, struct err *e);

/* ERR_CONFIG: queues, Redis URL, or the Redis that answers is not to be worked with (redis_check.h); ERR_NOMEM.  config and spool outlive the worker. */
/* once: work until nothing is ready and nothing runs, showing how far it is on standard output (once.h), then drain by itself. */
MUST_CHECK enum err_code worker_open(const struct config *config, struct spool *spool,
                                     bool once, struct worker **ret, struct err *e);

/* Until it was asked to stop and has stopped.  True: everything is closed, worker_close may follow.  False: something
 * did not end in time (a disk that hangs, Redis away); the process is to _exit without touching anything. */
bool worker_run(struct worker *w);
/* After worker_run: print the sum of --once.  False: a job failed or died; always true without it. */
bool worker_conclude(struct worker *w);
/* After worker_run: whether it ended with jobs it could not give back (each is logged); their leases run out. */
bool worker_left_jobs(const struct worker *w);

void worker_close(struct worker *w); /* takes NULL */

#endif
