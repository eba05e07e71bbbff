/*
 * streams: where a reader stands in the event stream of each queue.  Pure: commands out, replies in.
 *
 *     streams_position_cmd -> streams_set_position       where a stream ends, before any record is read
 *     streams_read_cmd     -> streams_parse              what came after that
 */
#ifndef HOIST_FCGI_STREAMS_H
#define HOIST_FCGI_STREAMS_H

#include "shared/id.h"
#include "shared/job.h"
#include "shared/redis.h"

#include <stdbool.h>

enum {
    STREAMS_MAX = 64, /* queues */
    STREAMS_ID_MAX = 47,
    STREAMS_READ_MAX = 1000 /* entries of each queue a call */
};

struct stream {
    char queue[ID_QUEUE_MAX + 1];
    char last[STREAMS_ID_MAX + 1]; /* id of the latest event seen; "" when not known */
};

struct streams {
    struct stream list[STREAMS_MAX];
    size_t count;
};

struct streams_sink {
    void (*on_event)(void *ctx, const char *queue, const char *uuid,
                     enum job_state state);
    void *ctx;
};

/* XREVRANGE of the last event. */
void streams_position_cmd(const char *queue, struct redis_cmd *ret);
/* Take its reply.  An error there leaves the stream out. */
void streams_set_position(struct streams *s, const char *queue,
                          const struct redis_value *reply);
bool streams_has(struct streams *s, const char *queue);

/* XREAD of all streams whose position is known; false when there is none. */
bool streams_read_cmd(const struct streams *s, int block_ms, struct redis_cmd *ret);
/* Move the positions on, and tell the sink of each event.  True: there may be more at once. */
bool streams_parse(struct streams *s, const struct redis_value *reply,
                   const struct streams_sink *sink);

#endif
