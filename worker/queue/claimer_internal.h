/*
 * claimer_internal: the state of a claimer, for claimer.c (time, life cycle), claimer_reply.c, claimer_decide.c and
 * claimer_blocked.c (destinations that rest).
 */
#ifndef HOIST_WORKER_CLAIMER_INTERNAL_H
#define HOIST_WORKER_CLAIMER_INTERNAL_H

#include "shared/log_limit.h"
#include "worker/queue/claimer.h"
#include "worker/queue/discovery.h"
#include "worker/queue/shares.h"
#include "worker/queue/sift.h"
#include "worker/queue/turns.h"
#include "worker/queue/waiter.h"

enum { CLAIMER_AGAIN_MS = 500 }; /* after Redis was there and would not */

struct claim_queue {
    struct claimer *claimer;
    char name[ID_QUEUE_MAX + 1];
    struct turns turns;
    bool maybe;        /* there may be something to claim */
    bool woken;        /* we hold its wake marker: look even without a free slot */
    bool timed;        /* its time has come: the same, for what is due or expired */
    int64_t look_ms;   /* monotonic: look again then at the latest */
    int64_t again_ms;  /* monotonic: an unheard call is not repeated before */
    struct sift sift;  /* while jobs are held back */
    bool rests;        /* as far as is known, its default destination does not run */
    int64_t probed_ms; /* monotonic: claimed for a probe */
    int64_t
        held_ms; /* monotonic: a job for another destination was held back; 0: never */
};

struct claimer {
    const struct worker_env *env;
    struct transfers *transfers;
    struct waiter *waiter;
    struct claim_queue queues[CONFIG_QUEUES_MAX];
    struct shares shares; /* of queues; shares.count is how many there are */
    size_t reserved;      /* slots asked for by calls under way */
    size_t rounds;        /* of maintenance under way */
    struct discovery discovery;
    bool discovers, discovering, told_full;
    int64_t discover_ms; /* monotonic: ask for queues then */
    int64_t ok_ms; /* monotonic: when a claim, a finish or a wait last succeeded */
    struct log_limit said;
    bool stopped, is_quiet;
    uv_timer_t timer;
    uv_check_t check; /* the end of this iteration, when there is something to decide */
    uv_idle_t idle;   /* and the loop does not sleep before */
    int closing;      /* handles and connections still to close */
    void (*on_closed)(void *ctx);
    void *ctx;
};

/* claimer.c */
int64_t claimer_idle_ms(const struct claimer *c);
struct claim_queue *claimer_find(struct claimer *c, const char *name);
/* Look at q in so long at the latest; then arm the timer. */
void claimer_look_within(struct claim_queue *q, int64_t delay_ms);
void claimer_arm_timer(struct claimer *c);
/* Nothing is open or under way any more: c goes. */
void claimer_free_if_closed(struct claimer *c);

/* claimer_reply.c */
/* For turns.h; ctx is a claim_queue. */
void claimer_on_reply(const struct turns_reply *reply, void *ctx);
/* A call that asked for `want` is over, and has brought so many. */
void claimer_give_back(struct claim_queue *q, size_t want, size_t brought);

/* claimer_blocked.c */
/* How many jobs may be claimed: SIZE_MAX where nothing holds them back. */
size_t claimer_allowance(struct claim_queue *q);
/* So many are asked for; so many came. */
void claimer_pay(struct claim_queue *q, size_t want);
void claimer_refund(struct claim_queue *q, size_t want, size_t brought);
/* There may be something to claim, and no allowance.  True: a look is due when there is, the timer is to be armed. */
bool claimer_look_when_allowed(struct claim_queue *q);

/* claimer_decide.c */
/* Decide at the end of this iteration of the loop, which does not sleep before. */
void claimer_decide_soon(struct claimer *c);

#endif
