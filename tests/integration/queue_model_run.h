/*
 * queue_model_run: a sequence of queue_model.h's operations in the Redis of queue_harness, compared with the model.
 *
 * After each operation its answer is compared, and every so often all that stands in Redis with all that stands in the
 * table; there the law of conservation is reckoned from Redis' own numbers too.
 */
#ifndef HOIST_TESTS_INTEGRATION_QUEUE_MODEL_RUN_H
#define HOIST_TESTS_INTEGRATION_QUEUE_MODEL_RUN_H

#include "tests/integration/queue_model.h"

enum { MODEL_WHY_MAX = 4096 };

struct model_run {
    struct model model;
    int64_t tokens[MODEL_WORKERS][MODEL_JOBS]; /* what each worker was told */
    int look_every;                            /* operations between two looks at all */
    long answers[MODEL_KINDS][QUEUE_FULL + 1]; /* how often each was given */
    long recalled;                             /* repeats that were remembered */
    char why[MODEL_WHY_MAX];                   /* what did not agree */
};

/* Run count operations from an empty Redis on; with random they are made on the way and written to ops.  The number of
 * those that agreed: count, or else ops[that number] did not, and why says how. */
size_t model_run(struct model_run *run, struct model_op *ops, size_t count,
                 struct model_random *random);

/* Whether the operations fail, looked at after each of them; for model_shrink. */
bool model_fails(const struct model_op *ops, size_t count, void *run);

/* --- Parts of it --- */

struct model_name {
    char text[16];
};
struct model_name model_worker_name(const struct model_run *run, int worker);
struct job_id model_job_id(int job);
int model_job_of(const char *uuid);
struct queue_lease model_lease(const struct model_run *run, int worker, int job);
void model_set_clock(struct redis_cmd *c, int64_t now);
/* The command of an operation that is one: not start, configure and crash. */
void model_build(struct redis_cmd *c, const struct model_run *run,
                 const struct model_op *op);
/* Compare all that stands in Redis. */
bool model_look(struct model_run *run);

#endif
