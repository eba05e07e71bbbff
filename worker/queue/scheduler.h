/*
 * scheduler: makes the jobs of [schedule NAME] when they are due.
 *
 *     timer: a tick --TIME, HGET schedules NAME--> last tick known to Redis --.
 *                                                                           |-> none: this tick becomes it, nothing runs
 *                                                                           |-> this one or later: nothing
 *                                                                           '-> earlier: enqueue, then HSET this tick
 *
 * Every worker does it, none leads, none needs to be told of another: the id of the job is a function of schedule and
 * tick (id_of_tick), and enqueue is idempotent on the id.  hoist:{Q}:schedules HASH name -> ms of the last tick.
 *
 * Guarantees
 *   - One job a tick, however many workers there are.  A crash between enqueue and HSET repeats the enqueue, which finds
 *     the job there; this holds as long as its record does (keep_done_seconds of the queue, at least a minute).
 *   - What was missed while no worker or no Redis was there runs once: of all past ticks only the latest counts.
 *   - A schedule that Redis does not know runs from its next tick on, not at once; so after FLUSHALL, too.
 *   - The clock is Redis': it is asked at each tick, before anything is done, and what the local clock is off is remembered
 *     until then.  A worker whose own clock is ahead asks too early and waits again; one that is behind is late until
 *     its first tick, and the others are not.
 *   - Between ticks no commands.  The timer looks at the local clock every half minute, for it may have been set.
 *
 * A schedule is the business of every worker that has it in its configuration, also where its queue is not one that the
 * worker works on.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_SCHEDULER_H
#define HOIST_WORKER_SCHEDULER_H

#include "worker/env.h"

struct scheduler;

/* ERR_CONFIG: a time zone has gone since the configuration was checked; ERR_NOMEM. */
MUST_CHECK enum err_code scheduler_open(const struct worker_env *env,
                                        struct scheduler **ret, struct err *e);
/* Redis is ready (again): look at every schedule. */
void scheduler_resume(struct scheduler *s);
/* Make no more jobs. */
void scheduler_stop(struct scheduler *s);
/* It is gone when its handles are closed and the commands under way answered, which the closing of env->redis does. */
void scheduler_close(struct scheduler *s); /* takes NULL */

#endif
