/*
 * cluster_ops: the queue's operations on a Redis Cluster, a line each, for test_cluster and cluster_load.
 *
 * What shared/queue.h calls them and how they are grouped in calls is known to cluster_ops.c alone.
 *
 * A call that fails (not: that answers something unexpected) leaves its reason in `failure`, answers QUEUE_LOST or
 * nothing, and so does each one after it: a thread needs to look once, at its end.  One thread at a time.
 */
#ifndef HOIST_TESTS_INTEGRATION_CLUSTER_OPS_H
#define HOIST_TESTS_INTEGRATION_CLUSTER_OPS_H

#include "shared/queue.h"
#include "tests/support/cluster_client.h"

struct ops {
    struct cluster_client *client;
    struct queue_worker worker;
    uint64_t turn;
    struct err failure;           /* code ERR_OK: all is well */
    char state[QUEUE_STATE_SIZE]; /* that came with the last answer, "" for none */
};

/* A job that was started: what finish must know. */
struct ops_run {
    struct queue_lease lease;
    int64_t attempts;
};

/* "hoist:{queue}:name" */
struct ops_key {
    char text[128];
};
struct ops_key ops_key(const char *queue, const char *name);

/* deadline_ms: how long a call may be redirected or refused with TRYAGAIN. */
void ops_open(struct ops *o, int port, const char *worker, int64_t lease_ms,
              int deadline_ms);
void ops_close(struct ops *o);

/* Any command about this queue; NULL when it fails.  The caller frees the reply. */
struct redis_value *ops_run(struct ops *o, const char *queue,
                            const struct redis_cmd *c);

enum queue_answer ops_enqueue(struct ops *o, const struct job *j);
void ops_claim(struct ops *o, const char *queue, size_t want,
               struct queue_claimed *ret);
/* Block until the queue has work, at most so long. */
void ops_wait(struct ops *o, const char *queue, double seconds);
enum queue_answer ops_start(struct ops *o, const struct queue_lease *l,
                            struct ops_run *ret);
enum queue_answer ops_begun(struct ops *o, const struct queue_lease *l);
enum queue_answer ops_beat(struct ops *o, const struct queue_lease *l, int64_t sent);
/* ret_next: what was claimed in the same call. */
enum queue_answer ops_finish(struct ops *o, const struct ops_run *r,
                             enum job_state state, size_t want,
                             struct queue_claimed *ret_next);
enum queue_answer ops_fail(struct ops *o, const struct queue_lease *l,
                           int64_t retry_ms);
enum queue_answer ops_release(struct ops *o, const struct queue_lease *l);
enum queue_answer ops_promote(struct ops *o, const struct job_id *id);
enum queue_answer ops_reap(struct ops *o, const struct job_id *id);
enum queue_answer ops_cancel(struct ops *o, const struct job_id *id);
enum queue_answer ops_retry(struct ops *o, const struct job_id *id);
enum queue_answer ops_reprioritize(struct ops *o, const struct job_id *id,
                                   int64_t priority);
enum queue_answer ops_open_batch(struct ops *o, const char *queue,
                                 const struct uuid *batch);
struct queue_status ops_status(struct ops *o, const char *queue);
/* The caller releases the job. */
struct job ops_show(struct ops *o, const struct job_id *id);

#endif
