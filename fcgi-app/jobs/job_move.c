#include "fcgi-app/jobs/job_move.h"

#include "fcgi-app/http/body.h"
#include "fcgi-app/upload/accept.h"
#include "fcgi-app/upload/ingest.h"
#include "fcgi-app/jobs/job_store.h"
#include "fcgi-app/jobs/jobs.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/webhooks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

/* One request: which job, where to, and what it is there. */
struct move {
    struct exchange *x;
    struct job_id id; /* of the old one; set once the client is known to see it */
    const struct config_queue *to;
    struct job job;
};

/* All that the request says is noted before any of it is judged. */
static enum problem read_target(struct exchange *x, const struct config_queue **ret,
                                struct err *e)
{
    static const char *const names[] = {"queue", NULL};
    const struct request_text *id = &x->request.segments[2];
    struct json_flat body;
    const char *name;
    enum problem p = body_read(x, names, &body, e);
    if (!p)
        p = body_text(&body, "queue", &name, e);
    if (p)
        return p;
    if (!name)
        return problem_set(e, PROBLEM_BAD_VALUE, "queue: the name of one is wanted");
    idempotency_note(&x->idempotency, "moved", id->s, id->len);
    idempotency_note(&x->idempotency, "queue", name, strlen(name));
    return body_find_queue(x, &body, ret, e);
}

/* Whether the job waits behind its parent, or others wait behind it. */
static enum problem check_ties(struct exchange *x, const struct job *j, struct err *e)
{
    struct redis_cmd cmds[2];
    struct redis_value *replies[2] = {NULL, NULL};
    const char *uuid = j->id.uuid.text;
    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    redis_cmd_begin(&cmds[0], "ZRANGEBYLEX");
    queue_add_key(&cmds[0], j->id.queue, "behind");
    redis_cmd_add_format(&cmds[0], "[%s:", uuid);
    redis_cmd_add_format(&cmds[0], "(%s;", uuid);
    redis_cmd_add_str(&cmds[0], "LIMIT");
    redis_cmd_add_int(&cmds[0], 0);
    redis_cmd_add_int(&cmds[0], 1);
    redis_cmd_begin(&cmds[1], "ZSCORE");
    queue_add_key(&cmds[1], j->id.queue, "behind");
    redis_cmd_add_format(&cmds[1], "%s:%s", j->after ? j->after : "", uuid);
    enum problem p = job_store_ask(x, cmds, 2, replies, e);
    if (!p && redis_value_len(replies[0]) > 0)
        p = problem_set(e, PROBLEM_CONFLICT, "other jobs of its queue wait for it");
    else if (!p && redis_value_type(replies[1]) != REDIS_NIL)
        p = problem_set(e, PROBLEM_CONFLICT, "it waits for another job of its queue");
    for (size_t i = 0; i < 2; i++) {
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
    return p;
}

static enum problem check_state(struct exchange *x, const struct job *j, struct err *e)
{
    if (j->state == JOB_RUNNING || j->state == JOB_DONE || j->state == JOB_CANCELLED)
        return problem_set(e, PROBLEM_CONFLICT, "a job that is %s cannot be moved",
                           job_state_name(j->state));
    return check_ties(x, j, e);
}

/* The record of the job, in Redis after this if it was not. */
static enum problem read_old(struct exchange *x, const struct job_id *id,
                             struct job *ret, struct err *e)
{
    enum problem p = job_store_read_record(x, id, ret, e);
    if (p != PROBLEM_NO_JOB)
        return p;
    p = job_store_enqueue(x, id, e);
    return p ? p : job_store_read_record(x, id, ret, e);
}

/* What is in the spool must be of a type that the other queue takes, as if it had been uploaded there.  Its destinations'
 * lists and that of its policy held already. */
static enum problem check_type(struct exchange *x, const struct job *j,
                               const struct config_queue *to, struct err *e)
{
    if (!*to->allow_types || !job_is_spooled(j))
        return PROBLEM_NONE;
    CLEANUP(ingest_release) struct ingest g;
    CLEANUP(fd_close) int fd = -1;
    char head[SNIFF_BYTES];
    struct ingest_terms terms = {
        .sniffer = x->app->sniffer,
        .config = x->app->config,
        .queue_types = to->allow_types,
        .to = "",
        .declared = j->type ? j->type : "",
    };
    ingest_init(&g);
    enum problem p = ingest_begin(&g, &terms, e);
    if (p)
        return p;
    if (spool_open_data(x->app->spool, &j->id, j->size, &fd, e))
        return problem_set(e, PROBLEM_CONFLICT, "its bytes are gone");
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0)
        return problem_set(e, PROBLEM_UNAVAILABLE, "its bytes cannot be read");
    p = ingest_feed(&g, head, (size_t)n, e);
    return p ? p : ingest_finish(&g, NULL, e);
}

/* What its queue has found out about its batch since the job came. */
static void leave_batch(const struct job *old, struct job *j)
{
    j->batch_unchecked = 0;
    if (old->batch)
        return;
    free(j->batch);
    free(j->batch_callback);
    j->batch = j->batch_callback = NULL;
}

/* What the job is in the other queue. */
static enum problem adapt(struct move *m, const struct job *old, struct err *e)
{
    struct job *j = &m->job;
    int64_t now = clock_wall_ms();
    memcpy(j->id.queue, m->to->name, sizeof j->id.queue);
    j->priority = old->priority;
    if (old->due < j->due)
        j->due = old->due; /* it was to run before its time, and shall */
    /* Its parent was of the old queue, and has ended; so was who shared its unique key. */
    free(j->after);
    free(j->after_failure);
    free(j->unique);
    free(j->unique_until);
    j->after = j->after_failure = j->unique = j->unique_until = NULL;
    j->unique_ms = 0;
    leave_batch(old, j);
    j->id.uuid = (struct uuid){.text = ""};
    j->state = j->due > now ? JOB_SCHEDULED : JOB_WAITING;
    if (m->x->idempotency.is_given) {
        free(j->idempotency);
        j->idempotency = strdup(m->x->idempotency.key.name);
        if (!j->idempotency)
            return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    }
    return webhooks_assign(m->x->app->config, j, e) ? PROBLEM_INTERNAL : PROBLEM_NONE;
}

static void answer(struct move *m)
{
    char url[sizeof "/v1/jobs/" + ID_JOB_MAX] = "/v1/jobs/";
    id_format_job(&m->job.id, url + strlen(url));
    jobs_answer(&m->x->response, 202, &m->job);
    response_header(&m->x->response, "Location", url);
}

/* Within the promise: the job has its id. */
static enum err_code keep_answer(void *ctx, struct err *e)
{
    struct move *m = ctx;
    const struct buf *body = &m->x->response.body;
    answer(m);
    return body->failed ? err_set(e, ERR_NOMEM, "out of memory")
                        : idempotency_store(m->x, &m->job.id, 1, body, e);
}

static void drop_answer(void *ctx)
{
    struct move *m = ctx;
    idempotency_drop(m->x);
}

static enum problem promise(struct move *m, struct err *e)
{
    struct spool *s = m->x->app->spool;
    const struct spool_ready keep = {keep_answer, drop_answer, m};
    const struct spool_ready *ready = m->x->idempotency.is_given ? &keep : NULL;
    enum err_code code = job_is_spooled(&m->job)
                             ? spool_clone(s, &m->id, &m->job, ready, e)
                             : spool_promise_ready(s, &m->job, ready, e);
    if (code == ERR_OK)
        return PROBLEM_NONE;
    log_warn("jobs", "cannot be moved", LOG_ERR(e));
    return spool_is_full(e)     ? PROBLEM_FULL
           : code == ERR_REJECT ? problem_set(e, PROBLEM_CONFLICT, "its bytes are gone")
                                : PROBLEM_UNAVAILABLE;
}

/* The job as it will be in the other queue, on disk: its promise is kept from now on. */
static enum problem copy(struct move *m, const struct job *old, struct err *e)
{
    struct exchange *x = m->x;
    if (job_is_hook(old))
        return problem_set(e, PROBLEM_CONFLICT, "a webhook belongs to its queue");
    if (old->schedule)
        return problem_set(e, PROBLEM_CONFLICT,
                           "a job of a schedule belongs to the queue of that");
    enum problem p = job_store_read_manifest(x, &m->id, &m->job, e);
    if (p == PROBLEM_NO_JOB)
        return problem_set(e, PROBLEM_CONFLICT, "its bytes are gone");
    if (p)
        return p;
    if (m->job.size > m->to->max_bytes)
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "queue: %s takes files up to %" PRId64 " bytes", m->to->name,
                           m->to->max_bytes);
    p = check_type(x, &m->job, m->to, e);
    if (p)
        return p;
    p = rooms_check(x->app->rooms, m->to, m->job.size, &x->retry_after, e);
    if (p)
        return p == PROBLEM_TOO_LARGE ? PROBLEM_BAD_VALUE : p;
    p = adapt(m, old, e);
    return p ? p : promise(m, e);
}

/* It stays where it was: no copy of it, and no answer, is left. */
static void drop(struct exchange *x, const struct job_id *id)
{
    struct err e = ERR_INIT;
    idempotency_drop(x);
    if (spool_remove(x->app->spool, id, &e))
        log_warn("jobs", "not moved; its copy stays until reconcile", LOG_ERR(&e));
}

/* Out of the old queue, if no worker has it: of several that move one job at once, one gets an OK. */
static enum problem take_out(struct exchange *x, const struct job_id *id, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd cmd;
    enum queue_answer answer = QUEUE_BAD;
    redis_cmd_init(&cmd);
    queue_take_out_cmd(&cmd, id, job_store_keep_ms(x, id));
    return job_store_steer(x, &cmd, "moved", &answer, e);
}

/* Into the new one.  What Redis does not take now, reconcile brings. */
static void enqueue(struct exchange *x, const struct job *j)
{
    CLEANUP(redis_cmd_release) struct redis_cmd cmd;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
    enum queue_answer answer = QUEUE_BAD;
    struct err e = ERR_INIT;
    redis_cmd_init(&cmd);
    queue_enqueue_one_cmd(&cmd, j);
    if (job_store_ask(x, &cmd, 1, &reply, &e) || redis_value_error(reply, &e) ||
        queue_parse_answer(redis_value_at(reply, 0), &answer, NULL, &e))
        log_warn("jobs", "moved, but not enqueued yet", LOG_ERR(&e));
}

/* Write into the old record where it went; one that was forgotten meanwhile is forgotten again. */
static void note(struct exchange *x, const struct job_id *old, const struct job_id *to)
{
    struct redis_cmd cmds[2];
    struct redis_value *replies[2] = {NULL, NULL};
    struct err e = ERR_INIT;
    int64_t keep_ms = job_store_keep_ms(x, old);
    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    redis_cmd_begin(&cmds[0], "HSET");
    queue_add_job_key(&cmds[0], old);
    redis_cmd_add_str(&cmds[0], "error");
    redis_cmd_add_format(&cmds[0], "moved to %s.%s", to->queue, to->uuid.text);
    redis_cmd_add_str(&cmds[0], "error_class");
    redis_cmd_add_str(&cmds[0], "moved");
    redis_cmd_begin(&cmds[1], "PEXPIRE");
    queue_add_job_key(&cmds[1], old);
    redis_cmd_add_int(&cmds[1], keep_ms > 0 ? keep_ms : 1);
    if (exchange_ask(x, cmds, 2, replies, &e))
        log_debug("jobs", "moved, but not noted", LOG_ERR(&e));
    for (size_t i = 0; i < 2; i++) {
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
}

/* What is left of the old one goes. */
static void leave(struct exchange *x, const struct job_id *old, const struct job_id *to)
{
    struct err e = ERR_INIT;
    note(x, old, to);
    if (spool_remove(x->app->spool, old, &e))
        log_warn("jobs", "moved; its old files stay until reconcile", LOG_ERR(&e));
}

static enum problem move(struct move *m, struct err *e)
{
    CLEANUP(job_release) struct job old = JOB_INIT;
    struct exchange *x = m->x;
    enum problem p = job_store_id(x, &m->id, e);
    if (!p && strcmp(m->to->name, m->id.queue) == 0)
        p = problem_set(e, PROBLEM_BAD_VALUE, "queue: the job is in %s already",
                        m->id.queue);
    if (!p)
        p = read_old(x, &m->id, &old, e);
    if (!p)
        p = check_state(x, &old, e);
    if (!p)
        p = copy(m, &old, e);
    if (p)
        return p;
    p = take_out(x, &m->id, e);
    if (p == PROBLEM_UNAVAILABLE)
        return p; /* it may have been taken out: better twice than never */
    if (p) {
        drop(x, &m->job.id);
        return p;
    }
    enqueue(x, &m->job);
    quota_add_again(x, &m->job);
    leave(x, &m->id, &m->job.id);
    answer(m);
    return PROBLEM_NONE;
}

/* Where the old one still stands in the spool it has not left: whoever promised the new one died, or lost Redis, which may
 * have forgotten both.  One that runs or has ended by now stays: both are one object. */
static enum problem finish(struct exchange *x, const struct job_id *old,
                           const struct job_id *new, struct err *e)
{
    CLEANUP(job_release) struct job there = JOB_INIT, moved = JOB_INIT;
    struct err ignored = ERR_INIT;
    if (job_store_read_manifest(x, old, &there, &ignored) == PROBLEM_NO_JOB)
        return PROBLEM_NONE;
    enum problem p = take_out(x, old, e);
    if (p == PROBLEM_NO_JOB && !job_store_enqueue(x, old, e))
        p = take_out(x, old, e);
    if (p == PROBLEM_CONFLICT || p == PROBLEM_NO_JOB)
        return PROBLEM_NONE;
    if (p)
        return p;
    if (!job_store_read_manifest(x, new, &moved, &ignored)) {
        enqueue(x, &moved);
        quota_add_again(x, &moved);
    }
    leave(x, old, new);
    return PROBLEM_NONE;
}

static enum problem move_again(struct exchange *x, struct err *e)
{
    const struct request_text *text = &x->request.segments[2];
    struct job_id old, new;
    size_t at = 0;
    enum problem p = idempotency_compare(x, e);
    if (!p && id_parse_job(text->s, text->len, &old) &&
        key_record_next(&x->idempotency.record, &at, &new))
        p = finish(x, &old, &new, e);
    if (!p)
        accept_replay(x);
    return p;
}

void job_move(struct exchange *x)
{
    struct move m = {.x = x, .job = JOB_INIT};
    struct err e = ERR_INIT;
    enum problem p = idempotency_begin(x, &e);
    if (!p)
        p = read_target(x, &m.to, &e);
    if (!p)
        p = x->idempotency.is_known ? move_again(x, &e) : move(&m, &e);
    if (p)
        exchange_refuse(x, p, &e);
    idempotency_end(x);
    job_release(&m.job);
}
