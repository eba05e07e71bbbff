/*
 * alive: whether this worker works, told to whoever can restart it.
 *
 *   a claim, a finish or a wait for work has succeeded within ALIVE_LIMIT_MS (15 s), or it drains --> alive
 *   none has (Redis hangs, is a replica, refuses us, our loop is stuck)                           --> not alive
 *
 *                        while alive                            when it is not any more
 *   log                  -                                      "not alive", once; "alive again" once
 *   hoist:worker:<id>    alive yes                              alive no, where Redis still takes it
 *   NOTIFY_SOCKET        WATCHDOG=1 every 2.5 s, or at half     nothing: a unit with WatchdogSec= is restarted
 *                        of what WATCHDOG_USEC allows
 *   [worker] alive_file  touched as often                       removed; at the end, too
 *
 * The process goes on trying and may come back by itself: to end it is the supervisor's decision.  After the start it has
 * ALIVE_LIMIT_MS, too.  A worker that is busy, and asks for nothing, is made to look at a queue after half that time.
 * A stuck loop tells nothing; then the age of the file, or the silence of the watchdog, does.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_ALIVE_H
#define HOIST_WORKER_ALIVE_H

#include "shared/log_limit.h"
#include "worker/queue/claimer.h"
#include "worker/env.h"
#include "worker/notify.h"

enum { ALIVE_LIMIT_MS = 15 * 1000, ALIVE_TICK_MS = 2500 };

struct alive {
    const struct worker_env *env;
    struct claimer *claimer; /* NULL: not started, or it drains */
    void (*on_change)(bool is_alive, void *ctx);
    void *ctx;
    bool is_alive;
    int64_t begun_ms; /* monotonic: when it was started */
    struct notify notify;
    struct log_limit said;
    uv_timer_t timer;
};

/* Initialise the timer; the storage is the caller's and must outlive its closing. */
void alive_init(struct alive *a, const struct worker_env *env);
/* Begin to judge this claimer; on_change is called for each change, later. */
void alive_start(struct alive *a, struct claimer *claimer,
                 void (*on_change)(bool is_alive, void *ctx), void *ctx);
/* It drains: that ends by itself, so it counts as alive until then. */
void alive_drain(struct alive *a);
void alive_close(struct alive *a);

#endif
