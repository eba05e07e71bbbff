#include "fcgi-app/jobs.h"

#include "fcgi-app/waiters.h"
#include "shared/cleanup.h"
#include "shared/log.h"
#include "shared/queue.h"

#include <string.h>

/* One script and its reply.  Scripts are never sent together: one that the server does not know yet is run again after
 * the others of its pipeline. */
struct talk {
    struct redis_cmd cmd;
    struct redis_value *reply;
};

static void talk_init(struct talk *t)
{
    redis_cmd_init(&t->cmd);
    t->reply = NULL;
}

static void talk_release(struct talk *t)
{
    redis_cmd_release(&t->cmd);
    redis_reply_free(t->reply);
}

static enum problem ask(struct exchange *x, struct redis_cmd *cmds, size_t count,
                        struct redis_value **ret_replies, struct err *e)
{
    if (exchange_ask(x, cmds, count, ret_replies, e) == ERR_OK)
        return PROBLEM_NONE;
    log_debug("jobs", "redis", LOG_ERR(e));
    return problem_set(e, PROBLEM_UNAVAILABLE, "the queue cannot be reached now");
}

static enum problem unknown(struct err *e)
{
    return problem_set(e, PROBLEM_NO_JOB, "no job has this id");
}

/* An id that is none is answered like one that nobody has. */
static enum problem get_id(const struct exchange *x, struct job_id *ret, struct err *e)
{
    const struct request_text *s = &x->request.segments[2];
    return id_parse_job(s->s, s->len, ret) ? PROBLEM_NONE : unknown(e);
}

/* The job as its manifest has it: accepted, but not known to Redis, or not now. */
static enum problem read_manifest(struct exchange *x, const struct job_id *id,
                                  struct job *ret, struct err *e)
{
    bool missing = false;
    struct err why = ERR_INIT;
    if (spool_read_manifest(x->app->spool, id, ret, &missing, &why) == ERR_OK)
        return PROBLEM_NONE;
    if (missing)
        return unknown(e);
    log_warn("jobs", "manifest", LOG_ERR(&why));
    return problem_set(e, PROBLEM_INTERNAL, "the job's manifest cannot be read");
}

static enum problem read_replies(struct redis_value *const replies[2],
                                 const struct job_id *id, struct job *ret,
                                 struct err *e)
{
    bool missing = false;
    if (queue_parse_show(replies[0], replies[1], id, ret, &missing, e) == ERR_OK)
        return PROBLEM_NONE;
    if (missing)
        return unknown(e);
    if (e->code == ERR_RETRY)
        return PROBLEM_UNAVAILABLE;
    /* Edited by hand to something impossible: a worker makes it dead; until then, and after, it can be looked at. */
    struct err why = ERR_INIT;
    return queue_parse_readable(replies[1], id, ret, &why) ? PROBLEM_INTERNAL
                                                           : PROBLEM_NONE;
}

/* The record in Redis.  PROBLEM_NO_JOB: it does not know the job. */
static enum problem read_record(struct exchange *x, const struct job_id *id,
                                struct job *ret, struct err *e)
{
    struct redis_cmd cmds[2];
    struct redis_value *replies[2] = {NULL, NULL};
    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    queue_show_cmds(cmds, id);
    enum problem p = ask(x, cmds, 2, replies, e);
    if (!p)
        p = read_replies(replies, id, ret, e);
    for (size_t i = 0; i < 2; i++) {
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
    return p;
}

static enum problem find(struct exchange *x, const struct job_id *id, struct job *ret,
                         struct err *e)
{
    enum problem p = read_record(x, id, ret, e);
    if (p != PROBLEM_NO_JOB && p != PROBLEM_UNAVAILABLE)
        return p;
    struct err manifest_error = ERR_INIT;
    enum problem q = read_manifest(x, id, ret, &manifest_error);
    if (q == PROBLEM_NO_JOB && p == PROBLEM_UNAVAILABLE)
        return p; /* perhaps it has ended, and its bytes are gone: Redis would know */
    if (q)
        *e = manifest_error;
    return q;
}

void jobs_answer(struct response *r, int status, const struct job *j)
{
    response_begin(r, status, "application/json");
    if (!job_add_status(&r->body, j))
        r->body.failed = true;
    buf_putc(&r->body, '\n');
}

/* ?wait=SECONDS, at most wait_max_seconds; 0 when not given. */
static enum problem get_wait(const struct exchange *x, int64_t *ret, struct err *e)
{
    const struct request_text *s = request_query(&x->request, "wait");
    int64_t max = x->app->config->http.wait_max_seconds, seconds = 0;
    if (s && (s->len == 0 || s->len > 9 || strspn(s->s, "0123456789") != s->len))
        return problem_set(e, PROBLEM_BAD_REQUEST, "wait: whole seconds are wanted");
    for (size_t i = 0; s && i < s->len; i++)
        seconds = seconds * 10 + (s->s[i] - '0');
    *ret = seconds < max ? seconds : max;
    return PROBLEM_NONE;
}

void jobs_show(struct exchange *x)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    struct job_id id;
    int64_t wait = 0;
    enum problem p = get_id(x, &id, &e);
    if (!p)
        p = get_wait(x, &wait, &e);
    if (!p)
        p = find(x, &id, &j, &e);
    if (p) {
        exchange_refuse(x, p, &e);
        return;
    }
    bool park = wait > 0 && !job_state_is_final(j.state) &&
                x->request.method == METHOD_GET && x->may_wait &&
                fastcgi_drain(x->web, x->request.content_length);
    if (park && waiters_park(x->app->waiters, x, &j, wait))
        return;
    jobs_answer(&x->response, 200, &j);
}

/* --- Steering --- */

/* Of enqueue, which answers for many jobs, the first one's. */
static const struct redis_value *first_answer(const struct redis_value *reply)
{
    const struct redis_value *first = redis_value_at(reply, 0);
    return redis_value_type(first) == REDIS_ARRAY ? first : reply;
}

/* Run the script in t.  PROBLEM_CONFLICT names the state; done is what cannot be: "cancelled", "run again". */
static enum problem steer(struct exchange *x, struct talk *t, const char *done,
                          enum queue_answer *ret, struct err *e)
{
    char state[QUEUE_STATE_SIZE] = "";
    enum problem p = ask(x, &t->cmd, 1, &t->reply, e);
    if (p)
        return p;
    enum err_code code = redis_value_error(t->reply, e);
    if (!code)
        code = queue_parse_answer(first_answer(t->reply), ret, state, e);
    if (code)
        return code == ERR_RETRY ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL;
    if (*ret == QUEUE_CONFLICT)
        return problem_set(e, PROBLEM_CONFLICT, "a job that is %s cannot be %s", state,
                           done);
    if (*ret == QUEUE_BAD)
        return problem_set(e, PROBLEM_CONFLICT, "the job's record is damaged");
    return *ret == QUEUE_MISSING ? unknown(e) : PROBLEM_NONE;
}

static int64_t keep_ms(const struct exchange *x, const struct job_id *id)
{
    const struct config *config = x->app->config;
    const struct config_queue *q =
        config_find_queue(config, id->queue, strlen(id->queue));
    if (!q) /* the queue has left the configuration; its jobs have not */
        q = config_find_queue(config, "default", strlen("default"));
    return q ? q->keep_done_seconds * 1000 : 0;
}

/* PROBLEM_NO_JOB: Redis does not know it. */
static enum problem cancel_record(struct exchange *x, const struct job_id *id,
                                  enum queue_answer *ret, struct err *e)
{
    CLEANUP(talk_release) struct talk t;
    talk_init(&t);
    queue_cancel_cmd(&t.cmd, id, keep_ms(x, id));
    enum problem p = steer(x, &t, "cancelled", ret, e);
    struct err remove_error = ERR_INIT;
    if (!p && *ret == QUEUE_OK && spool_remove(x->app->spool, id, &remove_error))
        log_warn("jobs", "cancelled; its bytes stay until reconcile",
                 LOG_ERR(&remove_error));
    return p;
}

/* Accepted, but not in Redis: put it there, so that the cancellation has a place to stand. */
static enum problem enqueue(struct exchange *x, const struct job_id *id, struct err *e)
{
    CLEANUP(job_release) struct job manifest = JOB_INIT;
    CLEANUP(talk_release) struct talk t;
    enum queue_answer answer;
    talk_init(&t);
    enum problem p = read_manifest(x, id, &manifest, e);
    if (p)
        return p;
    queue_enqueue_one_cmd(&t.cmd, &manifest);
    return steer(x, &t, "enqueued", &answer, e);
}

static enum problem cancel(struct exchange *x, const struct job_id *id,
                           enum queue_answer *ret, struct err *e)
{
    enum problem p = cancel_record(x, id, ret, e);
    if (p != PROBLEM_NO_JOB)
        return p;
    p = enqueue(x, id, e);
    return p ? p : cancel_record(x, id, ret, e);
}

void jobs_cancel(struct exchange *x)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    struct job_id id;
    enum queue_answer answer = QUEUE_OK;
    enum problem p = get_id(x, &id, &e);
    if (!p)
        p = cancel(x, &id, &answer, &e);
    if (!p)
        p = read_record(x, &id, &j, &e);
    if (p)
        exchange_refuse(x, p, &e);
    else
        jobs_answer(&x->response, answer == QUEUE_RUNNING ? 202 : 200, &j);
}

static enum problem retry(struct exchange *x, const struct job_id *id, struct err *e)
{
    CLEANUP(job_release) struct job manifest = JOB_INIT;
    CLEANUP(talk_release) struct talk t;
    enum queue_answer answer;
    talk_init(&t);
    queue_retry_cmd(&t.cmd, id);
    enum problem p = steer(x, &t, "run again", &answer, e);
    if (p != PROBLEM_NO_JOB)
        return p;
    p = read_manifest(x, id, &manifest, e);
    return p ? p
             : problem_set(e, PROBLEM_CONFLICT,
                           "a job that is accepted cannot be run again");
}

void jobs_retry(struct exchange *x)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    struct job_id id;
    enum problem p = get_id(x, &id, &e);
    if (!p)
        p = retry(x, &id, &e);
    if (!p)
        p = read_record(x, &id, &j, &e);
    if (p)
        exchange_refuse(x, p, &e);
    else
        jobs_answer(&x->response, 200, &j);
}
