/*
 * source_url: jobs whose bytes are at a URL (shared/job.h).
 *
 *     begin --fetch.h--> the answer has come --> the job's destination takes the stream --> done
 *                 '--> anything else: a failure of the word "fetch"
 *
 * It stands in the place of a destination: destinations_route gives it for such a job, and from begin to done it keeps what
 * destination.h promises.  The outcome of a done job has the sha256 and, as `sent`, the size.
 *
 * What is fetched goes through the job's converters, if it has any (stream_convert.h).  The object has the media type of the
 * last converter that has one, else that which the job names, else that of the answer.  Nothing is fetched unless [fetch] enabled says so;
 * max_bytes of the job's queue holds, too.
 *
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_SOURCE_URL_H
#define HOIST_WORKER_SOURCE_URL_H

#include "worker/dest/destinations.h"

struct http;

/* destinations: where the bytes of a job go then; it and http outlive *ret. */
MUST_CHECK enum err_code source_url_open(const struct worker_env *env,
                                         const struct destinations *destinations,
                                         struct http *http, struct destination **ret,
                                         struct err *e);

#endif
