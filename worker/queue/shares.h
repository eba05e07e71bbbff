/*
 * shares: which queue gets the next free slot.  Pure.
 *
 *     shares_want(i, true) -- there may be work -->  shares_allot(slots) = {3, 1}
 *                                                        |-- shares_take(0, 3): asked for
 *                                                        '-- shares_give_back(0, 2): only one came
 *
 * Strict (weight 0 in all of them): the first queue that wants gets every slot.
 * Weighted: a slot costs its queue 1/weight, and the queue that has used least gets the next one, the first of equal
 * ones: with weights 5 and 1 that is 0 1 0 0 0 0, and so on.  What was not used is given back and goes to the others.  A
 * queue that wanted nothing for a while begins where the others are: it saves nothing up.
 */
#ifndef HOIST_WORKER_SHARES_H
#define HOIST_WORKER_SHARES_H

#include "shared/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shares {
    struct share {
        unsigned weight; /* 1 .. CONFIG_WEIGHT_MAX, or 0 in all of them */
        uint64_t used;   /* what its slots have cost so far */
        bool wants;
    } of[CONFIG_QUEUES_MAX];
    size_t count;
    uint64_t now; /* what the queue had used that got the latest slot */
};

/* Whether queue i wants slots. */
void shares_want(struct shares *s, size_t i, bool wants);
/* So many slots are free: ret_slots[i] of them for queue i.  All 0 when none wants any.  Takes nothing. */
void shares_allot(const struct shares *s, size_t slots, size_t *ret_slots);
void shares_take(struct shares *s, size_t i, size_t slots);
void shares_give_back(struct shares *s, size_t i, size_t slots);

#endif
