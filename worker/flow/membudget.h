/*
 * membudget: how much memory the buffers of streams may take in one worker.  Pure.
 *
 *     [worker] memory  =  held by claims  +  free
 *                             ^               |
 *                             '---- take -----'  in turns: first those that hold nothing, among equals who came first
 *
 * A claim is one stream's.  It asks for one buffer at a time: it has it now, or waits for it and is told when it has it.
 *
 * Guarantees
 *   - Never is more held than the limit.
 *   - Nobody overtakes: what is free stays free while the first in the queue waits for more than that.  So a large
 *     buffer is not starved by small ones, and one who holds nothing never waits for those who want a second one.
 *   - No deadlock, as long as whoever waits gives back by itself what it holds (parts under way end; a buffer that is being
 *     filled belongs to a stream that waits for its maker, not for memory).
 * Belongs to one thread.
 */
#ifndef HOIST_WORKER_MEMBUDGET_H
#define HOIST_WORKER_MEMBUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct membudget_claim;

struct membudget {
    int64_t limit, held; /* bytes */
    struct membudget_claim *first;
};

struct membudget_claim {
    struct membudget *budget;
    int64_t held;                 /* bytes */
    int64_t wanted;               /* waits for so many; 0: for none */
    struct membudget_claim *next; /* in the queue */
    /* What it waited for is held now.  Comes from inside another's give, leave or take: it must not call into here. */
    void (*granted)(int64_t bytes, void *ctx);
    void *ctx;
};

void membudget_init(struct membudget *b, int64_t limit_bytes);
/* A claim that holds nothing; both stay the caller's. */
void membudget_claim_init(struct membudget_claim *c, struct membudget *b,
                          void (*granted)(int64_t bytes, void *ctx), void *ctx);
/* Hold so many bytes more, 1 to the limit.  False: not now, granted comes when they are.  It waits for nothing yet. */
bool membudget_take(struct membudget_claim *c, int64_t bytes);
/* Hold so many bytes less. */
void membudget_give(struct membudget_claim *c, int64_t bytes);
/* Wait for nothing: granted does not come any more. */
void membudget_forgo(struct membudget_claim *c);
/* Whether somebody who holds nothing waits. */
bool membudget_is_short(const struct membudget *b);
/* Hold nothing, wait for nothing: granted does not come any more.  Again: nothing happens. */
void membudget_leave(struct membudget_claim *c);

#endif
