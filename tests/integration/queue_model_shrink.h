/*
 * queue_model_shrink: the shortest part of a failing sequence that still fails.
 *
 * Leaves out ever smaller runs of operations, then single items of one, then what ties jobs to others; until nothing more
 * can go.  Pure but for what fails() does.
 */
#ifndef HOIST_TESTS_INTEGRATION_QUEUE_MODEL_SHRINK_H
#define HOIST_TESTS_INTEGRATION_QUEUE_MODEL_SHRINK_H

#include "tests/integration/queue_model.h"

typedef bool model_fails_fn(const struct model_op *ops, size_t count, void *ctx);

/* ops fails; it is shortened in place.  Its new length. */
size_t model_shrink(struct model_op *ops, size_t count, model_fails_fn *fails,
                    void *ctx);

#endif
