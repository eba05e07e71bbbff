/*
 * queue_workers: the workers, as they tell of themselves: read from Redis once, for whoever shows them.
 *
 *     ZREVRANGE hoist:workers  -->  ids, the one that was heard of last first
 *     HMGET hoist:worker:<id>  -->  about each, the fields below; all of them nothing when it was not heard of for a while
 *
 * Two round trips, one command a worker, at most QUEUE_WORKERS_MAX.  All that is in it is untrusted text.  A picture belongs to one
 * thread.
 */
#ifndef HOIST_SHARED_QUEUE_WORKERS_H
#define HOIST_SHARED_QUEUE_WORKERS_H

#include "shared/redis.h"

#include <stdbool.h>

enum { QUEUE_WORKERS_MAX = 100, QUEUE_WORKER_EXPIRE_MS = 45 * 1000 };

enum queue_worker_field {
    QUEUE_WORKER_HOST,
    QUEUE_WORKER_PID,
    QUEUE_WORKER_VERSION,
    QUEUE_WORKER_STARTED,     /* ms */
    QUEUE_WORKER_SEEN,        /* ms; nothing: its hash has expired */
    QUEUE_WORKER_ALIVE,       /* "no": it does not get on (worker/alive.h) */
    QUEUE_WORKER_QUIET,       /* "1": it is to begin no more (worker/queue/quiet.h) */
    QUEUE_WORKER_QUIET_SINCE, /* ms: it does not; 0 or nothing: it does */
    QUEUE_WORKER_QUEUES,      /* names with commas */
    QUEUE_WORKER_SLOTS,
    QUEUE_WORKER_RUNNING,
    QUEUE_WORKER_JOBS,   /* worker_jobs.h */
    QUEUE_WORKER_PAUSED, /* destinations that rest, and why */
    QUEUE_WORKER_FIELDS
};

/* All zero: none yet. */
struct queue_workers {
    struct redis_value *ids;
    struct redis_value *about[QUEUE_WORKERS_MAX]; /* each an array, by field */
    size_t count; /* of about; ids may name one more: there are others */
};

void queue_workers_release(struct queue_workers *w);

/* Look at the workers; *ret is released first.  ERR_RETRY: Redis is away, or busy; ERR_CONFIG; ERR_REJECT: what came is no
 * answer of ours.  *ret is empty then. */
MUST_CHECK enum err_code queue_workers_read(struct redis *r, struct queue_workers *ret,
                                            struct err *e);

/* Whether the value of its field `quiet` says so, as an operator may have written it: 1, yes or true. */
bool queue_worker_is_quiet(const struct redis_value *quiet);

const char *queue_workers_id(const struct queue_workers *w, size_t i, size_t *ret_len);

/* --- for those that ask in another way --- */

/* Commands to Redis, and a reply to each, which is the caller's: as redis_pipeline. */
typedef enum err_code queue_workers_ask(void *ctx, const struct redis_cmd *cmds,
                                        size_t count, struct redis_value **ret_replies,
                                        struct err *e);
/* As queue_workers_read; what ask says is wrong is its result. */
MUST_CHECK enum err_code queue_workers_read_by(queue_workers_ask *ask, void *ctx,
                                               struct queue_workers *ret,
                                               struct err *e);
/* Of one, as about[i]. */
void queue_workers_about_cmd(struct redis_cmd *c, const char *id);

#endif
