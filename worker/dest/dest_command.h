/*
 * dest_command: the destination command:NAME: a [command NAME] is given the job's bytes.  Any program is a task.
 *
 *     begin --> all bytes are hashed, on the pool --right--> the program runs, the file is its standard input --ended--> outcome
 *                                              '-- wrong --> never, and nothing has run
 *
 *   status 0      done; the first line of its standard output, plain text of up to 2 KiB, is the job's url, else command:NAME
 *   status 65     never tried again (EX_DATAERR of sysexits.h: the bytes are at fault)
 *   status 75     tried again (EX_TEMPFAIL)
 *   status 78     tried again, rarely (EX_CONFIG), as when there is no such program
 *   any other, a signal, beyond time_limit or max_bytes: tried again.  The word of each failure is "command", its text has what the
 *   program wrote last on its standard error, up to 4 KiB and harmless.
 *
 * Guarantees
 *   - It is not started before its input is known to be right: what a program has done cannot be undone.
 *   - It runs as child.h says, as for converters (convert_env.h), with HOIST_SCHEDULE, HOIST_TICK, HOIST_KEY, HOIST_SIZE and
 *     HOIST_SHA256 besides; it is ended as a command that makes bytes is (source_command.h).
 *   - At least once: a worker that dies while it runs, or just after, runs it again.  HOIST_JOB_ID is the same then.
 *   - What it did cannot be looked at: a look is `blind`.
 *
 * It takes a descriptor, not a stream (dest_whole.h stands before it).  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_DEST_COMMAND_H
#define HOIST_WORKER_DEST_COMMAND_H

#include "worker/dest/destination.h"
#include "worker/env.h"

/* config: CONFIG_COMMAND; it and env outlive *ret.  ERR_NOMEM. */
MUST_CHECK enum err_code dest_command_open(const struct worker_env *env,
                                           const struct config_destination *config,
                                           struct destination **ret, struct err *e);

#endif
