/*
 * dest_many: a job with several destinations, up to TO_LIST_MAX, each of which gets its bytes.
 *
 *                   ,--> s3-main   arrived before (job.arrived): nothing is done
 *     begin -- dup -+--> archive   ---- done    --> arrived, told in outcome.arrived and with the next beat
 *                   '--> partner   ---- failure --> tried again by the next attempt
 *
 * It stands in the place of a destination: destinations_find gives it for a list of names.
 *
 *   - The job is done when it has arrived everywhere.  An attempt runs, at the same time, those where it has not.
 *   - An attempt in which one has failed is a failure, its text "NAME: why; NAME: why", its class that of the first one that can
 *     be mended by a retry: so a destination that refuses it for good holds up none of the others.  Dead it is once nothing is
 *     left but such, or its attempts are used up; where it has arrived it stays, and a retry does not send it there again.
 *   - Where nothing has failed but one could not take it now (outcome.hold_ms), the job is given back without an attempt.
 *   - The url and etag of a done job are those of the first destination; all of them stand in job.arrived.
 *   - Progress is the mean of all.
 *   - only_look: absent when it is absent at one, done when it is at all, those left out where nobody can look (`blind`).
 *
 * It takes a descriptor, not a stream (dest_whole.h stands before it).  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_DEST_MANY_H
#define HOIST_WORKER_DEST_MANY_H

#include "worker/dest/destinations.h"

/* destinations: where it finds them; outlives *ret.  ERR_NOMEM. */
MUST_CHECK enum err_code dest_many_open(uv_loop_t *loop,
                                        const struct destinations *destinations,
                                        struct destination **ret, struct err *e);

#endif
