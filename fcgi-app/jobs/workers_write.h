/*
 * workers_write: a picture of the workers: read from Redis once, then written as JSON for whoever may see what.
 *
 *     workers_read  -- two round trips, one command a worker, at most WORKERS_MAX -->  struct workers_picture
 *                                                                 -- workers_write -->  {"workers":[…],"more":false}
 *
 * The JSON, as GET /v1/workers has it: those heard of within 45 s, the one that was heard of last first.
 *
 *     {"workers":[{"id":"web1-4711-k3","host":"web1","pid":4711,"version":"0.5.0",
 *       "started":"2026-11-29T20:00:00.000Z","seen":"2026-11-29T21:24:31.123Z",
 *       "alive":true,                                       false: it does not get on (worker/alive.h)
 *       "queues":["default","docs"],                        those that the client may use
 *       "slots":32,"busy":2,                                jobs at once at most, and now: whoever they belong to
 *       "paused_destinations":"s3 (connection refused)",    left out when all of them run
 *       "jobs":[{"id":"default.0192…","name":"photo.jpg","phase":"uploading","size":4711,"sent":1200,"rate":800,
 *                "parts":7,"parts_done":3,"started":"2026-11-29T21:24:30.000Z"}]}],
 *      "more":false}
 *
 * jobs: the longest-running ones, at most WORKER_JOBS_MAX (shared/worker_jobs.h), at most 2.5 s old, and only those that
 * the client may see as it would by their ids; of others neither id nor name is told.  What a worker does not say (an older one, a job
 * without a name or parts) is left out.  more: there are workers beyond the first WORKERS_MAX.
 *
 * A picture is written any number of times.  It belongs to one thread; others make their own, with a connection of their
 * own.
 */
#ifndef HOIST_FCGI_WORKERS_WRITE_H
#define HOIST_FCGI_WORKERS_WRITE_H

#include "fcgi-app/auth/access.h"
#include "shared/config.h"
#include "shared/redis.h"

enum { WORKERS_MAX = 100, WORKER_BYTES_MAX = 64 * 1024 /* of JSON, of one of them */ };

/* All zero: none yet. */
struct workers_picture {
    struct redis_value *ids; /* id, ms, id, ms …: latest first */
    struct redis_value *about[WORKERS_MAX];
    size_t count;
};

void workers_picture_release(struct workers_picture *p);

/* Look at the workers; *ret is released first.  ERR_RETRY: Redis is away, or busy; ERR_CONFIG; ERR_REJECT: what came is no
 * answer of ours.  *ret is empty then. */
MUST_CHECK enum err_code workers_read(struct redis *r, struct workers_picture *ret,
                                      struct err *e);

/* Append {"workers":[…],"more":…}, without a line end, as access may see it (NULL: all).  False: it did not fit (100 workers
 * with 20 jobs each may take 1 MiB; of what does not fit into b whole workers are left out, and more is true). */
bool workers_write(const struct workers_picture *p, const struct config *config,
                   const struct access *access, struct buf *b);

/* --- for the route, which asks through the breaker --- */

void workers_ids_cmd(struct redis_cmd *c);
/* For each of at most WORKERS_MAX ids in p->ids, whose number becomes p->count; cmds are initialised. */
void workers_about_cmds(struct workers_picture *p, struct redis_cmd *cmds);

#endif
