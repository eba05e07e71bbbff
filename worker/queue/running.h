/*
 * running: what this worker tells of the jobs that it runs, for its list of workers (shared/worker_jobs.h has the text).
 *
 * The WORKER_JOBS_MAX that have run longest, oldest first: how far they are now.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_RUNNING_H
#define HOIST_WORKER_RUNNING_H

#include "shared/buf.h"
#include "worker/transfer.h"

/* Append the lines; those that do not fit are left out. */
void running_describe(struct transfers *s, struct buf *b);

#endif
