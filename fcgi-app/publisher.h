/*
 * publisher: the thread that tells Redis of accepted uploads.
 *
 *     handler threads --publisher_push--> ring (jobs, bytes: bounded) --pipelines of up to 100--> Redis
 *
 * The promise to the client was made before: the manifest is on disk.  So a push never waits and never fails a
 * request.  While Redis is away jobs stay in the ring, in order, and are tried again with a backoff of 50 ms to 2 s;
 * when the ring is full a push is dropped and counted, and reconcile (shared/reconcile.h, run by the workers) enqueues
 * the job from its manifest.  A pipeline that failed half-way is sent again as a whole: enqueue is idempotent.
 *
 * What is wrong is logged once a minute for each kind of error: as a warning while Redis is away, as an error when an operator
 * must act (password, rights, a server that redis_check.h refuses).  It goes on trying in both cases.
 *
 * Queues are added to hoist:queues once at the start and again after every time Redis was away.
 */
#ifndef HOIST_FCGI_PUBLISHER_H
#define HOIST_FCGI_PUBLISHER_H

#include "shared/config.h"
#include "shared/err.h"
#include "shared/job.h"
#include "shared/redis.h"

struct publisher;

struct publisher_stats {
    int64_t published, dropped,
        refused; /* refused: Redis said no to it; reconcile meets it again */
    size_t waiting;
};

/* Start the thread.  config and redis must outlive it. */
MUST_CHECK enum err_code publisher_start(const struct config *config,
                                         const struct redis_options *redis,
                                         struct publisher **ret_publisher,
                                         struct err *e);
/* Send what is waiting, for at most flush_ms, then end the thread and free.  Takes NULL. */
void publisher_stop(struct publisher *p, int64_t flush_ms);

/* Any thread; copies what it needs of the jobs of one request.  own_batch: the batch that they alone make up; they are
 * enqueued so that it cannot end before the last of them is in (publish_ring.h).  NULL: none, or one that was opened. */
void publisher_push(struct publisher *p, const struct job *jobs, size_t count,
                    const struct uuid *own_batch);
struct publisher_stats publisher_stats(struct publisher *p);
/* Any thread.  What is wrong with Redis, as of the latest try: ERR_RETRY it is away, ERR_CONFIG an operator must act. */
enum err_code publisher_trouble(struct publisher *p, struct err *e);

#endif
