/*
 * queues_write: a picture of all queues: read from Redis once, then written as JSON for whoever may see what.
 *
 *     queues_read  -- one pipeline, two commands a queue, O(log n) -->  struct queues_picture  -- queues_write -->  {"queues":[…]}
 *
 * The JSON, as GET /v1/queues has it; GET /v1/queues/{q} is one element, always with its history:
 *
 *     {"queues":[{"name":"default",
 *       "ready":3,"scheduled":0,"running":2,"dead":1,"done":17,"grouped":0,"behind":0,        jobs now
 *       "bytes":4711,                                                                         of jobs that have not ended
 *       "enqueued_total":23,"done_total":17,"failed_total":4,"retried_total":3,"dead_total":1,
 *       "cancelled_total":0,"crashed_total":0,                                                since ever
 *       "rates":{"enqueued":0.25,"done":0.20,"failed":0.00,"dead":0.00,"bytes":104857},       a second, of the last 60 s
 *       "history":{"last_minute":"2026-11-29T21:24:00.000Z",                                  when asked for
 *         "enqueued":[60 numbers],"done":[…],"failed":[…],"dead":[…],"bytes":[…]},            oldest first; the last one is
 *       "oldest":"2026-11-29T21:20:00.123Z",                                                  of the minute under way
 *       "oldest_age_seconds":272.104,"paused":false,"limits":{"rate":5}}]}
 *
 * oldest: when the oldest job that is ready was made; left out when there is none (the age is 0.000 then).
 *
 * A picture is written any number of times, and holds no more than Redis' replies.  It belongs to one thread; others make
 * their own, with a connection of their own.
 */
#ifndef HOIST_FCGI_QUEUES_WRITE_H
#define HOIST_FCGI_QUEUES_WRITE_H

#include "fcgi-app/auth/access.h"
#include "shared/config.h"
#include "shared/redis.h"

enum { QUEUES_CMDS = 2 /* for each queue */ };

/* All zero: none yet. */
struct queues_picture {
    const struct config_queue
        *queues; /* count of them, in a row, of the configuration */
    size_t count;
    int64_t at_ms; /* wall clock: when it was read */
    struct redis_value *replies[QUEUES_CMDS * CONFIG_QUEUES_MAX];
};

void queues_picture_release(struct queues_picture *p);

/* Look at all configured queues; *ret is released first.  ERR_RETRY: Redis is away, or busy; ERR_CONFIG; ERR_REJECT: what
 * came is no answer of ours.  *ret is empty then. */
MUST_CHECK enum err_code queues_read(struct redis *r, const struct config *config,
                                     struct queues_picture *ret, struct err *e);

/* Who is to see it; all zero: everything, without history. */
struct queues_view {
    const struct config *config;
    const struct access *access; /* whose queues alone; NULL: all */
    bool with_history;
};

/* Append {"queues":[…]}, without a line end.  False: it did not fit (64 queues with history may take 400 KiB). */
bool queues_write(const struct queues_picture *p, const struct queues_view *view,
                  struct buf *b);

/* --- for routes, which ask through the breaker --- */

/* The commands for these queues into cmds (initialised), QUEUES_CMDS for each.  Their replies go to ret->replies. */
void queues_cmds(const struct config_queue *queues, size_t count,
                 struct redis_cmd *cmds, struct queues_picture *ret);
/* ERR_REJECT, ERR_RETRY as above: whether all replies can be understood. */
MUST_CHECK enum err_code queues_check(const struct queues_picture *p, struct err *e);
/* One element; without its age it is the same as long as nothing happens, for tags. */
bool queues_write_one(const struct queues_picture *p, size_t i, bool with_history,
                      bool with_age, struct buf *b);

#endif
