/*
 * queue: the job queue in Redis.  Each operation is one Lua script (queue/NAME.lua): atomic, O(log n), at most
 * QUEUE_BATCH_MAX items a call, every key declared, Redis' own clock.  This module builds the commands and reads the
 * replies; how they travel is the caller's choice (shared/redis.h blocking, shared/redis_async.h on a loop).
 *
 *   producer                     Redis, hash tag {Q}                                     worker
 *   --------   enqueue   ------------------------------------   claim (+ start)       --------
 *   job hash --+-------> ready   ZSET (priority, seq) ----------------------------->  leased ZSET (lease_until)
 *              +-------> later   ZSET (due) --promote--> its line     ^                  |  beat: renewed every lease/3
 *              +-------> grouped ZSET (its group) --a slot is free----'                  |
 *              '-------> behind  ZSET (its parent) --parent ended--> later               |
 *                                  '---- fail (retry), release, reap --------------------+
 *                                done ZSET, dead ZSET <------- finish / fail / reap -----'
 *
 * Keys, all with the prefix "hoist:{Q}:" (redis-cli shows them as they are):
 *   job:<uuid>  HASH, see job.h         ready  ZSET priority * 2^45 + seq      later ZSET due ms
 *   leased      ZSET lease_until ms     owner  HASH uuid -> worker:token[:begun] dead, done ZSET ended ms
 *   wake        ZSET marker "0"         seq, fence  counters                   conf HASH, see below
 *   stats       HASH counters           events STREAM (uuid, state), about 10,000 entries
 *   grouped     ZSET "group:priority:seq:uuid", all 0       groups ZSET slots a group has taken    slots HASH uuid -> group
 *   behind      ZSET "parent:child", all 0                  unique HASH key -> who holds it
 *   batches     HASH uuid -> "open=0 total=5 done=3 dead=0 cancelled=0", uuid:hooks, uuid:callback -> who is told of its end,
 *               uuid:owner -> whose it is       rate HASH buckets
 *   timers      ZSET what a claim does when its ms has come claims HASH worker -> what its last claim brought
 *   minutes     HASH what the counters were when a minute began (queue_minutes.h)
 *   schedules HASH schedule -> ms of its last tick (worker/queue/scheduler.h)
 *   outbox STREAM of what webhooks are to be told: event, id, and the record as it was at that end (worker/hooks/outbox.h)
 * and without a queue: hoist:queues SET, hoist:workers ZSET last seen ms, hoist:worker:<id> HASH (expires).
 *
 * conf, read by every claim and enqueue, changed with HSET while all runs (0 or absent: no limit):
 *   paused 1 | rate (jobs started a second, 0.5 too) burst | max_inflight | max_length (jobs) max_bytes (of unfinished jobs)
 *   group_max_inflight (1 unless set) group_rate group_burst, each also with ":GROUP" behind it for one group
 *   retry_place tail (a retry goes behind those that wait; else it keeps its place)
 *
 * Order
 *   - priority, then seq: first in, first out.  A retry keeps its seq.
 *   - group: a job gets a place in ready when its group has a slot free (max_inflight of the group).  The place is the last
 *     one of that moment: groups take turns, whatever their backlog.  A job keeps its slot until it has ended, while it
 *     waits for a retry too: the next of its group never overtakes it.
 *   - after: a job waits behind its parent until that has ended; a parent that is not known (any more) counts as done.
 *     When it ends dead or cancelled, the child is cancelled too, unless its after_failure is "run".
 *   - unique: enqueue cancels a job whose key another one holds (QUEUE_DUPLICATE).  The holder is believed only while it
 *     stands in a line or is leased, or within its window: a lock cannot outlive its job.
 *
 * Rules
 *   - leased is the only record of what is running; limits count it, so that a crash frees what it took.  `worker:token` in
 *     owner is compared by every script that acts for a worker; a worker whose lease was taken over gets QUEUE_LOST
 *     and must neither finish nor unlink anything.
 *   - claim leases ids and returns them with tokens; start (many ids a call) marks them in owner as begun, before
 *     anything runs: from then on the end of the lease counts as an attempt, whoever ends it (finish, fail, reap).  A claim
 *     that never reaches start burns none.
 *   - What is true of a running job stands in leased and owner.  Its record says `running`, worker and progress from its
 *     first beat on (every lease/3): what is over sooner costs no writes for that.
 *   - finish acknowledges many and claims the next in the same call.
 *   - claim and finish are repeatable: a call whose reply was lost is sent again with the same turn, and answered the same.
 *     A worker has one of them under way for each queue at a time, and numbers them (from 1; 0: not repeatable).
 *   - claim and finish also say which ids are due (to be promoted) and expired (to be reaped), at most
 *     QUEUE_BATCH_MAX each; whoever is told runs promote or reap for each id.  Both check again, so it does
 *     not matter who is told, nor how often.
 *   - wake holds one marker while there is work: workers block on BZPOPMIN of it.  Whoever pops it and leaves work behind
 *     puts it back.  A marker that dies with its worker costs the others at most their block time.
 *   - enqueue is idempotent on the id.  When Redis is at maxmemory (server 7 up) everything runs but enqueue and retry: what
 *     gets jobs out of the queue, claim and start included, must go on, or memory would never come free.
 *   - A record edited by hand to something impossible never raises a script error: start answers BAD; fail, release,
 *     promote and reap put such a job into dead with the reason (CONFLICT, state "dead").  Members of ready, later and leased
 *     that are no ids are taken out.  A record of a newer version is left to newer workers.
 *   - Every script gets the same keys (those of the queue, then those of the jobs): see queue/lib.lua.  The last one of the
 *     queue, `none`, never exists: while the slot of the queue moves, a Redis Cluster therefore refuses each script as a
 *     whole (TRYAGAIN).  It would let in one whose keys are all there, and stop it in its midst when it empties one of
 *     them and looks at it again (tests/integration/test_cluster_scripts.c).
 *   - done is capped by age and count; dead never is.
 *   - A job with batch_unchecked (job.h) enters its batch only in a queue where that was opened by the job's owner; else it
 *     is in none, and its record says so (batch_refused).
 *   - The end of a job that has webhooks (callback or hooks in its record) goes into outbox in the very script that ends it,
 *     whichever that is, with the record as it is then; outbox has no cap, workers empty it into the webhooks' own queue.
 */
#ifndef HOIST_SHARED_QUEUE_H
#define HOIST_SHARED_QUEUE_H

#include "shared/job.h"
#include "shared/redis.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    QUEUE_BATCH_MAX = 100,
    QUEUE_WORKER_ID_MAX = 63,
    QUEUE_STATE_SIZE =
        ID_UUID_LEN + 1 /* holds the state, or the uuid, that comes with an answer */
};

/* NULL-terminated: what redis_async loads at connect. */
extern const struct redis_script *const queue_scripts[];

/* The key "hoist:{queue}:name" or, with uuid, "hoist:{queue}:job:<uuid>". */
void queue_add_key(struct redis_cmd *c, const char *queue, const char *name);
void queue_add_job_key(struct redis_cmd *c, const struct job_id *id);

/* What a script says of the job it was asked about. */
enum queue_answer {
    QUEUE_OK,
    QUEUE_LOST,      /* the lease is another's: drop the work, touch nothing */
    QUEUE_CANCELLED, /* start: somebody asked to cancel it; finish it as cancelled */
    QUEUE_BAD,       /* start: an impossible record (reason given); fail it as dead */
    QUEUE_MISSING,   /* no such job */
    QUEUE_CONFLICT,  /* cancel, retry: not in the state it is in (state given) */
    QUEUE_EXISTS,    /* enqueue: known already, nothing changed */
    QUEUE_RUNNING,   /* cancel: it is running; its worker will be told */
    QUEUE_DUPLICATE, /* enqueue: cancelled, the job whose uuid is given has its unique key */
    QUEUE_NEWER, /* start: a record of a newer version of hoist; release it with a delay */
    QUEUE_FULL /* enqueue: max_length or max_bytes is reached; nothing was written */
};

/* --- enqueue: the producer --- */

/* A job made ready to be sent: its text, without the job. */
struct queue_entry {
    struct job_id id;
    char after[ID_UUID_LEN + 1]; /* its parent, or "" */
    struct redis_cmd args;       /* both of them (enqueue.lua) */
};

/* A job too large, or no memory, shows when the command is sent. */
void queue_entry_init(struct queue_entry *entry, const struct job *j);
void queue_entry_release(struct queue_entry *entry);
/* About how many bytes it adds to a command; keep the sum below REDIS_CMD_BYTES_MAX / 2. */
size_t queue_entry_bytes(const struct queue_entry *entry);

/* count, 1 .. QUEUE_BATCH_MAX, jobs of one queue.  The reply is an array: queue_parse_answer of each element gives OK,
 * EXISTS (state given), DUPLICATE (uuid given), FULL, or BAD when something that is no hash has the key. */
void queue_enqueue_cmd(struct redis_cmd *c, const struct queue_entry *entries,
                       size_t count);
/* The same for one job. */
void queue_enqueue_one_cmd(struct redis_cmd *c, const struct job *j);

/* --- the worker --- */

struct queue_worker {
    const char *id; /* [A-Za-z0-9._-]{1,63}, unique among running workers */
    int64_t lease_ms;
};

/* token: one for all that a claim took; no other lease of the same job ever has it. */
struct queue_lease {
    struct job_id id;
    int64_t token;
};

/* What claim and finish give back. */
struct queue_claimed {
    enum queue_answer
        answers[QUEUE_BATCH_MAX]; /* finish: OK or LOST for each of its ends */
    size_t answer_count;
    struct queue_lease leases[QUEUE_BATCH_MAX];
    size_t count;
    struct uuid due[QUEUE_BATCH_MAX]; /* promote these */
    size_t due_count;
    struct uuid expired[QUEUE_BATCH_MAX]; /* reap these */
    size_t expired_count;
    int64_t next_ms; /* until a job is due or a lease expires; -1: none ever */
    bool more;       /* ready holds more than was taken (and the queue is not paused) */
    bool has_outbox; /* there is something to be told to webhooks: take it from there */
};

/* want 0..QUEUE_BATCH_MAX jobs; 0 only looks for due and expired ones. */
void queue_claim_cmd(struct redis_cmd *c, const char *queue,
                     const struct queue_worker *w, uint64_t turn, size_t want);
/* BZPOPMIN of the queue's wake key, for at most seconds; the reply's content does not matter. */
void queue_wait_cmd(struct redis_cmd *c, const char *const *queues, size_t count,
                    double seconds);
MUST_CHECK enum err_code queue_parse_claimed(const struct redis_value *v,
                                             const char *queue,
                                             struct queue_claimed *ret, struct err *e);

/*
 * Begin count, 1 .. QUEUE_BATCH_MAX, leased jobs of one queue: cmds[0] marks them as begun, which is all that makes it an
 * attempt; cmds[1 + i], a plain HGETALL, reads the record of leases[i].  Send them in this order in one write (the reads
 * give the right answer wherever they run).  The caller initialised count + 1 commands.
 */
void queue_start_cmds(struct redis_cmd *cmds, const struct queue_lease *leases,
                      size_t count, const struct queue_worker *w);
/* The reply to cmds[0]: ret_answers[i] for leases[i], OK or LOST. */
MUST_CHECK enum err_code queue_parse_marks(const struct redis_value *v, size_t count,
                                           enum queue_answer *ret_answers,
                                           struct err *e);
/* mark: what the reply to cmds[0] says of it; record: the reply to cmds[1 + i].  Answers
 *   OK         run it: *ret_job holds the record, its attempts with this one
 *   CANCELLED  the same, but somebody asked to stop it: finish it as cancelled
 *   LOST       the lease is another's
 *   BAD        an impossible record, attempts used up, or no record at all; why says it: fail it, never to be tried again
 *   NEWER      a record of a newer version: release it for a while */
MUST_CHECK enum err_code
queue_parse_start(enum queue_answer mark, const struct redis_value *record,
                  const struct queue_lease *l, enum queue_answer *ret_answer,
                  struct job *ret_job, struct err *why, struct err *e);
/* To be sent once a job with unique_until "start" has begun: its key is free.  OK, LOST or MISSING. */
void queue_begun_cmd(struct redis_cmd *c, const struct queue_lease *l,
                     const struct queue_worker *w);

struct queue_beat {
    struct queue_lease lease;
    int64_t sent; /* progress, bytes */
    const char
        *arrived;      /* where it has arrived, packed (job_arrived.h); NULL: nowhere */
    const char *phase; /* one word; NULL: not told, nor the rate */
    int64_t rate;      /* bytes a second */
    int64_t parts, parts_done; /* of a multipart upload; 0: none */
};

/* Renew up to QUEUE_BATCH_MAX leases of one queue and store progress. */
void queue_beat_cmd(struct redis_cmd *c, const char *queue,
                    const struct queue_worker *w, const struct queue_beat *beats,
                    size_t count);
/* ret_answers[i] for beats[i]: OK, LOST or CANCELLED. */
MUST_CHECK enum err_code queue_parse_beat(const struct redis_value *v, size_t count,
                                          enum queue_answer *ret_answers,
                                          struct err *e);

/* The end of one job. */
struct queue_end {
    struct queue_lease lease;
    enum job_state state;   /* JOB_DONE or JOB_CANCELLED */
    const char *url, *etag; /* of a done job; may be NULL */
    int64_t sent, size;     /* bytes that have left, of how many (as enqueued) */
    const char *
        sha256; /* of a done job whose bytes were not known before: they get into the record, as does sent for
                           their number; else NULL */
    /* Of a done job that went through converters, else 0 and NULL: what came out, and what held them. */
    int64_t out_bytes;
    const char *out_sha256, *sandbox;
    const char *arrived; /* of a job with several destinations, as above; else NULL */
    bool is_told;        /* it has webhooks: its end goes into outbox, too */
    int64_t attempts;    /* with this one */
    bool
        had_error; /* an error of an earlier attempt, or a wish to cancel, stands in the record */
};

struct queue_finish {
    const struct queue_end *ends; /* of one queue */
    size_t count;                 /* 1 .. QUEUE_BATCH_MAX */
    int64_t keep_ms;              /* how long the records stay readable after the end */
    int64_t keep_count;           /* how many ended records stay in `done` at most */
    uint64_t turn;
    size_t want; /* claim so many next ones in the same call */
};
/* The reply is queue_parse_claimed's. */
void queue_finish_cmd(struct redis_cmd *c, const struct queue_finish *f,
                      const struct queue_worker *w);

struct queue_fail {
    struct queue_lease lease;
    const char *error;       /* for people, at most JOB_ERROR_MAX bytes are kept */
    const char *error_class; /* one word */
    const char *sandbox;     /* what held its converters; NULL: it has none */
    const char *arrived;     /* as above */
    int64_t retry_ms;        /* run again in so long; -1, or attempts used up: dead */
    int64_t sent;
};
/* Answers OK (scheduled again), CONFLICT with state "dead" when it went to dead, LOST, MISSING (its record is gone), or
 * CANCELLED: it was asked to stop meanwhile and is cancelled now. */
void queue_fail_cmd(struct redis_cmd *c, const struct queue_fail *f,
                    const struct queue_worker *w);

/* Give a job back unfinished, at its old place or (delay_ms > 0) later, its attempt not counted.  OK or LOST; MISSING when
 * its record is gone, CONFLICT (dead) when that is impossible.  One that was asked to stop stays so. */
void queue_release_cmd(struct redis_cmd *c, const struct queue_lease *l,
                       const struct queue_worker *w, int64_t delay_ms);
/* The same of one that has arrived at some of its destinations, packed as above. */
void queue_release_arrived_cmd(struct redis_cmd *c, const struct queue_lease *l,
                               const struct queue_worker *w, int64_t delay_ms,
                               const char *arrived);

/* Move a due job from later to ready, if it still is.  OK, MISSING, or CONFLICT (dead: impossible record). */
void queue_promote_cmd(struct redis_cmd *c, const struct job_id *id);
/* Take an expired lease back, if it still is: to ready at its old place, or dead after max_crashes crashes or when
 * attempts are used up; cancelled when that was asked.  OK, CONFLICT (dead, cancelled: state given) or MISSING. */
void queue_reap_cmd(struct redis_cmd *c, const struct job_id *id, int64_t max_crashes);

/* --- steering --- */

/* OK: cancelled now (its spool files may go); RUNNING: its worker will be told; CONFLICT: done or cancelled already;
 * MISSING; BAD: it is running, and its key holds no hash. */
void queue_cancel_cmd(struct redis_cmd *c, const struct job_id *id, int64_t keep_ms);
/* The same, but a job that a worker has is left alone: CONFLICT, "running". */
void queue_take_out_cmd(struct redis_cmd *c, const struct job_id *id, int64_t keep_ms);
/* A dead job runs again, attempts and crashes at 0, at its old place.  OK, CONFLICT (its unique key may be another's: state
 * "dead"), MISSING; BAD: impossible record. */
void queue_retry_cmd(struct redis_cmd *c, const struct job_id *id);
/* The same of a job that is done, and ended at that ms: its object has gone, its bytes have not.  CONFLICT also when it was
 * done anew meanwhile.  It counts as enqueued once more. */
void queue_again_cmd(struct redis_cmd *c, const struct job_id *id, int64_t ended);
/* A job in later, scheduled or waiting for its retry, goes into its line at once, with its priority, place, attempts and
 * group as they are; its due time becomes now.  OK; CONFLICT when it is not in later (what it is instead, as a text for
 * people: "done", "waiting for its group", "waiting for another job"), or when its parent has failed; MISSING; BAD:
 * impossible record. */
void queue_promote_now_cmd(struct redis_cmd *c, const struct job_id *id);
/* Another priority, 0 .. JOB_PRIORITY_MAX; its place within it stays.  OK (state given), CONFLICT (it has ended), MISSING;
 * BAD: impossible record. */
void queue_reprioritize_cmd(struct redis_cmd *c, const struct job_id *id,
                            int64_t priority);
/* HSET (value) or HDEL (NULL) of a field of conf, and the wake marker: whoever is idle looks again (two commands). */
void queue_configure_cmds(struct redis_cmd c[static 2], const char *queue,
                          const char *field, const char *value);

/* Open a batch (nothing happens when it exists) or close it: it ends, once, when all its jobs have.  A job that comes later
 * counts in it, and its end is told again: that of a part, of a batch in several queues, is no more than this, and whoever is
 * told asks them all (worker/hooks/outbox.h).  A batch nobody touches for seven days is forgotten once its jobs have ended.
 * OK; MISSING: a batch to close that is not known. */
void queue_batch_cmd(struct redis_cmd *c, const char *queue, const struct uuid *batch,
                     bool open);
/* Open one that has a callback of its own, or an owner; each may be NULL.  What it has already stays. */
void queue_open_batch_cmd(struct redis_cmd *c, const char *queue,
                          const struct uuid *batch, const char *callback,
                          const char *owner);

/* [answer, state, reason]: *ret_state (may be NULL) is "" when none was given. */
MUST_CHECK enum err_code queue_parse_answer(const struct redis_value *v,
                                            enum queue_answer *ret_answer,
                                            char ret_state[QUEUE_STATE_SIZE],
                                            struct err *e);

/* --- looking --- */

/* The owner and the record of a job, in this order in one write.  A missing or impossible record: ERR_REJECT with
 * *ret_missing telling which.  A job that has begun is `running` in *ret_job, whatever its record says yet. */
void queue_show_cmds(struct redis_cmd c[static 2], const struct job_id *id);
MUST_CHECK enum err_code queue_parse_show(const struct redis_value *owner,
                                          const struct redis_value *record,
                                          const struct job_id *id, struct job *ret_job,
                                          bool *ret_missing, struct err *e);

/* For people: what can be read of a record that queue_parse_show refused.  Its impossible fields are not set.
 * ERR_REJECT: not even its state can be read. */
MUST_CHECK enum err_code queue_parse_readable(const struct redis_value *record,
                                              const struct job_id *id,
                                              struct job *ret_job, struct err *e);

/* HMGET of a batch in this queue.  No numbers there: ERR_REJECT, it has no job there. */
struct queue_batch {
    bool open;
    int64_t total, done, dead, cancelled;
    const char *callback; /* of its own, a valid URL in the reply; NULL: none */
};
void queue_show_batch_cmd(struct redis_cmd *c, const char *queue,
                          const struct uuid *batch);
MUST_CHECK enum err_code queue_parse_batch(const struct redis_value *v,
                                           struct queue_batch *ret, struct err *e);

struct queue_status {
    int64_t ready, scheduled, running, dead, done;
    int64_t grouped, behind; /* waiting for their group's or their parent's turn */
    int64_t oldest_created;  /* ms: of the oldest head of a priority; 0: none ready */
    bool paused;
    int64_t enqueued_total, done_total, failed_total, retried_total;
    int64_t dead_total, cancelled_total, crashed_total, started_total;
    int64_t bytes;            /* of jobs that have not ended */
    int64_t done_bytes_total; /* of done jobs: what has left */
    int64_t now_ms;           /* Redis' own clock; queue_minutes.h has the last hour */
};
/* One script, read only, O(log n). */
void queue_status_cmd(struct redis_cmd *c, const char *queue);
MUST_CHECK enum err_code queue_parse_status(const struct redis_value *v,
                                            struct queue_status *ret, struct err *e);

/* SADD hoist:queues; the worker's registration: ZADD hoist:workers, HSET hoist:worker:<id>, PEXPIRE (three commands). */
void queue_register_queue_cmd(struct redis_cmd *c, const char *queue);
void queue_register_worker_cmds(struct redis_cmd c[static 3],
                                const struct queue_worker *w, const char *host,
                                int64_t pid, int64_t running, int64_t now_ms,
                                int64_t expire_ms);
/* ZREM, DEL at a clean end (two commands). */
void queue_unregister_worker_cmds(struct redis_cmd c[static 2],
                                  const struct queue_worker *w);

/* --- the same, blocking, for callers that have a struct redis --- */

MUST_CHECK enum err_code queue_enqueue(struct redis *r, const struct job *j,
                                       enum queue_answer *ret_answer, struct err *e);
MUST_CHECK enum err_code queue_show(struct redis *r, const struct job_id *id,
                                    struct job *ret_job, bool *ret_missing,
                                    struct err *e);

#endif
