#include "fcgi-app/jobs.h"

#include "fcgi-app/waiters.h"
#include "shared/cleanup.h"
#include "shared/log.h"
#include "shared/queue.h"

#include <string.h>

enum { COMMANDS_MAX = 3 };

/* Commands of one pipeline, and what came back. */
struct talk {
    struct redis_cmd cmds[COMMANDS_MAX];
    size_t count;
    struct redis_value *replies[COMMANDS_MAX];
};

static void talk_init(struct talk *t)
{
    t->count = 0;
    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        redis_cmd_init(&t->cmds[i]);
        t->replies[i] = NULL;
    }
}

static void talk_release(struct talk *t)
{
    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        redis_cmd_release(&t->cmds[i]);
        redis_reply_free(t->replies[i]);
    }
}

static struct redis_cmd *talk_add(struct talk *t)
{
    return &t->cmds[t->count++];
}

static enum problem ask(struct exchange *x, struct talk *t, struct err *e)
{
    if (exchange_ask(x, t->cmds, t->count, t->replies, e) == ERR_OK)
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

/* The reply to queue_show_cmd.  PROBLEM_NO_JOB: Redis does not know it. */
static enum problem read_record(const struct redis_value *v, const struct job_id *id,
                                struct job *ret, struct err *e)
{
    bool missing = false;
    if (queue_parse_show(v, id, ret, &missing, e) == ERR_OK)
        return PROBLEM_NONE;
    if (missing)
        return unknown(e);
    return e->code == ERR_RETRY ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL;
}

static enum problem find(struct exchange *x, const struct job_id *id, struct job *ret,
                         struct err *e)
{
    CLEANUP(talk_release) struct talk t;
    talk_init(&t);
    queue_show_cmd(talk_add(&t), id);
    enum problem p = ask(x, &t, e);
    if (!p)
        p = read_record(t.replies[0], id, ret, e);
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
                x->request.method == METHOD_GET && x->request.content_length <= 0;
    if (park && waiters_park(x->app->waiters, x, &j, wait))
        return;
    jobs_answer(&x->response, 200, &j);
}

/* --- Cancel --- */

static int64_t keep_ms(const struct exchange *x, const struct job_id *id)
{
    const struct config *config = x->app->config;
    const struct config_queue *q =
        config_find_queue(config, id->queue, strlen(id->queue));
    if (!q) /* the queue has left the configuration; its jobs have not */
        q = config_find_queue(config, "default", strlen("default"));
    return q ? q->keep_done_seconds * 1000 : 0;
}

/* Cancel, and read the record as it is after that; enqueue j first unless it is NULL. */
static enum problem cancel(struct exchange *x, const struct job_id *id,
                           const struct job *enqueue, struct talk *t, struct err *e)
{
    if (enqueue)
        queue_enqueue_cmd(talk_add(t), enqueue);
    queue_cancel_cmd(talk_add(t), id, keep_ms(x, id));
    queue_show_cmd(talk_add(t), id);
    return ask(x, t, e);
}

/* What the steering script said (the last reply but one). */
static enum problem read_answer(const struct talk *t, const char *what,
                                enum queue_answer *ret, struct err *e)
{
    char state[16] = "";
    const struct redis_value *v = t->replies[t->count - 2];
    enum err_code code = redis_value_error(v, e);
    if (!code)
        code = queue_parse_answer(v, ret, state, e);
    if (code)
        return code == ERR_RETRY ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL;
    if (*ret == QUEUE_CONFLICT)
        return problem_set(e, PROBLEM_CONFLICT, "a job that is %s cannot be %s", state,
                           what);
    if (*ret == QUEUE_BAD)
        return problem_set(e, PROBLEM_CONFLICT, "the job's record is damaged");
    return *ret == QUEUE_MISSING ? unknown(e) : PROBLEM_NONE;
}

struct cancelled {
    int status;
    struct job job;
};

static enum problem try_cancel(struct exchange *x, const struct job_id *id,
                               const struct job *enqueue, struct cancelled *ret,
                               struct err *e)
{
    CLEANUP(talk_release) struct talk t;
    enum queue_answer answer;
    talk_init(&t);
    enum problem p = cancel(x, id, enqueue, &t, e);
    if (!p)
        p = read_answer(&t, "cancelled", &answer, e);
    if (p)
        return p;
    struct err e2 = ERR_INIT;
    if (answer == QUEUE_OK && spool_remove(x->app->spool, id, &e2))
        log_warn("jobs", "cancelled, but its bytes stay until reconcile", LOG_ERR(&e2));
    ret->status = answer == QUEUE_RUNNING ? 202 : 200;
    return read_record(t.replies[t.count - 1], id, &ret->job, e);
}

void jobs_cancel(struct exchange *x)
{
    CLEANUP(job_release) struct job manifest = JOB_INIT;
    struct cancelled done = {.job = JOB_INIT};
    struct err e = ERR_INIT;
    struct job_id id;
    enum problem p = get_id(x, &id, &e);
    if (!p)
        p = try_cancel(x, &id, NULL, &done, &e);
    /* Accepted, but not in Redis: put it there, so that the cancellation has a place to stand. */
    if (p == PROBLEM_NO_JOB && read_manifest(x, &id, &manifest, &e) == PROBLEM_NONE)
        p = try_cancel(x, &id, &manifest, &done, &e);
    if (p)
        exchange_refuse(x, p, &e);
    else
        jobs_answer(&x->response, done.status, &done.job);
    job_release(&done.job);
}

/* --- Retry --- */

static enum problem retry(struct exchange *x, struct job *ret_job, struct err *e)
{
    CLEANUP(talk_release) struct talk t;
    struct job_id id;
    enum queue_answer answer;
    talk_init(&t);
    enum problem p = get_id(x, &id, e);
    if (p)
        return p;
    queue_retry_cmd(talk_add(&t), &id);
    queue_show_cmd(talk_add(&t), &id);
    p = ask(x, &t, e);
    if (!p)
        p = read_answer(&t, "run again", &answer, e);
    if (p == PROBLEM_NO_JOB && read_manifest(x, &id, ret_job, e) == PROBLEM_NONE)
        return problem_set(e, PROBLEM_CONFLICT,
                           "a job that is accepted cannot be run again");
    return p ? p : read_record(t.replies[1], &id, ret_job, e);
}

void jobs_retry(struct exchange *x)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    enum problem p = retry(x, &j, &e);
    if (p)
        exchange_refuse(x, p, &e);
    else
        jobs_answer(&x->response, 200, &j);
}
