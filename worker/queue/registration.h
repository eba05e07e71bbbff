/*
 * registration: this worker in the list of workers, and its queues in the list of queues.
 *
 *     hoist:workers ZSET (last seen)   hoist:worker:<id> HASH (expires)   hoist:queues SET
 *         of the hash: host, pid, version, started, queues, slots; seen, running, alive, paused_destinations, jobs, quiet_since
 *
 * Told every 15 s, whenever Redis comes back and when alive (worker/alive.h) or the destinations that rest (worker/flow/flow.h) change; the jobs (running.h) every 2 s while there are any.  A worker that dies is forgotten by its hash after 45 s, by the list
 * after seven days.  Nothing relies
 * on it but people and the dashboard.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_REGISTRATION_H
#define HOIST_WORKER_REGISTRATION_H

#include "worker/env.h"
#include "worker/queue/quiet.h"
#include "worker/transfer.h"

struct registration {
    const struct worker_env *env;
    struct transfers *transfers; /* how many run, and how far they are */
    struct quiet *quiet; /* asked with each beat, and while it is quiet every 2 s */
    int64_t started_ms;
    bool jobs_told; /* the latest list had some */
    char host[256];
    bool is_alive;     /* as told last */
    struct buf paused; /* as told last: flows_describe */
    struct log_limit said;
    uv_timer_t timer, jobs_timer;
};

/* Initialise the timer; the storage is the caller's and must outlive its closing. */
void registration_init(struct registration *r, const struct worker_env *env,
                       struct transfers *transfers, struct quiet *quiet);
void registration_start(struct registration *r);
/* Tell now, queues included: Redis is ready. */
void registration_announce(struct registration *r);
/* The field alive is "yes" or "no" from now on; tells it. */
void registration_alive(struct registration *r, bool is_alive);
/* Destinations rest, or rest no more: tells which, where that is news. */
void registration_flow_changed(struct registration *r);
/* Leave the list; done is called with ctx when that is answered, or at once when Redis is away. */
void registration_leave(struct registration *r, redis_async_fn *done, void *ctx);
void registration_close(struct registration *r);

#endif
