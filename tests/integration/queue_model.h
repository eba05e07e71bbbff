/*
 * queue_model: what shared/queue.h promises, as a small table in memory: no Redis, no clock, no allocation.
 *
 *   model_make   draws the next operation of a random sequence, with an eye on what stands in the table
 *   model_apply  does one operation in the table and foretells each answer of the script
 *   model_print  the operation as a line for people; model_describe: the whole table as text
 *
 * queue_model_run.h does the same operations in a real Redis and compares.  A sequence is an array of operations that name
 * jobs and workers by number, so that any part of it can be left out and the rest still means something: an operation on
 * what is not there is answered MISSING or LOST.
 *
 * Jobs are numbered from 0 in the order of their ids.  Times are ms of the model's own clock, which only a step moves.
 */
#ifndef HOIST_TESTS_INTEGRATION_QUEUE_MODEL_H
#define HOIST_TESTS_INTEGRATION_QUEUE_MODEL_H

#include "shared/queue.h"

enum {
    MODEL_JOBS = 96,
    MODEL_WORKERS = 3,
    MODEL_GROUPS = 3,
    MODEL_KEYS = 3,
    MODEL_BATCHES = 2,
    MODEL_ITEMS = 4,
    MODEL_ATTEMPTS = 3,
    MODEL_CRASHES = 2,
    MODEL_LEASE_MS = 60000,
    MODEL_SWEEP_MS = 1000,
    MODEL_KEEP_MS = 3600000, /* of what has ended, after finish and cancel */
    MODEL_KEEP_COUNT = 12,
    MODEL_DAY_MS = 86400000
};

extern const char *const model_groups[MODEL_GROUPS], *const model_keys[MODEL_KEYS];

/* --- Operations --- */

enum model_kind {
    MODEL_ENQUEUE,
    MODEL_CLAIM,
    MODEL_FINISH,
    MODEL_REPEAT, /* the latest claim or finish of a worker, sent again with its turn */
    MODEL_START,
    MODEL_BEGUN_KEY, /* queue_begun_cmd */
    MODEL_BEAT,
    MODEL_FAIL,
    MODEL_RELEASE,
    MODEL_PROMOTE,
    MODEL_REAP,
    MODEL_CANCEL,
    MODEL_RETRY,
    MODEL_AGAIN, /* a done job, whose object has gone */
    MODEL_REPRIORITIZE,
    MODEL_CONFIGURE,
    MODEL_BATCH,
    MODEL_STEP,
    MODEL_CRASH,  /* a worker is gone; another one takes its number */
    MODEL_EXPIRE, /* the record of an ended job, by its own expiry */
    MODEL_KINDS
};

struct model_spec {
    int job, priority;
    int group, parent, key, batch; /* -1: none */
    bool run_anyway, until_start;
    int64_t delay_ms, unique_ms, bytes;
};

struct model_op {
    enum model_kind kind;
    int worker;
    int count; /* of jobs, or specs */
    int jobs[MODEL_ITEMS];
    struct model_spec specs[MODEL_ITEMS];
    int want;
    int64_t ms; /* delay, retry_ms, step */
    int number; /* priority, batch, field of conf; of finish: bit i, jobs[i] is cancelled */
    int value; /* of conf; 1: open a batch; of promote: before its time */
    bool lost; /* claim, finish, repeat: the reply does not arrive */
    bool pops; /* claim: the marker of wake is taken before */
};

/* conf, in the order of model_conf_names; 0: not set. */
enum model_conf {
    CONF_PAUSED,
    CONF_INFLIGHT,
    CONF_LENGTH,
    CONF_BYTES,
    CONF_RATE,
    CONF_BURST,
    CONF_GROUP_INFLIGHT,
    CONF_GROUP_INFLIGHT_0, /* of the first group */
    CONF_GROUP_RATE,
    CONF_GROUP_BURST,
    CONF_TAIL,
    CONF_FIELDS
};
extern const char *const model_conf_names[CONF_FIELDS];
/* The text of value `number` of a field, NULL for 0; its number. */
const char *model_conf_text(enum model_conf field, int value);

/* --- The table --- */

enum model_place {
    MODEL_NOWHERE,
    MODEL_READY,
    MODEL_GROUPED,
    MODEL_BEHIND,
    MODEL_LATER,
    MODEL_CLAIMED,
    MODEL_BEGUN,
    MODEL_DEAD,
    MODEL_DONE,
    MODEL_CANCELLED
};

struct model_job {
    struct model_spec spec;
    enum model_place place;
    bool has_record;     /* not expired */
    bool says_running;   /* its record does, since a beat */
    bool says_scheduled; /* its record does */
    bool has_slot, cancel;
    bool parent_failed; /* it is in later to be cancelled */
    int64_t seq;        /* of its record */
    int64_t place_seq;  /* in ready */
    int64_t due;        /* of its record; 0: none */
    int64_t at;         /* score in later, leased, dead or done */
    bool in_done;       /* not trimmed */
    int attempts, crashes;
    int worker, life; /* of the lease */
    bool told;        /* its worker has seen the reply */
    int64_t lease;    /* a number of its own for each lease */
    int64_t began;
    int64_t
        token; /* of the lease, as Redis gave it: set by whoever runs the operation */
};

struct model_bucket {
    bool known;
    double left;
    int64_t at, forget_at;
};

struct model_worker {
    int life;      /* crashes so far */
    bool has_last; /* a claim or finish to repeat: */
    struct model_op last;
    uint64_t turn;
    bool remembered; /* in Redis, of this turn: */
    uint64_t remembered_turn;
    int64_t remembered_until;
    int said_count;
    enum queue_answer said[MODEL_ITEMS];
    int lease_count, jobs[QUEUE_BATCH_MAX];
    int64_t leases[QUEUE_BATCH_MAX];
};

struct model_batch {
    bool known, told;                                      /* its end was told */
    int64_t open, total, done, dead, cancelled, forget_at; /* 0: not yet */
};

struct model {
    struct model_job jobs[MODEL_JOBS];
    int job_count; /* the highest number met, and one */
    struct model_worker workers[MODEL_WORKERS];
    int64_t now, seq, lease;
    int conf[CONF_FIELDS]; /* value numbers */
    int slots[MODEL_GROUPS];
    int64_t group_timer[MODEL_GROUPS]; /* when it is looked at again; 0: not */
    int64_t sweep_at;                  /* the same of all that wait */
    struct model_bucket queue_bucket, group_buckets[MODEL_GROUPS];
    int holder[MODEL_KEYS];
    int64_t window[MODEL_KEYS]; /* until when an ended holder has it; 0: none */
    struct model_batch batches[MODEL_BATCHES];
    int64_t enqueued, done, failed, retried, dead, cancelled, crashed, started, bytes;
    bool news; /* a due time came before all others since wake was popped */
};

/* What the script has to answer. */
struct model_reply {
    bool skipped; /* nothing to send */
    int count;
    enum queue_answer answers[MODEL_ITEMS]; /* of claim, finish and repeat: the ends */
    int holder[MODEL_ITEMS];                /* of a DUPLICATE */
    /* claim, finish, repeat: */
    bool recalled;
    int lease_count, leases[QUEUE_BATCH_MAX];
    int due_count, due[MODEL_JOBS], expired_count, expired[MODEL_JOBS];
    bool more, no_more;   /* has to be said; must not be said */
    int64_t next_at_most; /* ms; -1: nothing is to come */
};

void model_init(struct model *m);
/* A marker has to stand in wake, or workers would sleep on. */
bool model_needs_marker(const struct model *m);
/* Leave out what cannot be foretold: enqueueing a job whose record has expired.  False: nothing is left. */
bool model_resolve(const struct model *m, struct model_op *op);
void model_apply(struct model *m, const struct model_op *op, struct model_reply *ret);

/* --- Random sequences --- */

struct model_random {
    uint64_t state; /* not 0 */
};
struct model_op model_make(const struct model *m, struct model_random *r);

/* --- For people, and to compare --- */

enum { MODEL_TEXT_MAX = 32768 };
void model_print(const struct model_op *op, char *ret_line, size_t size);
/* The whole table, as the script in queue_model_run.c describes the keys. */
void model_describe(const struct model *m, char ret_text[static MODEL_TEXT_MAX]);

#endif
