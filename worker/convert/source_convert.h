/*
 * source_convert: jobs whose bytes go through converters on their way to the destination.
 *
 *     begin --> spool file --> [converters] --pipeline's stream--> the job's destination --> done
 *                   |                                                   ^
 *                   '-- hashed beside it, on the pool: what is not what the manifest says becomes no object
 *
 * It stands in the place of a destination: destinations_route gives it for such a job, and from begin to done it keeps what
 * destination.h promises, with what came out in the place of the job's bytes: outcome.out_sha256 and outcome.out_bytes tell of
 * that, outcome.sandbox what held the converters.  The file of the spool is the first one's standard input; nothing is copied.
 *
 *   - The bytes of a command come as source_command.h has them: a nameless file in the place of that of the spool.
 *   - The object's content type is that of the last converter that has one.
 *   - only_look: that an object is there under the job's key is enough.  What converters make need not be the same twice.
 *   - Failures: see pipeline.h; a converter that is not configured here is of class config; a spool file that is not what its
 *     manifest says is never tried again, whatever the converters made of it.
 *
 * Belongs to the loop's thread; hashing is on the pool.
 */
#ifndef HOIST_WORKER_SOURCE_CONVERT_H
#define HOIST_WORKER_SOURCE_CONVERT_H

#include "worker/dest/destinations.h"

/* destinations: where what comes out goes; outlives *ret. */
MUST_CHECK enum err_code source_convert_open(const struct worker_env *env,
                                             const struct destinations *destinations,
                                             struct destination **ret, struct err *e);

#endif
