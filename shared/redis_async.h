/*
 * redis_async: a connection to Redis on a libuv loop.  Commands, replies and error classes as in shared/redis.h.
 *
 *     CLOSED --connect--> CONNECTING --AUTH, SELECT, HELLO-free handshake, INFO (check), SCRIPT LOAD--> READY
 *        ^                    |                                                                            |
 *        '---- backoff (50 .. 500 ms, full jitter) <---- time-out, I/O error, error reply to the handshake -'
 *
 * It connects by itself and goes on connecting until closed.  A command sent while not READY fails at once with
 * ERR_RETRY: the caller decides what to keep.  A command without an answer within its time-out closes the connection:
 * every command under way fails with ERR_RETRY, in the order in which they were sent.
 *
 * The backoff grows also when connections end within 2 s of being READY, so that a replica, which lets one log in but does
 * nothing, is not asked fifty times a second.
 *
 * Replies come in the order of the commands: one sent behind a blocking command waits for it, and its time-out is then at
 * least that of the command in front.  Use a connection of its own for blocking commands.  What is sent in one turn
 * of the loop goes out in one write.  With 65,536 commands, or 32 MiB of them, under way further ones fail with ERR_RETRY.
 * A script that the server has forgotten is loaded again and its command sent again, behind those sent meanwhile.
 *
 * Every callback is called exactly once, on the loop, never from inside redis_async_send.  All calls belong to the
 * loop's thread.  Nothing may be sent after on_closed.  Without memory for a callback that is owed, beyond 64
 * that are kept for it, the program aborts.
 */
#ifndef HOIST_SHARED_REDIS_ASYNC_H
#define HOIST_SHARED_REDIS_ASYNC_H

#include "shared/histogram.h"
#include "shared/redis.h"

#include <uv.h>

struct redis_async;

struct redis_async_options {
    struct redis_target target; /* copied */
    int connect_timeout_ms;
    int timeout_ms; /* of a command, unless it says another */
    /* NULL-terminated, loaded on every connect; may be NULL. */
    const struct redis_script *const *scripts;

    void (*on_ready)(void *ctx); /* (re)connected */
    /* It was ready, or failed to become so: once per attempt. */
    void (*on_lost)(const struct err *why, void *ctx);
    void *ctx;
};

/* reply is NULL when code is not ERR_OK (e says why; an error reply of the server counts as an error); it is valid
 * only during the callback. */
typedef void redis_async_fn(enum err_code code, const struct redis_value *reply,
                            const struct err *e, void *ctx);

MUST_CHECK enum err_code redis_async_open(uv_loop_t *loop,
                                          const struct redis_async_options *o,
                                          struct redis_async **ret_redis,
                                          struct err *e);
/* Fails what is under way (ERR_RETRY) on a later turn of the loop, then calls on_closed.  The handle is gone then. */
void redis_async_close(struct redis_async *r, void (*on_closed)(void *ctx), void *ctx);

bool redis_async_is_ready(const struct redis_async *r);
/* wait_ms: added to the time-out, for blocking commands.  The command is copied. */
void redis_async_send(struct redis_async *r, const struct redis_cmd *c, int wait_ms,
                      redis_async_fn *fn, void *ctx);
/* Commands sent and not answered yet. */
size_t redis_async_pending(const struct redis_async *r);
/* Of commands that do not block (wait_ms 0), by histogram_redis_us; belongs to r. */
const struct histogram *redis_async_round_trips(const struct redis_async *r);
/* What the server said of itself when last asked (redis_check.h); belongs to r. */
const struct redis_facts *redis_async_facts(const struct redis_async *r);

#endif
