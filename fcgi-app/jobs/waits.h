/*
 * waits: what a 202 may say of Redis' replicas and of its append-only file, beside the spool.
 *
 *     [redis] wait_replicas = 2   WAIT 2 ms         "replicas":N   so many had the job
 *     [redis] wait_aof = yes      WAITAOF 1 0 ms    "aof":true     the master's file is synced; Redis 7.2 up, else false
 *
 * Both speak of what was written before them on the same connection.  Nothing is refused for their sake: the upload is in
 * the spool.  Both together take at most four fifths of [redis] wait_ms; what is left is for the way.
 *
 * Once an answer fell short it is not worth a wait for every upload: for WAITS_SHORT_MS Redis is only asked how things
 * stand (WAITS_GLANCE_MS), then waited for again, at most WAITS_PROBE_MS, until the answer is whole.
 *
 * A handler that waits costs a thread: at most half of [http] max_threads do so at a time; whoever comes then is answered
 * without.  Any thread may call anything, but for the connection.
 */
#ifndef HOIST_FCGI_WAITS_H
#define HOIST_FCGI_WAITS_H

#include "shared/config.h"
#include "shared/redis.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { WAITS_SHORT_MS = 1000, WAITS_GLANCE_MS = 10, WAITS_PROBE_MS = 100 };

struct waits {
    const struct config_redis *config;
    int max_waiting;
    atomic_int waiting;
    _Atomic int64_t short_until_ms; /* 0: the latest answer was whole */
};

struct waits_answer {
    int64_t replicas;
    bool aof;
};

void waits_init(struct waits *w, const struct config *config);
/* Whether the configuration asks for either. */
bool waits_is_wanted(const struct waits *w);
/* A handler begins to wait, and ends; false: too many do. */
bool waits_begin(struct waits *w);
void waits_end(struct waits *w);

/* How long the next question may take, now; at least 1.  Changes w: of those who ask when it is time, one waits. */
int64_t waits_budget_ms(struct waits *w, int64_t now_ms);
/* Whether the answer was all that was asked for. */
void waits_note(struct waits *w, bool is_whole, int64_t now_ms);

/* Ask on r, after the writes that are meant, made while redis_connections(r) was `connection`.  What cannot be known is 0,
 * false.  ERR_RETRY, ERR_CONFIG: Redis is away. */
MUST_CHECK enum err_code waits_ask(struct waits *w, struct redis *r, int64_t connection,
                                   struct waits_answer *ret, struct err *e);

#endif
