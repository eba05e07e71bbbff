/*
 * discovery: which queues there are, as hoist:queues says.
 *
 * One command, bounded: of more than DISCOVERY_MAX names it gives that many, picked at random, so that none stays
 * unseen for ever.  What is no name of a queue is left out.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_DISCOVERY_H
#define HOIST_WORKER_DISCOVERY_H

#include "worker/env.h"

enum { DISCOVERY_MAX = 256 };

struct discovery {
    void (*found)(const char *name, void *ctx); /* for each name, in their order */
    void (*over)(void *ctx); /* once, behind them, or when no answer came */
    void *ctx;
};

/* Ask.  *d outlives the answer. */
void discovery_ask(const struct worker_env *env, struct discovery *d);

#endif
