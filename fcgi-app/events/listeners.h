/*
 * listeners: everybody who waits for something to happen, all in one thread that never waits for any of them.
 *
 *     handler --listeners_park--> LISTENER_WAITS  ?wait=, Prefer: wait   the job's status, once it has ended or the time is over
 *                                 LISTENER_JOB    /v1/jobs/{id}/events   each change of its state and progress, to its end
 *                                 LISTENER_FEED   /v1/events             what a dashboard shows (feed.h)
 *
 *     Redis --reader.h: events--> the jobs that are watched (watches.h) --HGETALL--> outbox.h --> their listeners
 *
 * A listener costs a descriptor and some hundred bytes; no thread, no reader, no question of its own to Redis: a job's record
 * is read once for all who watch it.  Guarantees:
 *   - The position in the streams is taken before a record is read, so no change falls between the two.  A change is told
 *     within about 100 ms; progress, which workers write every lease/3, is looked for every second (more seldom from 200
 *     watched running jobs on).  A job of a queue whose stream cannot be read is looked at every 5 s.
 *   - While nothing happens Redis is asked once or twice in 5 s, for any number of listeners; without any not at all.
 *   - Whose client left is closed within 100 ms; who has not taken what he was sent for [http] send_timeout_seconds, or is
 *     OUTBOX_MAX messages behind, is dropped.  Every LISTENERS_BEAT_MS of silence there is a comment, so that web servers and
 *     proxies do not give the connection up.
 *   - A stream ends, for its client to come again and be asked for its rights anew, after about an hour, and when the
 *     responder stops.
 *   - While Redis is away all stay; what happened meanwhile is told when it is back.
 *
 * Bounds: [http] max_waiters and max_listeners.  Threads: any may park; the rest is the one thread's.
 */
#ifndef HOIST_FCGI_LISTENERS_H
#define HOIST_FCGI_LISTENERS_H

#include "fcgi-app/http/exchange.h"
#include "shared/job.h"

enum { LISTENERS_BEAT_MS = 15000, LISTENERS_RETRY_MS = 2000 };

struct listeners;

enum listener_kind { LISTENER_WAITS, LISTENER_JOB, LISTENER_FEED, LISTENER_KINDS };

/* app->gate and app->redis must be set. */
MUST_CHECK enum err_code listeners_start(struct app *app, struct listeners **ret,
                                         struct err *e);
/* Answer whoever waits still, end all streams, end the thread, free.  Takes NULL. */
void listeners_stop(struct listeners *l);

/* How many wait (WAITS), or have a stream open (JOB and FEED). */
size_t listeners_count(struct listeners *l, enum listener_kind kind);

struct listener_wish {
    enum listener_kind kind;
    struct job *job; /* WAITS, JOB: its state now; taken over (JOB_INIT is left) */
    int64_t seconds; /* WAITS: so long */
    bool
        is_new; /* WAITS: the request made the job: with its Location, and while it has not ended 202 */
    const char *told; /* JOB: sse_make_id of what the client knows; "": of nothing */
};

/* Park x's request, of which nothing has been answered; of streams x->response is the beginning, finished.  The request's
 * body must have been read.  False: there are as many of the kind as may be, or no memory: x and the job are as before. */
bool listeners_park(struct listeners *l, struct exchange *x,
                    const struct listener_wish *wish);

#endif
