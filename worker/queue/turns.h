/*
 * turns: the numbered calls of one queue: claim, and finish that claims as well.
 *
 *     transfers that ended --turns_end--> gathered
 *                                            |  at most QUEUE_BATCH_MAX of them, in order
 *     how many jobs more --turns_send(want)--+--> UNDER WAY --reply--> transfer_ended for each; on_reply: what was claimed
 *                                                   |    ^
 *                       connection lost, Redis busy |    | turns_repeat: the same call with the same turn
 *                                                   '-> UNHEARD
 *
 * Guarantees
 *   - One call at a time.  Ends that come meanwhile wait for the next one.
 *   - A call whose reply never came is sent again as it was, until there is an answer: Redis recognises the turn
 *     and repeats what it said, so nothing is finished twice, and no claimed job waits for the end of its lease.
 *   - Turns of a process begin at its wall clock, in us: one that takes up the name of another never meets its turns.
 *   - A call that Redis refuses for good (a key of a wrong type) is given up: its jobs' leases run out.
 *
 * It decides neither when to call nor how much to ask for: see claimer.h.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_TURNS_H
#define HOIST_WORKER_TURNS_H

#include "worker/env.h"
#include "worker/transfer.h"

/* What became of a call. */
struct turns_reply {
    enum err_code code; /* ERR_RETRY: unheard, it is to be repeated; else it is over */
    const struct err *err;
    size_t want;     /* it asked for so many */
    int64_t sent_ms; /* boot time, when it was sent first: leases count from there */
    bool repeated;   /* sent more than once */
    const struct queue_claimed *claimed; /* NULL unless code is ERR_OK */
};

struct turns {
    const struct worker_env *env;
    const char *queue; /* outlives it */
    void (*on_reply)(const struct turns_reply *reply, void *ctx);
    void *ctx;
    uint64_t turn;                 /* of the latest call */
    struct transfer *first, *last; /* gathered ends, linked by next_end */
    size_t gathered;
    enum turns_state { TURNS_FREE, TURNS_UNDER_WAY, TURNS_UNHEARD } state;
    struct { /* the call, unless FREE */
        struct redis_cmd cmd;
        struct transfer *ends[QUEUE_BATCH_MAX];
        size_t count;
        size_t want;
        int64_t sent_ms;      /* first */
        int64_t last_sent_ms; /* boot time, too */
        bool repeated;
    } call;
};

/* The storage is the caller's, and stays where it is. */
void turns_init(struct turns *t, const struct worker_env *env, const char *queue,
                void (*on_reply)(const struct turns_reply *reply, void *ctx),
                void *ctx);
/* It must not be under way. */
void turns_release(struct turns *t);

/* A transfer (REPORT_DONE or REPORT_CANCELLED) has ended; it stays until it was told. */
void turns_end(struct turns *t, struct transfer *ended);
/* Send what was gathered, and claim so many jobs; with nothing gathered a claim.  Only when FREE. */
void turns_send(struct turns *t, size_t want);
/* Send an unheard call again. */
void turns_repeat(struct turns *t);
/* Forget an unheard call that finishes nothing: what it may have claimed has not begun, and comes back with its lease.
 * False when there is none. */
bool turns_forget(struct turns *t);

#endif
