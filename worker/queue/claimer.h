/*
 * claimer: keeps free slots filled, at the price of almost no commands while there is nothing to do.
 *
 *            wake (BZPOPMIN, own connection) --.
 *   timer: a job falls due, a lease runs out --+--> once an iteration of the loop: who gets which free slots (shares.h);
 *   transfers have ended, slots are free ------'    one call per queue (turns.h): its ends, and a claim of so many
 *                                                     |-> jobs: transfers_add
 *                                                     |-> due: promote each      (all workers may do so at once:
 *                                                     '-> expired: reap each      the scripts check again)
 *
 * Guarantees
 *   - Never claims more than there are free slots, and what may be claimed ahead (ahead.h); slots asked for in calls under way
 *     are reserved.
 *   - Ends are sent in the iteration of the loop in which they come, in one call per queue, at most QUEUE_BATCH_MAX; while
 *     a call of that queue is under way they wait for its reply.
 *   - Without weights, strict order: a queue is asked only when those before it are not known to have work.  With
 *     weights: shares.h.  Slots that are the turn of a queue whose call is under way are kept for it until its reply.
 *   - With "*", queues that others add to hoist:queues are found within 5 s, as long as there are not more than
 *     CONFIG_QUEUES_MAX; what is not configured has the settings of [queue default] and comes last.
 *   - Idle: one wait of 5 s for all queues; one look per queue each 5 s, with more queues rarer (all together 0.4 a
 *     second), but once a lease; with "*" one look at hoist:queues each 5 s.  So at most 0.2 commands a second per queue,
 *     and 0.4 for all.
 *   - A look at least once a lease, full or not: the lease of a dead worker is seen before it runs out, and reaped as it
 *     does; a job that falls due is made ready for whoever has a slot.
 *   - A queue whose default destination rests (flow.h) is not claimed from, but for one job when a probe is due, and for
 *     what sift.h allows, so that what is in it for other destinations gets through.  Nothing waits for it meanwhile.  A queue in which
 *     jobs of another destination are held back is claimed from at the rate of sift.h, too.
 *   - A broken queue (a key of a wrong type) is looked at only once per interval, and logged.
 *
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_CLAIMER_H
#define HOIST_WORKER_CLAIMER_H

#include "worker/env.h"
#include "worker/transfer.h"

struct claimer;

/* Makes its own connection for the wait. */
MUST_CHECK enum err_code claimer_open(const struct worker_env *env,
                                      struct transfers *transfers,
                                      const struct redis_target *target,
                                      struct claimer **ret, struct err *e);
/* Claim no more.  Ends are told on, and jobs in replies still under way are given to transfers, which gives them back.
 * What a call may have claimed whose reply never came is left to its lease, unless it finishes something. */
void claimer_stop(struct claimer *c);
/* Claim nothing while it is quiet; what is due or has expired is looked at as before. */
void claimer_quiet(struct claimer *c, bool is_quiet);
/* Commands whose replies are still wanted. */
size_t claimer_pending(const struct claimer *c);
/* Close the connection and timers, then call on_closed; c is gone then. */
void claimer_close(struct claimer *c, void (*on_closed)(void *ctx), void *ctx);

/* Monotonic: when a claim, a finish or a wait for work last succeeded; 0: never. */
int64_t claimer_last_ok_ms(const struct claimer *c);
/* Look at a queue now, for want of anything else to ask Redis. */
void claimer_probe(struct claimer *c);

/* Nothing is asked for, and nothing known that could be: each queue was looked at and had no job ready, or none may be claimed
 * (claimer_quiet). */
bool claimer_is_idle(const struct claimer *c);

/* The main connection is ready (again): repeat what was not heard, look at every queue. */
void claimer_resume(struct claimer *c);
/* A slot has become free. */
void claimer_slot_free(struct claimer *c);
/* A transfer has ended, done or cancelled: it goes with the next call of its queue. */
void claimer_end(struct claimer *c, struct transfer *ended);
/* A job that was claimed has begun, or is held back because its destination rests. */
void claimer_judge(struct claimer *c, const struct transfer *t, bool held);
/* Destinations rest, or rest no more. */
void claimer_flow_changed(struct claimer *c);
/* A job of this queue will be due in delay_ms. */
void claimer_expect(struct claimer *c, const char *queue, int64_t delay_ms);

struct claimer_entry {
    const struct config_queue *queue;
    unsigned weight; /* of its share of the slots; 0 in all of them: strict order */
};
/* The queues that `[worker] queues` means, in order: every configured one for "*".  *ret_count of at most
 * CONFIG_QUEUES_MAX.  Where one has a weight, those without one weigh 1.  ERR_CONFIG: a name that is not configured, or
 * given twice, or none at all. */
MUST_CHECK enum err_code claimer_queues(const struct config *config,
                                        struct claimer_entry *ret_entries,
                                        size_t *ret_count, struct err *e);
/* Whether it is "*": queues that are not configured are worked on too. */
bool claimer_takes_all(const struct config *config);

#endif
