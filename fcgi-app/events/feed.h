/*
 * feed: what a dashboard shows, for everybody who listens to GET /v1/events.
 *
 *     events of the streams --+                                              .--> class "boss":  text --> its listeners
 *     the clock --------------+--> pictures of queues and workers, once -----+--> class "alice": text --> its listeners
 *
 * Listeners of one [auth] section see the same, so each text is written once for all of them.  Events:
 *     queues     {"queues":[…]}  as GET /v1/queues (queues_write.h); with the last hour at first and every FEED_HISTORY_MS
 *     workers    {"workers":[…],"more":false}  as GET /v1/workers (workers_write.h)
 *     job        {"id":…,"queue":…,"state":…}  of a job that began, failed or ended; only of queues all of whose jobs the client may see
 *     skipped    {"jobs":N}  so many more did, beyond FEED_JOBS_MAX since the last events
 *     redis      {"away":true}  what was told is old; false: it is not any more
 * What has not changed is not sent again.
 *
 * When: FEED_ACTIVE_MS after the last pictures at the earliest, once something has happened: a job was uploaded, began, failed or
 * ended; every FEED_RUNNING_MS while jobs run.  Else so seldom that all that Redis does for them, within scripts too, is
 * FEED_IDLE_RATE commands a second, whatever the number of queues and workers; ages, rates and the last hour go on without it
 * (FEED_REDRAW_MS), and one command for each queue, every 2 s a queue, finds out about jobs that others enqueued.
 * Who has not taken what came before is left out, and told all of it once he has.  FEED_CHUNK listeners are served in a
 * row, then others have their turn: thousands of them do not hold up a core for long.
 */
#ifndef HOIST_FCGI_FEED_H
#define HOIST_FCGI_FEED_H

#include "fcgi-app/auth/access.h"
#include "fcgi-app/events/sse.h"
#include "fcgi-app/jobs/queues_write.h"
#include "fcgi-app/jobs/workers_write.h"
#include "shared/job.h"

enum {
    FEED_JOBS_MAX = 64,
    FEED_ACTIVE_MS = 1000,
    FEED_RUNNING_MS = 2000,
    FEED_HISTORY_MS = 30000,
    FEED_REDRAW_MS = 10000,
    FEED_IDLE_RATE = 1,
    FEED_CHUNK = 50,
    FEED_CHUNK_MS = 4,
    FEED_TEXT_MAX = 2 * 1024 * 1024
};

struct feed_class {
    struct access access;
    size_t count;           /* listeners */
    struct buf news, hello; /* what is new; all of it */
    bool has_hello;         /* of the latest pictures */
    char queues_id[SSE_ID_SIZE], history_id[SSE_ID_SIZE],
        workers_id[SSE_ID_SIZE]; /* of what was told last */
};

struct feed_job {
    struct job_id id;
    enum job_state state;
};

struct feed {
    const struct config *config;
    struct feed_class *classes; /* nobody's, then one for each [auth] section */
    size_t class_count, count;  /* count: listeners of all of them */
    struct queues_picture queues;
    struct queue_workers workers;
    bool has_pictures, away, any_behind;
    int64_t read_ms, next_ms, history_ms;
    int64_t probe_ms, redraw_ms;
    /* What was counted last, to see whether anything happens: by this responder, in all queues. */
    int64_t published, places, sum;
    struct feed_job jobs[FEED_JOBS_MAX];
    size_t job_count, skipped;
    unsigned round;   /* of sending */
    size_t cursor;    /* so many of the list are still to be served */
    int64_t chunk_ms; /* not before */
};

#endif
