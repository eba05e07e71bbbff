/*
 * publisher: the thread that tells Redis of accepted uploads.
 *
 *     handler threads --publisher_push--> ring (jobs, bytes: bounded) --pipelines of up to 100--> Redis
 *
 * The promise to the client was made before: the manifest is on disk.  So a push never waits and never fails a
 * request.  While Redis is away jobs stay in the ring, in order, and are tried again with a backoff of 50 ms to 500 ms;
 * when the ring is full a push is dropped and counted, and reconcile (shared/reconcile.h, run by the workers) enqueues
 * the job from its manifest.  A pipeline that failed half-way is sent again as a whole: enqueue is idempotent.
 *
 * What is wrong is logged once a minute for each kind of error: as a warning while Redis is away, as an error when an operator
 * must act (password, rights, a server that redis_check.h refuses).  It goes on trying in both cases.
 *
 * A handler may wait for what Redis says of its jobs, publisher_push_wait: whether one with a unique key is a duplicate, and
 * how many replicas have them (waits.h); the thread asks for that after the call that carried the last of them, once for
 * all who wait.  All jobs go through the ring, so that they come to Redis in the order of their acceptance.
 *
 * Queues are added to hoist:queues once at the start and again after every time Redis was away.
 */
#ifndef HOIST_FCGI_PUBLISHER_H
#define HOIST_FCGI_PUBLISHER_H

#include "fcgi-app/publish/publish_tickets.h"
#include "fcgi-app/jobs/waits.h"
#include "shared/config.h"
#include "shared/err.h"
#include "shared/histogram.h"
#include "shared/job.h"
#include "shared/redis.h"

struct publisher;

struct publisher_stats {
    int64_t published, dropped,
        refused; /* refused: Redis said no to it; reconcile meets it again */
    size_t waiting;
};

struct publisher_options { /* what they point at must outlive the publisher */
    const struct config *config;
    const struct redis_options *redis;
    struct waits *waits;
    struct histogram *redis_us; /* round trips are noted there; NULL: nowhere */
};

/* Start the thread. */
MUST_CHECK enum err_code publisher_start(const struct publisher_options *o,
                                         struct publisher **ret_publisher,
                                         struct err *e);
/* Send what is waiting, for at most flush_ms, then end the thread and free.  Takes NULL. */
void publisher_stop(struct publisher *p, int64_t flush_ms);

/* Any thread; copies what it needs of the jobs of one request.  own_batch: the batch that they alone make up; they are
 * enqueued so that it cannot end before the last of them is in (publish_ring.h).  NULL: none, or one that was opened. */
void publisher_push(struct publisher *p, const struct job *jobs, size_t count,
                    const struct uuid *own_batch);
enum { PUBLISHER_ANSWER_MS = 100 };

/* The same, and wait for what there is to learn: of a job with a unique key (it is alone then) PUBLISHER_ANSWER_MS for its
 * answer, then, where it is configured, until [redis] wait_ms are over for the replicas.  Not at all while Redis is known
 * to be away or when the ring is full.  Also where Redis said no, publisher_push has happened: what it refused (FULL) and
 * is_known tells is the caller's to take back. */
void publisher_push_wait(struct publisher *p, const struct job *jobs, size_t count,
                         const struct uuid *own_batch, struct publish_answer *ret);
/* Wait until Redis has heard of all that was pushed before, PUBLISHER_SETTLE_MS at most; not while it is away. */
enum { PUBLISHER_SETTLE_MS = 5000 };
void publisher_settle(struct publisher *p);
struct publisher_stats publisher_stats(struct publisher *p);
/* Any thread.  What is wrong with Redis, as of the latest try: ERR_RETRY it is away, ERR_CONFIG an operator must act. */
enum err_code publisher_trouble(struct publisher *p, struct err *e);

#endif
