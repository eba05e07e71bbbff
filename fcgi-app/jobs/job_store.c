#include "fcgi-app/jobs/job_store.h"

#include "shared/cleanup.h"
#include "shared/log.h"

#include <string.h>

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

enum problem job_store_ask(struct exchange *x, const struct redis_cmd *cmds,
                           size_t count, struct redis_value **ret_replies,
                           struct err *e)
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

enum problem job_store_id(struct exchange *x, struct job_id *ret, struct err *e)
{
    const struct request_text *s = &x->request.segments[2];
    return id_parse_job(s->s, s->len, ret) ? job_store_check_owner(x, ret, e)
                                           : unknown(e);
}

/* The job as its manifest has it: accepted, but not known to Redis, or not now. */
enum problem job_store_read_manifest(struct exchange *x, const struct job_id *id,
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

/* --- Whose it is --- */

/* Whether its record has an owner (*ret_known), and that is the client. */
static enum problem is_in_redis_mine(struct exchange *x, const struct job_id *id,
                                     bool *ret_known, bool *ret_mine, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
    size_t len;
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "HGET");
    queue_add_job_key(&c, id);
    redis_cmd_add_str(&c, access_owner_field(&x->access));
    enum problem p = job_store_ask(x, &c, 1, &reply, e);
    if (p)
        return p;
    const char *owner = redis_value_str(reply, &len);
    *ret_known = len > 0;
    *ret_mine =
        len > 0 && access_may_see_owner(&x->access, x->app->config, NULL, owner);
    return PROBLEM_NONE;
}

/* Of one that is another's by its record, the spool is asked for a job that nobody has: that takes as long. */
static bool is_in_spool_mine(struct exchange *x, const struct job_id *id, bool pretend)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct job_id asked = *id;
    struct err e = ERR_INIT;
    if (pretend)
        asked.uuid = id_new();
    return job_store_read_manifest(x, &asked, &j, &e) == PROBLEM_NONE && !pretend &&
           access_may_see(&x->access, x->app->config, &j);
}

enum problem job_store_check_owner(struct exchange *x, const struct job_id *id,
                                   struct err *e)
{
    const struct config *config = x->app->config;
    bool known = false, mine = false;
    if (access_may_see_all(&x->access, config,
                           config_find_queue(config, id->queue, strlen(id->queue))))
        return PROBLEM_NONE;
    enum problem p = is_in_redis_mine(x, id, &known, &mine, e);
    if (mine || is_in_spool_mine(x, id, known))
        return PROBLEM_NONE;
    return p ? p : unknown(e);
}

/* --- Reading --- */

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
enum problem job_store_read_record(struct exchange *x, const struct job_id *id,
                                   struct job *ret, struct err *e)
{
    struct redis_cmd cmds[2];
    struct redis_value *replies[2] = {NULL, NULL};
    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    queue_show_cmds(cmds, id);
    enum problem p = job_store_ask(x, cmds, 2, replies, e);
    if (!p)
        p = read_replies(replies, id, ret, e);
    for (size_t i = 0; i < 2; i++) {
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
    return p;
}

enum problem job_store_find(struct exchange *x, const struct job_id *id,
                            struct job *ret, struct err *e)
{
    enum problem p = job_store_read_record(x, id, ret, e);
    if (p != PROBLEM_NO_JOB && p != PROBLEM_UNAVAILABLE)
        return p;
    struct err manifest_error = ERR_INIT;
    enum problem q = job_store_read_manifest(x, id, ret, &manifest_error);
    if (q == PROBLEM_NO_JOB && p == PROBLEM_UNAVAILABLE)
        return p; /* perhaps it has ended, and its bytes are gone: Redis would know */
    if (q)
        *e = manifest_error;
    return q;
}

/* --- Steering --- */

/* Of enqueue, which answers for many jobs, the first one's. */
static const struct redis_value *first_answer(const struct redis_value *reply)
{
    const struct redis_value *first = redis_value_at(reply, 0);
    return redis_value_type(first) == REDIS_ARRAY ? first : reply;
}

/* Run the script in t.  PROBLEM_CONFLICT names the state; done is what cannot be: "cancelled", "run again". */
enum problem job_store_steer(struct exchange *x, const struct redis_cmd *cmd,
                             const char *done, enum queue_answer *ret, struct err *e)
{
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
    char state[QUEUE_STATE_SIZE] = "";
    enum problem p = job_store_ask(x, cmd, 1, &reply, e);
    if (p)
        return p;
    enum err_code code = redis_value_error(reply, e);
    if (!code)
        code = queue_parse_answer(first_answer(reply), ret, state, e);
    if (code)
        return code == ERR_RETRY ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL;
    if (*ret == QUEUE_CONFLICT)
        return problem_set(e, PROBLEM_CONFLICT, "a job that is %s cannot be %s", state,
                           done);
    if (*ret == QUEUE_BAD)
        return problem_set(e, PROBLEM_CONFLICT, "the job's record is damaged");
    return *ret == QUEUE_MISSING ? unknown(e) : PROBLEM_NONE;
}

int64_t job_store_keep_ms(const struct exchange *x, const struct job_id *id)
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
    CLEANUP(redis_cmd_release) struct redis_cmd cmd;
    redis_cmd_init(&cmd);
    queue_cancel_cmd(&cmd, id, job_store_keep_ms(x, id));
    enum problem p = job_store_steer(x, &cmd, "cancelled", ret, e);
    struct err remove_error = ERR_INIT;
    if (!p && *ret == QUEUE_OK && spool_remove(x->app->spool, id, &remove_error))
        log_warn("jobs", "cancelled; its bytes stay until reconcile",
                 LOG_ERR(&remove_error));
    return p;
}

/* Accepted, but not in Redis: put it there, so that the cancellation has a place to stand. */
enum problem job_store_enqueue(struct exchange *x, const struct job_id *id,
                               struct err *e)
{
    CLEANUP(job_release) struct job manifest = JOB_INIT;
    CLEANUP(redis_cmd_release) struct redis_cmd cmd;
    enum queue_answer answer;
    redis_cmd_init(&cmd);
    enum problem p = job_store_read_manifest(x, id, &manifest, e);
    if (p)
        return p;
    queue_enqueue_one_cmd(&cmd, &manifest);
    return job_store_steer(x, &cmd, "enqueued", &answer, e);
}

enum problem job_store_cancel(struct exchange *x, const struct job_id *id,
                              enum queue_answer *ret, struct err *e)
{
    enum problem p = cancel_record(x, id, ret, e);
    if (p != PROBLEM_NO_JOB)
        return p;
    p = job_store_enqueue(x, id, e);
    return p ? p : cancel_record(x, id, ret, e);
}

/* A webhook that was delivered is delivered once more; nothing else that is done is done again.  p: what retry said. */
static enum problem replay_hook(struct exchange *x, const struct job_id *id,
                                enum problem p, struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(redis_cmd_release) struct redis_cmd cmd;
    struct err read_error = ERR_INIT;
    enum queue_answer answer;
    redis_cmd_init(&cmd);
    if (job_store_read_record(x, id, &j, &read_error) || !job_is_hook(&j) ||
        j.state != JOB_DONE)
        return p;
    queue_again_cmd(&cmd, id, j.ended);
    return job_store_steer(x, &cmd, "run again", &answer, e);
}

enum problem job_store_retry(struct exchange *x, const struct job_id *id, struct err *e)
{
    CLEANUP(job_release) struct job manifest = JOB_INIT;
    CLEANUP(redis_cmd_release) struct redis_cmd cmd;
    enum queue_answer answer;
    redis_cmd_init(&cmd);
    queue_retry_cmd(&cmd, id);
    enum problem p = job_store_steer(x, &cmd, "run again", &answer, e);
    if (p == PROBLEM_CONFLICT)
        return replay_hook(x, id, p, e);
    if (p != PROBLEM_NO_JOB)
        return p;
    p = job_store_read_manifest(x, id, &manifest, e);
    return p ? p
             : problem_set(e, PROBLEM_CONFLICT,
                           "a job that is accepted cannot be run again");
}
