/*
 * queue_internal: what queue*.c share: building the call of a script.  Only they include it.
 */
#ifndef HOIST_SHARED_QUEUE_INTERNAL_H
#define HOIST_SHARED_QUEUE_INTERNAL_H

#include "shared/queue.h"
#include "queue_scripts.h"

/* The call of a script: the keys of the queue in the order of lib.lua; those of `jobs` jobs follow. */
void queue_begin(struct redis_cmd *c, const struct redis_script *s, const char *queue,
                 size_t jobs);
/* A number as the scripts reckon with it exactly: 0 to 999,999,999,999,999, what is beyond drawn in. */
int64_t queue_number(int64_t n);
void queue_add_number(struct redis_cmd *c, int64_t n);

#endif
