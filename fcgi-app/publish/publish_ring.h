/*
 * publish_ring: the jobs that wait to be told to Redis, in order, and which of them go in one call.  Pure; the caller
 * (publisher.c) has the lock, but for what is said to need none: those look at the first n alone, which nobody else does.
 *
 *     add (a request's jobs: all or none) --> [ slot slot slot | slot | slot ... ] --next--> n jobs, one call --> clear, drop
 *                                               together = 3     1      1
 *
 * Why jobs go together: a batch ends when all jobs that Redis knows of it have ended.  Were the jobs of a form enqueued
 * one after the other, a quick worker could end the batch with its first.  One enqueue call is atomic and leaves
 * nothing behind when its sender dies, so the jobs of a request go in one.  What one call cannot carry (several queues,
 * more than QUEUE_BATCH_MAX files) is put between opening the batch and closing it: slot->open is sent
 * before the first, slot->close after the last; all are idempotent, so a call that failed is sent again with them.
 * What is left is a job that only reconcile enqueues (Redis lost it, or the ring was full): then a batch may be said
 * to have ended before that one came; its numbers are right again when it has.
 */
#ifndef HOIST_FCGI_PUBLISH_RING_H
#define HOIST_FCGI_PUBLISH_RING_H

#include "shared/queue.h"

#include <stdbool.h>
#include <stddef.h>

enum { PUBLISH_RING_MAX = 8192, PUBLISH_RING_BYTES_MAX = 8 * 1024 * 1024 };

struct publish_slot {
    struct queue_entry entry;
    size_t
        together; /* so many, this one the first, go in one call; 0: it is not the first of them */
    struct redis_cmd *open,
        *close; /* owned; sent before or after the call; NULL: none */
};

struct publish_ring {
    struct publish_slot *slots; /* head .. head + count are taken */
    size_t head, count, bytes;
    struct queue_entry *call; /* what build puts side by side; nothing in it is owned */
};

/* ERR_NOMEM. */
MUST_CHECK enum err_code publish_ring_init(struct publish_ring *r, struct err *e);
void publish_ring_release(struct publish_ring *r); /* takes one that init failed for */

/* Slots for the jobs of one request, not in a ring yet; own_batch: the batch they alone make up, or NULL.  On failure
 * (no memory, a job that cannot be encoded) all is released. */
bool publish_slots_init(struct publish_slot *slots, const struct job *jobs,
                        size_t count, const struct uuid *own_batch);
void publish_slots_release(struct publish_slot *slots, size_t count);

/* Takes the slots over; false when they do not all fit: they are still the caller's. */
bool publish_ring_add(struct publish_ring *r, const struct publish_slot *slots,
                      size_t count);
/* How many jobs from the head the next call carries: of one queue, at most QUEUE_BATCH_MAX, not too many bytes. */
size_t publish_ring_next(const struct publish_ring *r);
/* The call for the first n.  Without the lock, as the next three. */
void publish_ring_build(const struct publish_ring *r, size_t n, struct redis_cmd *ret);
/* What is to be sent before and after it; NULL: nothing. */
const struct redis_cmd *publish_ring_open(const struct publish_ring *r);
const struct redis_cmd *publish_ring_close(const struct publish_ring *r, size_t n);
/* Gives back what the first n hold, when they are over; returns how many bytes those were.  Only drop may follow. */
size_t publish_ring_clear(struct publish_ring *r, size_t n);
/* They are in the ring no more. */
void publish_ring_drop(struct publish_ring *r, size_t n, size_t bytes);

#endif
