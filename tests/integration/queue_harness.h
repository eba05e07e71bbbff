/*
 * queue_harness: the queue's operations on a private Redis, a line each, for tests/integration/test_queue*.c.
 *
 * Every script runs with a few lines of Lua in front of it that raise an error when it touches a key it has not
 * declared, and give them the time that stands in the key test:now (ms) when there is one.  A call that fails (not: that answers something unexpected) fails the test.
 */
#ifndef HOIST_TESTS_INTEGRATION_QUEUE_HARNESS_H
#define HOIST_TESTS_INTEGRATION_QUEUE_HARNESS_H

#include "shared/queue.h"
#include "tests/support/redis_fixture.h"

enum { HARNESS_SCRIPTS_MAX = 32 };

struct harness_script {
    const struct redis_script *plain;
    struct redis_script checked;
    char *body;
    char sha1[41];
};

struct harness {
    struct redis_fixture server;
    struct redis *redis;
    struct queue_worker worker;
    uint64_t turn; /* of the latest claim or finish */
    bool flagless; /* use the scripts' form for servers before 7 */
    struct harness_script scripts[HARNESS_SCRIPTS_MAX];
    size_t script_count;
};

extern struct harness h;

/* The reply of a script that answers with one answer; of claim and finish. */
enum queue_answer run_answer(struct redis_cmd *c);
struct queue_claimed run_claimed(struct redis_cmd *c);

void harness_up(void);
void harness_down(void);
void harness_up_with(const char *const *redis_args);

/* Let c call its script under guard; run and try_run do that themselves. */
void harness_guard(struct redis_cmd *c);
/* Run c; the reply is the caller's.  try_: give the error's code instead of failing. */
struct redis_value *run(struct redis_cmd *c);
enum err_code try_run(struct redis_cmd *c, struct redis_value **ret);

/* A job of queue "q" that asks for little; not enqueued.  Its times are 0 but for created. */
struct job new_job(int64_t priority, int64_t due);
enum queue_answer enqueue(const struct job *j);
/* new_job, enqueued; its id. */
struct job_id add(int64_t priority, int64_t due);

struct queue_claimed claim(size_t want);
struct queue_lease claim_one(void);       /* fails the test when there is none */
struct queue_lease claim_and_start(void); /* and counts the attempt */
enum queue_answer start(const struct queue_lease *l);
/* start, with the record (caller: job_release) or the reason. */
enum queue_answer start_record(const struct queue_lease *l, struct job *ret_job,
                               struct err *why);
enum queue_answer beat(const struct queue_lease *l, int64_t sent);
struct queue_claimed finish(const struct queue_lease *l, enum job_state state,
                            size_t want);
struct queue_claimed finish_keep(const struct queue_lease *l, int64_t keep_ms,
                                 int64_t keep_count);
/* One end as it is given; of the rest keep_ms, keep_count and want count. */
struct queue_claimed finish_as(const struct queue_end *end,
                               const struct queue_finish *rest);
enum queue_answer fail(const struct queue_lease *l, int64_t retry_ms);
enum queue_answer release(const struct queue_lease *l);
enum queue_answer promote(const struct job_id *id);
enum queue_answer reap(const struct job_id *id);
enum queue_answer cancel(const struct job_id *id);
enum queue_answer retry(const struct job_id *id);
struct queue_status status(void);

/* --- queue_harness_ties.c: groups, parents, keys, batches, limits, many at a time --- */

/* The clock of the scripts stands, and moves by ms (from now on that alone moves it). */
void pass(int64_t ms);
/* HSET (value) or HDEL (NULL) of a field of conf. */
void configure(const char *field, const char *value);

/* A job that is tied to others; NULL, 0: it is not. */
struct tie {
    const char *group;
    const struct job_id *after;
    bool run_anyway;
    const char *unique;
    bool until_start;
    int64_t unique_ms;
    const struct uuid *batch;
    int64_t priority, delay_ms, bytes; /* bytes 0: 1000 */
    int64_t max_attempts;              /* 0: 3 */
};
struct job tied_job(const struct tie *tie);
/* Enqueued; its id.  Any answer but OK fails the test. */
struct job_id add_tied(const struct tie *tie);
/* The answer to such a job; *ret_id may be NULL. */
enum queue_answer try_tied(const struct tie *tie, struct job_id *ret_id);
void enqueue_many(const struct job *jobs, size_t count, enum queue_answer *ret_answers);

/* claim with a turn of one's own; finish of many with one. */
struct queue_claimed claim_turn(uint64_t turn, size_t want);
struct queue_claimed finish_turn(uint64_t turn, const struct queue_lease *leases,
                                 size_t count, size_t want);
/* Claim, start, finish one job; its id.  Fails the test when there is none. */
struct job_id run_one(void);
/* Every job that is due goes into its line; every lease that is over is reaped. */
void promote_due(void);
enum queue_answer release_later(const struct queue_lease *l, int64_t delay_ms);
enum queue_answer begun(const struct queue_lease *l);
enum queue_answer reprioritize(const struct job_id *id, int64_t priority);
enum queue_answer set_batch(const struct uuid *batch, bool open);
/* "open total/done/dead/cancelled", or "closed ..."; "" when it is not known. */
struct batch_text {
    char text[96];
} batch_text(const struct uuid *batch);

/* The state that came with the last answer of one word. */
const char *last_state(void);

#endif
