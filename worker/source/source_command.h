/*
 * source_command: jobs whose bytes are what a configured command writes on its standard output.
 *
 *     begin --> the command runs --status 0--> its output is hashed --> the job's destination --> done
 *                    |   |                                                    ^
 *                    |   '-- anything else: a failure of class "command"      |
 *                    '-- a nameless file in spool/tmp ------------------------'
 *
 * It stands in the place of a destination: destinations_route gives it for such a job, and from begin to done it keeps
 * what destination.h promises.  The outcome of a done job has the sha256, and as `sent` the size.  Where an earlier attempt has
 * put its output under a key that is the job's alone, that is the object: a command need not write the same twice.
 *
 * Guarantees
 *   - Nothing is uploaded before the command has ended with status 0, and then all that it wrote: no half output.
 *   - It runs as child.h says, with PATH, HOME=/ and LANG=C, HOIST_JOB_ID, HOIST_SCHEDULE (the schedule that made the job,
 *     or empty) and HOIST_TICK (when it was due, RFC 3339 in UTC), and nothing else.
 *   - It is ended, with its process group, after time_limit (SIGTERM, SIGKILL 5 s later), when it has written more than
 *     max_bytes, and when the run is aborted (SIGTERM, SIGKILL half a second later: a worker that stops has no more).
 *   - What it wrote last on its standard error, up to 4 KiB and as harmless text, stands in outcome.detail of a failure.
 *
 * Belongs to the loop's thread; hashing is on the pool.
 */
#ifndef HOIST_WORKER_SOURCE_COMMAND_H
#define HOIST_WORKER_SOURCE_COMMAND_H

#include "worker/dest/destinations.h"

/* destinations: where the bytes of a job go then; outlives *ret. */
MUST_CHECK enum err_code source_command_open(const struct worker_env *env,
                                             const struct destinations *destinations,
                                             struct destination **ret, struct err *e);

#endif
