/*
 * env: what every part of one running worker stands on.
 *
 * Filled in once by worker.c before the parts are made, constant afterwards, gone after all of them.  Everything in it
 * but config and spool (read only, and thread-safe) belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_ENV_H
#define HOIST_WORKER_ENV_H

#include "shared/config.h"
#include "shared/queue.h"
#include "shared/redis_async.h"
#include "shared/spool.h"

#include <uv.h>

struct outboxes;
struct removals;
struct tally;

struct worker_env {
    uv_loop_t *loop;
    const struct config *config;
    struct spool *spool;
    struct redis_async *redis; /* for everything but the blocking wait for work */
    struct queue_worker self;  /* our name and lease length, as scripts see them */
    struct removals *removals; /* spool files on their way out: removal.h */
    struct tally *tally;       /* what is counted for Prometheus; NULL: nobody counts */
    struct outboxes
        *outboxes;   /* what webhooks are told: hooks/outbox.h; NULL: nothing */
    bool only_looks; /* nothing is delivered: no directory is made for it */
};

/* The settings of a queue: those of [queue default] when it is not configured here. */
const struct config_queue *env_queue(const struct worker_env *env, const char *name);

/* [redis] url, with the password that stands beside it.  ERR_CONFIG, ERR_NOMEM. */
MUST_CHECK enum err_code env_redis_target(const struct config_redis *config,
                                          struct redis_target *ret, struct err *e);
/* Refuse a server that is not to be worked with: ERR_CONFIG; one that is away may come. */
MUST_CHECK enum err_code env_check_redis(const struct config_redis *config,
                                         const struct redis_target *target,
                                         struct err *e);

#endif
