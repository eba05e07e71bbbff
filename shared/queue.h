/*
 * queue: the job queue in Redis.  Each operation is one Lua script (queue/NAME.lua): atomic, O(log n), at most
 * QUEUE_BATCH_MAX items a call, every key declared, Redis' own clock.  This module builds the commands and reads the
 * replies; how they travel is the caller's choice (shared/redis.h blocking, shared/redis_async.h on a loop).
 *
 *   producer                Redis, hash tag {Q}                                   worker
 *   --------   enqueue   ----------------------------------   claim (+ start)   --------
 *   job hash ----------> ready ZSET (priority, seq) ------------------------->  leased ZSET (lease_until)
 *                        later ZSET (due) --promote--> ready                       |  beat: renewed every lease/3
 *                          ^                                                       |
 *                          '---- fail (retry) ---- release/reap -> ready           |
 *                        done ZSET, dead ZSET <------- finish / fail / reap -------'
 *
 * Keys, all with the prefix "hoist:{Q}:" (redis-cli shows them as they are):
 *   job:<uuid>  HASH, see job.h         ready  ZSET priority * 2^45 + seq      later ZSET due ms
 *   leased      ZSET lease_until ms     owner  HASH uuid -> worker:token       dead, done ZSET ended ms
 *   wake        ZSET marker "0"         seq, fence  counters                   conf HASH paused
 *   stats       HASH counters           events STREAM (id, state), about 10,000 long
 * and without a queue: hoist:queues SET, hoist:workers ZSET last seen ms, hoist:worker:<id> HASH (expires).
 *
 * Rules
 *   - leased is the only record of what is running.  `worker:token` in owner is compared by every script that acts for
 *     a worker; a worker whose lease was taken over gets QUEUE_LOST and must neither finish nor unlink anything.
 *   - claim leases ids and returns them with tokens; start (one per id, pipelined) counts the attempt and returns the
 *     record.  A claim that never reaches start burns no attempt: reap puts it back as it was.
 *   - finish acknowledges and claims the next in the same call.
 *   - claim and finish also say which ids are due (to be promoted) and expired (to be reaped), at most
 *     QUEUE_BATCH_MAX each; whoever is told runs promote or reap for each id.  Both check again, so it does
 *     not matter who is told, nor how often.
 *   - wake holds one marker while there is work: workers block on BZPOPMIN of it.  Whoever pops it and leaves work behind
 *     puts it back.  A marker that dies with its worker costs the others at most their block time.
 *   - enqueue is idempotent on the id.  When Redis is at maxmemory (server 7 up) everything runs but enqueue and retry: what
 *     gets jobs out of the queue, claim and start included, must go on, or memory would never come free.
 *   - A record edited by hand to something impossible never raises a script error: start answers BAD; fail, release,
 *     promote and reap put such a job into dead with the reason (CONFLICT, state "dead").  Members of ready, later and leased
 *     that are no ids are taken out.
 *   - Every script gets the same keys (twelve of the queue, then those of the jobs): see queue/lib.lua.
 *   - done is capped by age and count; dead never is.
 */
#ifndef HOIST_SHARED_QUEUE_H
#define HOIST_SHARED_QUEUE_H

#include "shared/job.h"
#include "shared/redis.h"

#include <stdbool.h>
#include <stdint.h>

enum { QUEUE_BATCH_MAX = 100, QUEUE_WORKER_ID_MAX = 63 };

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
    QUEUE_RUNNING    /* cancel: it is running; its worker will be told */
};

/* --- enqueue: the producer --- */

/* The reply is queue_parse_answer's: OK, EXISTS (state given), or BAD when something that is no hash has the key. */
void queue_enqueue_cmd(struct redis_cmd *c, const struct job *j);

/* --- the worker --- */

struct queue_worker {
    const char *id; /* [A-Za-z0-9._-]{1,63}, unique among running workers */
    int64_t lease_ms;
};

struct queue_lease {
    struct job_id id;
    int64_t token;
};

/* What claim and finish give back. */
struct queue_claimed {
    enum queue_answer answer; /* OK; of finish also LOST: then nothing is claimed */
    struct queue_lease leases[QUEUE_BATCH_MAX];
    size_t count;
    struct uuid due[QUEUE_BATCH_MAX]; /* promote these */
    size_t due_count;
    struct uuid expired[QUEUE_BATCH_MAX]; /* reap these */
    size_t expired_count;
    int64_t next_ms; /* until a job is due or a lease expires; -1: none ever */
    bool more;       /* ready holds more than was taken (and the queue is not paused) */
};

/* want 0..QUEUE_BATCH_MAX jobs; 0 only looks for due and expired ones. */
void queue_claim_cmd(struct redis_cmd *c, const char *queue,
                     const struct queue_worker *w, size_t want);
/* BZPOPMIN of the queue's wake key, for at most seconds; the reply's content does not matter. */
void queue_wait_cmd(struct redis_cmd *c, const char *const *queues, size_t count,
                    double seconds);
MUST_CHECK enum err_code queue_parse_claimed(const struct redis_value *v,
                                             const char *queue,
                                             struct queue_claimed *ret, struct err *e);

/* Count the attempt and read the record.  Answers OK, LOST, CANCELLED, BAD (record impossible for the script) or
 * MISSING (hash gone; the lease is dropped by the script).  With OK or CANCELLED *ret_job holds the record; a record
 * that the decoder refuses is BAD too; *why (256 bytes) then says which field. */
void queue_start_cmd(struct redis_cmd *c, const struct queue_lease *l,
                     const struct queue_worker *w);
MUST_CHECK enum err_code queue_parse_start(const struct redis_value *v,
                                           const struct queue_lease *l,
                                           enum queue_answer *ret_answer,
                                           struct job *ret_job, struct err *why,
                                           struct err *e);

struct queue_beat {
    struct queue_lease lease;
    int64_t sent; /* progress, bytes */
};

/* Renew up to QUEUE_BATCH_MAX leases of one queue and store progress. */
void queue_beat_cmd(struct redis_cmd *c, const char *queue,
                    const struct queue_worker *w, const struct queue_beat *beats,
                    size_t count);
/* ret_answers[i] for beats[i]: OK, LOST or CANCELLED. */
MUST_CHECK enum err_code queue_parse_beat(const struct redis_value *v, size_t count,
                                          enum queue_answer *ret_answers,
                                          struct err *e);

struct queue_finish {
    struct queue_lease lease;
    enum job_state state;   /* JOB_DONE or JOB_CANCELLED */
    const char *url, *etag; /* of a done job; may be NULL */
    int64_t sent;
    int64_t keep_ms;    /* how long the record stays readable after the end */
    int64_t keep_count; /* how many ended records stay in `done` at most */
    size_t want;        /* claim so many next ones in the same call */
};
/* The reply is queue_parse_claimed's. */
void queue_finish_cmd(struct redis_cmd *c, const struct queue_finish *f,
                      const struct queue_worker *w);

struct queue_fail {
    struct queue_lease lease;
    const char *error;       /* for people, at most JOB_ERROR_MAX bytes are kept */
    const char *error_class; /* one word */
    int64_t retry_ms;        /* run again in so long; -1, or attempts used up: dead */
    int64_t sent;
};
/* Answers OK (scheduled again), CONFLICT with state "dead" when it went to dead, LOST, MISSING (its record is gone), or
 * CANCELLED: it was asked to stop meanwhile and is cancelled now. */
void queue_fail_cmd(struct redis_cmd *c, const struct queue_fail *f,
                    const struct queue_worker *w);

/* Give a job back unfinished, at its old place, its attempt refunded (drain).  OK or LOST; MISSING when its record is
 * gone, CONFLICT (dead) when that is impossible.  One that was asked to stop stays so: the next start tells. */
void queue_release_cmd(struct redis_cmd *c, const struct queue_lease *l,
                       const struct queue_worker *w);

/* Move a due job from later to ready, if it still is.  OK, MISSING, or CONFLICT (dead: impossible record). */
void queue_promote_cmd(struct redis_cmd *c, const struct job_id *id);
/* Take an expired lease back, if it still is: to ready at its old place, or dead after max_crashes crashes or when
 * attempts are used up; cancelled when that was asked.  OK, CONFLICT (dead, cancelled: state given) or MISSING. */
void queue_reap_cmd(struct redis_cmd *c, const struct job_id *id, int64_t max_crashes);

/* --- steering --- */

/* OK: cancelled now (its spool files may go); RUNNING: its worker will be told; CONFLICT: done or cancelled already;
 * MISSING; BAD: it is running, and its key holds no hash. */
void queue_cancel_cmd(struct redis_cmd *c, const struct job_id *id, int64_t keep_ms);
/* A dead job runs again, attempts and crashes at 0, at its old place.  OK, CONFLICT, MISSING; BAD: impossible record. */
void queue_retry_cmd(struct redis_cmd *c, const struct job_id *id);

/* [answer, state, reason]: *ret_state (may be NULL) is "" when none was given. */
MUST_CHECK enum err_code queue_parse_answer(const struct redis_value *v,
                                            enum queue_answer *ret_answer,
                                            char ret_state[16], struct err *e);

/* --- looking --- */

/* HGETALL of the job; a missing or impossible record: ERR_REJECT with *ret_missing telling which. */
void queue_show_cmd(struct redis_cmd *c, const struct job_id *id);
MUST_CHECK enum err_code queue_parse_show(const struct redis_value *v,
                                          const struct job_id *id, struct job *ret_job,
                                          bool *ret_missing, struct err *e);

/* For people: what can be read of a record that queue_parse_show refused.  Its impossible fields are not set.
 * ERR_REJECT: not even its state can be read. */
MUST_CHECK enum err_code queue_parse_readable(const struct redis_value *v,
                                              const struct job_id *id,
                                              struct job *ret_job, struct err *e);

struct queue_status {
    int64_t ready, scheduled, running, dead, done;
    int64_t oldest_created; /* ms: of the oldest head of a priority; 0: none ready */
    bool paused;
    int64_t enqueued_total, done_total, failed_total, retried_total;
    int64_t dead_total, cancelled_total, crashed_total;
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
