/*
 * queue_quota: the keys and the script of what the client of an [auth NAME] has (shared/queue/quota.lua, fcgi-app/auth/quota.h).
 *
 *     hoist:quota:{NAME}:jobs  ZSET  hoist:quota:{NAME}:day  HASH            one slot of a cluster for both
 *
 * Pure.
 */
#ifndef HOIST_SHARED_QUEUE_QUOTA_H
#define HOIST_SHARED_QUEUE_QUOTA_H

#include "shared/redis.h"

/* Append the name of a key: key is "jobs" or "day". */
void queue_quota_add_key(struct redis_cmd *c, const char *name, const char *key);
/* Begin the script with its keys; its arguments are the caller's. */
void queue_quota_begin(struct redis_cmd *c, const char *name);

#endif
