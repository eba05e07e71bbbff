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
 *
 * Who is told, and when:
 *
 *     joins ---> fresh --all that there is--> told   |who was told longest ago ... who was told last|
 *                  ^                                  '----- what is new goes along it, a slice every few ms (pace.h) ---->
 *     has taken it |
 *     all          '--- stands in neither line <--- has not yet taken what came before
 *
 * What is new goes along the line once for each look: up to PACE_AT_ONCE listeners are told in the turn of the loop in which it is
 * known, thousands over most of a second.  The next look waits for the end of the line, so that everybody is told every text,
 * and the newest that there is; nobody is told twice within FEED_ACTIVE_MS.  Who has not taken what came before is left out,
 * and told all that there is by then once he has: he misses events of jobs, and nothing that lasts.  Who comes while a text goes
 * along the line is told all at once (a slice of those who come every PACE_STEP_MS), and is the last of the line.
 */
#ifndef HOIST_FCGI_FEED_H
#define HOIST_FCGI_FEED_H

#include "fcgi-app/auth/access.h"
#include "fcgi-app/events/outbox.h"
#include "fcgi-app/events/pace.h"
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
    FEED_TEXT_MAX = 2 * 1024 * 1024
};

struct listener;

/* Listeners one behind the other, by their ahead and behind. */
struct feed_line {
    struct listener *first, *last;
    size_t count;
};

/* A text, and its records for all whose requests have the same id. */
struct feed_text {
    struct buf text;
    struct message *wire; /* owned; NULL: not made yet */
    unsigned id;
};

struct feed_class {
    struct access access;
    size_t count;                 /* listeners */
    struct feed_text news, hello; /* what is new; all of it */
    bool has_hello;               /* of the latest pictures */
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
    bool has_pictures, away;
    int64_t read_ms, next_ms, history_ms;
    int64_t probe_ms, redraw_ms;
    /* What was counted last, to see whether anything happens: by this responder, in all queues. */
    int64_t published, places, sum;
    struct feed_job jobs[FEED_JOBS_MAX];
    size_t job_count, skipped;
    struct feed_line
        told; /* those of this round behind those who are still to be told */
    struct feed_line fresh; /* are to be told all that there is */
    unsigned round;         /* of telling what is new */
    struct pace pace;       /* of the round */
    int64_t fresh_ms;       /* not before */
};

#endif
