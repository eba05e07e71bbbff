/*
 * room: whether a queue has room for another upload, asked before its body is read.
 *
 *     max_length, max_bytes in the queue's conf   against   what it holds
 *
 * Redis is asked at most once a second for each queue, by whoever comes first then, on a connection of its own with a
 * deadline of ROOM_TIMEOUT_MS: an upload never waits longer than that for a Redis that hangs, once a second.  Others
 * go by what was seen last.  While Redis is away there is room: uploads are accepted, and wait in the spool.  So a limit
 * is kept to within a second; enqueue keeps it to the job, and what it refuses (FULL) stays in the spool until there
 * is room.  Looks count for the breaker, and while it is open nobody looks.
 *
 * When there will be room again is told from the rate at which the queue's jobs have been ending lately (water.h, drain).
 * Any thread may call anything.
 */
#ifndef HOIST_FCGI_ROOM_H
#define HOIST_FCGI_ROOM_H

#include "fcgi-app/publish/breaker.h"
#include "fcgi-app/http/problem.h"
#include "shared/config.h"
#include "shared/redis.h"

enum { ROOM_LOOK_MS = 1000, ROOM_TIMEOUT_MS = 100 };

struct rooms;

MUST_CHECK enum err_code rooms_open(const struct config *config,
                                    const struct redis_options *redis,
                                    struct breaker *breaker, struct rooms **ret_rooms,
                                    struct err *e);
void rooms_close(struct rooms *r); /* takes NULL */

/* One more file of so many bytes (-1: not known) for this queue of the configuration.
 * PROBLEM_QUEUE_FULL   not now; *ret_retry_after is in seconds
 * PROBLEM_TOO_LARGE    never: it alone is more than the queue's max_bytes */
enum problem rooms_check(struct rooms *r, const struct config_queue *queue,
                         int64_t bytes, int *ret_retry_after, struct err *e);
/* For one that enqueue found full. */
int rooms_retry_after(const struct rooms *r, const char *queue);

#endif
