#include "tests/integration/cluster_ops.h"

#include "tests/support/cluster_fixture.h"

#include <stdio.h>
#include <string.h>

struct ops_key ops_key(const char *queue, const char *name)
{
    struct ops_key k;

    (void)snprintf(k.text, sizeof k.text, "hoist:{%s}:%s", queue, name);
    return k;
}

enum { EXCHANGE_MS = 10000, KEEP_MS = 3600000, KEEP_COUNT = 100000, CRASHES_MAX = 3 };

void ops_open(struct ops *o, int port, const char *worker, int64_t lease_ms,
              int deadline_ms)
{
    *o = (struct ops){.worker = {.id = worker, .lease_ms = lease_ms}};
    enum err_code rc = cluster_client_open(
        &(struct cluster_client_options){
            .port = port, .timeout_ms = EXCHANGE_MS, .deadline_ms = deadline_ms},
        &o->client, &o->failure);
    (void)rc; /* it stands in failure */
}

void ops_close(struct ops *o)
{
    cluster_client_close(o->client);
    o->client = NULL;
}

static struct redis_cmd command(void)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    return c;
}

struct redis_value *ops_run(struct ops *o, const char *queue, const struct redis_cmd *c)
{
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;

    if (o->failure.code != ERR_OK)
        return NULL;
    if (cluster_client_call(o->client, cluster_slot(queue), c, &reply, &e) == ERR_OK)
        return reply;
    o->failure = e; /* only now: a call that went well may leave a text in it */
    return NULL;
}

static struct redis_value *run(struct ops *o, const char *queue, struct redis_cmd *c)
{
    struct redis_value *reply = ops_run(o, queue, c);

    redis_cmd_release(c);
    return reply;
}

static enum queue_answer parse_answer(struct ops *o, const struct redis_value *v)
{
    enum queue_answer answer = QUEUE_LOST;

    memset(o->state, 0, sizeof o->state);
    if (v && queue_parse_answer(v, &answer, o->state, &o->failure) != ERR_OK)
        answer = QUEUE_LOST;
    return answer;
}

static enum queue_answer run_answer(struct ops *o, const char *queue,
                                    struct redis_cmd *c)
{
    struct redis_value *v = run(o, queue, c);
    enum queue_answer answer = parse_answer(o, v);

    redis_reply_free(v);
    return answer;
}

static void run_claimed(struct ops *o, const char *queue, struct redis_cmd *c,
                        struct queue_claimed *ret)
{
    struct redis_value *v = run(o, queue, c);

    memset(ret, 0, sizeof *ret);
    if (v && queue_parse_claimed(v, queue, ret, &o->failure) != ERR_OK)
        memset(ret, 0, sizeof *ret);
    redis_reply_free(v);
}

enum queue_answer ops_enqueue(struct ops *o, const struct job *j)
{
    struct redis_cmd c = command();

    queue_enqueue_one_cmd(&c, j);
    struct redis_value *v = run(o, j->id.queue, &c);
    enum queue_answer answer = v ? parse_answer(o, redis_value_at(v, 0)) : QUEUE_LOST;
    redis_reply_free(v);
    return answer;
}

void ops_claim(struct ops *o, const char *queue, size_t want, struct queue_claimed *ret)
{
    struct redis_cmd c = command();

    queue_claim_cmd(&c, queue, &o->worker, ++o->turn, want);
    run_claimed(o, queue, &c, ret);
}

void ops_wait(struct ops *o, const char *queue, double seconds)
{
    struct redis_cmd c = command();

    queue_wait_cmd(&c, &queue, 1, seconds);
    redis_reply_free(run(o, queue, &c));
}

/* The mark and the record go one by one: while the slot moves they may find themselves at different nodes. */
enum queue_answer ops_start(struct ops *o, const struct queue_lease *l,
                            struct ops_run *ret)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct redis_cmd cmds[2] = {command(), command()};
    enum queue_answer mark = QUEUE_LOST, answer = QUEUE_LOST;
    struct err why = ERR_INIT;

    queue_start_cmds(cmds, l, 1, &o->worker);
    struct redis_value *marks = run(o, l->id.queue, &cmds[0]);
    struct redis_value *record = run(o, l->id.queue, &cmds[1]);
    if (!marks || !record ||
        queue_parse_marks(marks, 1, &mark, &o->failure) != ERR_OK ||
        queue_parse_start(mark, record, l, &answer, &j, &why, &o->failure) != ERR_OK)
        answer = QUEUE_LOST;
    redis_reply_free(marks);
    redis_reply_free(record);
    *ret = (struct ops_run){.lease = *l, .attempts = j.attempts};
    return answer;
}

enum queue_answer ops_begun(struct ops *o, const struct queue_lease *l)
{
    struct redis_cmd c = command();

    queue_begun_cmd(&c, l, &o->worker);
    return run_answer(o, l->id.queue, &c);
}

enum queue_answer ops_beat(struct ops *o, const struct queue_lease *l, int64_t sent)
{
    struct redis_cmd c = command();
    enum queue_answer answer = QUEUE_LOST;

    queue_beat_cmd(&c, l->id.queue, &o->worker,
                   &(struct queue_beat){.lease = *l, .sent = sent}, 1);
    struct redis_value *v = run(o, l->id.queue, &c);
    if (v && queue_parse_beat(v, 1, &answer, &o->failure) != ERR_OK)
        answer = QUEUE_LOST;
    redis_reply_free(v);
    return answer;
}

enum queue_answer ops_finish(struct ops *o, const struct ops_run *r,
                             enum job_state state, size_t want,
                             struct queue_claimed *ret_next)
{
    const struct queue_end end = {
        .lease = r->lease,
        .state = state,
        .sent = 1000,
        .size = 1000,
        .attempts = r->attempts,
        .had_error = true, /* perhaps: costs a write, no more */
    };
    struct redis_cmd c = command();

    queue_finish_cmd(&c,
                     &(struct queue_finish){.ends = &end,
                                            .count = 1,
                                            .keep_ms = KEEP_MS,
                                            .keep_count = KEEP_COUNT,
                                            .turn = ++o->turn,
                                            .want = want},
                     &o->worker);
    run_claimed(o, r->lease.id.queue, &c, ret_next);
    return ret_next->answer_count == 1 ? ret_next->answers[0] : QUEUE_LOST;
}

enum queue_answer ops_fail(struct ops *o, const struct queue_lease *l, int64_t retry_ms)
{
    struct redis_cmd c = command();

    queue_fail_cmd(&c,
                   &(struct queue_fail){.lease = *l,
                                        .error = "the store said 503",
                                        .error_class = "store",
                                        .retry_ms = retry_ms},
                   &o->worker);
    return run_answer(o, l->id.queue, &c);
}

enum queue_answer ops_release(struct ops *o, const struct queue_lease *l)
{
    struct redis_cmd c = command();

    queue_release_cmd(&c, l, &o->worker, 0);
    return run_answer(o, l->id.queue, &c);
}

enum queue_answer ops_promote(struct ops *o, const struct job_id *id)
{
    struct redis_cmd c = command();

    queue_promote_cmd(&c, id);
    return run_answer(o, id->queue, &c);
}

enum queue_answer ops_reap(struct ops *o, const struct job_id *id)
{
    struct redis_cmd c = command();

    queue_reap_cmd(&c, id, CRASHES_MAX);
    return run_answer(o, id->queue, &c);
}

enum queue_answer ops_cancel(struct ops *o, const struct job_id *id)
{
    struct redis_cmd c = command();

    queue_cancel_cmd(&c, id, KEEP_MS);
    return run_answer(o, id->queue, &c);
}

enum queue_answer ops_retry(struct ops *o, const struct job_id *id)
{
    struct redis_cmd c = command();

    queue_retry_cmd(&c, id);
    return run_answer(o, id->queue, &c);
}

enum queue_answer ops_reprioritize(struct ops *o, const struct job_id *id,
                                   int64_t priority)
{
    struct redis_cmd c = command();

    queue_reprioritize_cmd(&c, id, priority);
    return run_answer(o, id->queue, &c);
}

enum queue_answer ops_open_batch(struct ops *o, const char *queue,
                                 const struct uuid *batch)
{
    struct redis_cmd c = command();

    queue_batch_cmd(&c, queue, batch, true);
    return run_answer(o, queue, &c);
}

struct queue_status ops_status(struct ops *o, const char *queue)
{
    struct redis_cmd c = command();
    struct queue_status s = {0};

    queue_status_cmd(&c, queue);
    struct redis_value *v = run(o, queue, &c);
    if (v && queue_parse_status(v, &s, &o->failure) != ERR_OK)
        s = (struct queue_status){0};
    redis_reply_free(v);
    return s;
}

struct job ops_show(struct ops *o, const struct job_id *id)
{
    struct redis_cmd cmds[2] = {command(), command()};
    struct job j = JOB_INIT;
    bool missing = false;

    queue_show_cmds(cmds, id);
    struct redis_value *owner = run(o, id->queue, &cmds[0]);
    struct redis_value *record = run(o, id->queue, &cmds[1]);
    if (record &&
        queue_parse_show(owner, record, id, &j, &missing, &o->failure) != ERR_OK)
        j = (struct job)JOB_INIT;
    redis_reply_free(owner);
    redis_reply_free(record);
    return j;
}
