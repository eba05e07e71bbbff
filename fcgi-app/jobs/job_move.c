#include "fcgi-app/jobs/job_move.h"

#include "fcgi-app/http/body.h"
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

static enum problem read_target(struct exchange *x, const struct job_id *id,
                                const struct config_queue **ret, struct err *e)
{
    enum problem p = body_queue(x, ret, e);
    if (p)
        return p;
    if (!*ret)
        return problem_set(e, PROBLEM_BAD_VALUE, "queue: the name of one is wanted");
    if (strcmp((*ret)->name, id->queue) == 0)
        return problem_set(e, PROBLEM_BAD_VALUE, "queue: the job is in %s already",
                           id->queue);
    return PROBLEM_NONE;
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

/* The job as it will be in the other queue, on disk: its promise is kept from now on. */
static enum problem copy(struct exchange *x, const struct job *old,
                         const struct config_queue *to, struct job *ret, struct err *e)
{
    if (job_is_hook(old))
        return problem_set(e, PROBLEM_CONFLICT, "a webhook belongs to its queue");
    if (old->schedule)
        return problem_set(e, PROBLEM_CONFLICT,
                           "a job of a schedule belongs to the queue of that");
    enum problem p = job_store_read_manifest(x, &old->id, ret, e);
    if (p == PROBLEM_NO_JOB)
        return problem_set(e, PROBLEM_CONFLICT, "its bytes are gone");
    if (p)
        return p;
    if (ret->size > to->max_bytes)
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "queue: %s takes files up to %" PRId64 " bytes", to->name,
                           to->max_bytes);
    p = check_type(x, ret, to, e);
    if (p)
        return p;
    p = rooms_check(x->app->rooms, to, ret->size, &x->retry_after, e);
    if (p)
        return p == PROBLEM_TOO_LARGE ? PROBLEM_BAD_VALUE : p;
    memcpy(ret->id.queue, to->name, sizeof ret->id.queue);
    ret->priority = old->priority;
    if (old->due < ret->due)
        ret->due = old->due; /* it was to run before its time, and shall */
    /* Its parent was of the old queue, and has ended; so was who shared its unique key. */
    free(ret->after);
    free(ret->after_failure);
    free(ret->unique);
    free(ret->unique_until);
    ret->after = ret->after_failure = ret->unique = ret->unique_until = NULL;
    ret->unique_ms = 0;
    leave_batch(old, ret);
    ret->id.uuid = (struct uuid){.text = ""};
    if (webhooks_assign(x->app->config, ret, e))
        return PROBLEM_INTERNAL;
    if (job_is_spooled(ret) ? spool_clone(x->app->spool, &old->id, ret, e)
                            : spool_promise(x->app->spool, ret, e)) {
        log_warn("jobs", "cannot be moved", LOG_ERR(e));
        return spool_is_full(e) ? PROBLEM_FULL
               : e->code == ERR_REJECT
                   ? problem_set(e, PROBLEM_CONFLICT, "its bytes are gone")
                   : PROBLEM_UNAVAILABLE;
    }
    return PROBLEM_NONE;
}

static void drop(struct exchange *x, const struct job_id *id)
{
    struct err e = ERR_INIT;
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
static bool enqueue(struct exchange *x, const struct job *j)
{
    CLEANUP(redis_cmd_release) struct redis_cmd cmd;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
    enum queue_answer answer = QUEUE_BAD;
    struct err e = ERR_INIT;
    redis_cmd_init(&cmd);
    queue_enqueue_one_cmd(&cmd, j);
    if (job_store_ask(x, &cmd, 1, &reply, &e) || redis_value_error(reply, &e) ||
        queue_parse_answer(redis_value_at(reply, 0), &answer, NULL, &e)) {
        log_warn("jobs", "moved, but not enqueued yet", LOG_ERR(&e));
        return false;
    }
    return answer == QUEUE_OK || answer == QUEUE_EXISTS;
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

static enum problem move(struct exchange *x, const struct job_id *id, struct job *ret,
                         struct err *e)
{
    CLEANUP(job_release) struct job old = JOB_INIT;
    const struct config_queue *to = x->app->config->queues;
    struct err remove_error = ERR_INIT;
    enum problem p = read_target(x, id, &to, e);
    if (!p)
        p = read_old(x, id, &old, e);
    if (!p)
        p = check_state(x, &old, e);
    if (!p)
        p = copy(x, &old, to, ret, e);
    if (p)
        return p;
    p = take_out(x, id, e);
    if (p) {
        if (p !=
            PROBLEM_UNAVAILABLE) /* else it may have been taken out: better twice than never */
            drop(x, &ret->id);
        return p;
    }
    ret->state = JOB_ACCEPTED;
    if (enqueue(x, ret))
        ret->state = ret->due > clock_wall_ms() ? JOB_SCHEDULED : JOB_WAITING;
    note(x, id, &ret->id);
    quota_add_again(x, ret);
    if (spool_remove(x->app->spool, id, &remove_error))
        log_warn("jobs", "moved; its old files stay until reconcile",
                 LOG_ERR(&remove_error));
    return PROBLEM_NONE;
}

void job_move(struct exchange *x)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    char url[sizeof "/v1/jobs/" + ID_JOB_MAX] = "/v1/jobs/";
    struct err e = ERR_INIT;
    struct job_id id;
    enum problem p = job_store_id(x, &id, &e);
    if (!p)
        p = move(x, &id, &j, &e);
    if (p) {
        exchange_refuse(x, p, &e);
        return;
    }
    id_format_job(&j.id, url + strlen(url));
    jobs_answer(&x->response, 202, &j);
    response_header(&x->response, "Location", url);
}
