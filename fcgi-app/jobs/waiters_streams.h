/*
 * waiters_streams: where the waiters thread stands in the event stream of each queue it waits for.  Pure: commands out,
 * replies in.
 *
 *     streams_forget, streams_use(queue) ...  which queues anybody waits for now
 *     streams_position_cmd -> streams_set_position       where a stream ends, before a record is read
 *     streams_read_cmd     -> streams_parse              what came after that
 */
#ifndef HOIST_FCGI_WAITERS_STREAMS_H
#define HOIST_FCGI_WAITERS_STREAMS_H

#include "shared/id.h"
#include "shared/redis.h"

#include <stdbool.h>

enum { STREAMS_MAX = 64, STREAMS_ID_MAX = 47, STREAMS_READ_MAX = 200 };

struct stream {
    char queue[ID_QUEUE_MAX + 1];
    char last[STREAMS_ID_MAX + 1]; /* id of the latest event seen; "" when not known */
    bool used;
};

struct streams {
    struct stream list[STREAMS_MAX]; /* queues beyond it are looked at by time alone */
    size_t count;
};

/* Mark all as unused; drop those nobody used since the last time. */
void streams_forget(struct streams *s);
void streams_use(struct streams *s, const char *queue);

/* XREVRANGE of the last event. */
void streams_position_cmd(const struct streams *s, const char *queue,
                          struct redis_cmd *ret);
/* Take its reply, unless a position is known already. */
void streams_set_position(struct streams *s, const char *queue,
                          const struct redis_value *reply);

/* XREAD of all used streams whose position is known; false when there is none. */
bool streams_read_cmd(const struct streams *s, int block_ms, struct redis_cmd *ret);
/* Move the positions on, and call on_end for each event that says a job ended. */
void streams_parse(struct streams *s, const struct redis_value *reply,
                   void (*on_end)(void *ctx, const char *queue, const char *uuid),
                   void *ctx);

#endif
