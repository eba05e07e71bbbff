/*
 * queue_limits: the limits of a queue in its conf (shared/queue.h), as JSON has them.  Pure.
 *
 *     rate, burst, group_rate, group_burst             numbers, 0.5 too          jobs a second, and how many at once
 *     max_inflight, group_max_inflight, max_length     whole numbers             jobs
 *     max_bytes                                        a whole number            bytes of jobs that have not ended
 *     retry_place                                      "place" | "tail"          where a retry goes
 *
 * 0: no limit; null: as if it had never been set.  Those that begin with group_ also with ":GROUP" behind them, for one
 * group alone.
 */
#ifndef HOIST_FCGI_QUEUE_LIMITS_H
#define HOIST_FCGI_QUEUE_LIMITS_H

#include "shared/json_flat.h"
#include "fcgi-app/http/problem.h"
#include "shared/buf.h"
#include "shared/redis.h"

enum { QUEUE_LIMITS = 9, QUEUE_LIMIT_TEXT = 16 };

/* The value of a member as it stands in conf; *ret_value "" with *ret_remove.  PROBLEM_BAD_VALUE names it. */
enum problem queue_limits_take(const struct json_member *m,
                               char ret_value[static QUEUE_LIMIT_TEXT],
                               bool *ret_remove, struct err *e);

/* HMGET of all that stand for the whole queue, and its reply as the members of an object: those that are set. */
void queue_limits_cmd(struct redis_cmd *c, const char *queue);
void queue_limits_add(struct buf *b, const struct redis_value *reply);

#endif
