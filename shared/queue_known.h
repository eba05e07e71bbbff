/*
 * queue_known: does Redis know any job of an idempotency key?  Pure: one command, whose reply is how many it knows.
 */
#ifndef HOIST_SHARED_QUEUE_KNOWN_H
#define HOIST_SHARED_QUEUE_KNOWN_H

#include "shared/key_record.h"
#include "shared/redis.h"

enum { QUEUE_KNOWN_MAX = 100 };

/* EXISTS of the first QUEUE_KNOWN_MAX of them, as far as they stand in the queue of the first: one slot of a cluster. */
void queue_known_cmd(struct redis_cmd *c, const struct key_record *r);

#endif
