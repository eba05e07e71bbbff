/*
 * workers_write: the workers (shared/queue_workers.h) as JSON, for whoever may see what.
 *
 * The JSON, as GET /v1/workers has it: those heard of within 45 s, the one that was heard of last first.
 *
 *     {"workers":[{"id":"web1-4711-k3","host":"web1","pid":4711,"version":"0.5.0",
 *       "started":"2026-11-29T20:00:00.000Z","seen":"2026-11-29T21:24:31.123Z",
 *       "alive":true,                                       false: it does not get on (worker/alive.h)
 *       "quiet":true,"quiet_since":"2026-11-29T21:20:00.000Z",    it is to begin no more; since when it does not: it has heard
 *       "queues":["default","docs"],                        those that the client may use
 *       "slots":32,"busy":2,                                jobs at once at most, and now: whoever they belong to
 *       "paused_destinations":"s3 (connection refused)",    left out when all of them run
 *       "jobs":[{"id":"default.0192…","name":"photo.jpg","phase":"uploading","size":4711,"sent":1200,"rate":800,
 *                "parts":7,"parts_done":3,"started":"2026-11-29T21:24:30.000Z"}]}],
 *      "more":false}
 *
 * jobs: the longest-running ones, at most WORKER_JOBS_MAX (shared/worker_jobs.h), at most 2.5 s old, and only those that
 * the client may see as it would by their ids; of others neither id nor name is told.  What a worker does not say (an older one, a job
 * without a name or parts) is left out.  more: there are workers beyond the first QUEUE_WORKERS_MAX.
 *
 * The same picture is written any number of times.
 */
#ifndef HOIST_FCGI_WORKERS_WRITE_H
#define HOIST_FCGI_WORKERS_WRITE_H

#include "fcgi-app/auth/access.h"
#include "shared/config.h"
#include "shared/queue_workers.h"

enum { WORKER_BYTES_MAX = 64 * 1024 /* of JSON, of one of them */ };

/* Append {"workers":[…],"more":…}, without a line end, as access may see it (NULL: all).  False: it did not fit (100 workers
 * with 20 jobs each may take 1 MiB; of what does not fit into b whole workers are left out, and more is true). */
/* One of them: id, and its fields as queue_workers_about_cmd reads them. */
void workers_write_one(const char *id, const struct redis_value *about,
                       const struct config *config, const struct access *access,
                       struct buf *b);
/* Whether the client may use all queues that it works on. */
bool workers_may_steer(const struct redis_value *about, const struct config *config,
                       const struct access *access);

bool workers_write(const struct queue_workers *w, const struct config *config,
                   const struct access *access, struct buf *b);

#endif
