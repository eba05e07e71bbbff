#include "fcgi-app/jobs/batches_internal.h"

#include "fcgi-app/jobs/job_store.h"
#include "shared/cleanup.h"

#include <string.h>

void batches_parts_release(struct batches_parts *p)
{
    for (size_t i = 0; i < p->count; i++)
        redis_reply_free(p->replies[i]);
}

enum err_code batches_ask(struct exchange *x, const struct uuid *id,
                          struct batches_parts *ret, struct err *e)
{
    const struct config *config = x->app->config;
    struct redis_cmd cmds[CONFIG_QUEUES_MAX];
    for (size_t i = 0; i < config->queue_count; i++) {
        redis_cmd_init(&cmds[i]);
        queue_show_batch_cmd(&cmds[i], config->queues[i].name, id);
    }
    enum err_code code = exchange_ask(x, cmds, config->queue_count, ret->replies, e);
    for (size_t i = 0; i < config->queue_count; i++)
        redis_cmd_release(&cmds[i]);
    ret->count = code == ERR_OK ? config->queue_count : 0;
    return code;
}

bool batches_read_part(const struct batches_parts *p, size_t i, struct queue_batch *ret)
{
    struct err e = ERR_INIT;
    return queue_parse_batch(p->replies[i], ret, &e) == ERR_OK;
}

enum err_code batches_sum(struct exchange *x, const struct uuid *id,
                          struct batches_sum *ret, struct err *e)
{
    CLEANUP(batches_parts_release) struct batches_parts parts = {.count = 0};
    struct batches_sum sum = {.is_known = false};
    if (batches_ask(x, id, &parts, e))
        return e->code;
    for (size_t i = 0; i < parts.count; i++) {
        struct queue_batch b;
        if (!batches_read_part(&parts, i, &b))
            continue;
        sum.is_known = true;
        sum.open |= b.open;
        sum.total += b.total;
        sum.done += b.done;
        sum.dead += b.dead;
        sum.cancelled += b.cancelled;
        if (b.callback)
            (void)memccpy(sum.callback, b.callback, '\0', sizeof sum.callback - 1);
    }
    *ret = sum;
    return ERR_OK;
}

static int64_t unfinished(const struct batches_sum *s)
{
    int64_t n = s->total - s->done - s->dead - s->cancelled;
    return n > 0 ? n : 0;
}

static enum problem answer(struct exchange *x, const struct uuid *id,
                           const struct batches_sum *s)
{
    const char *state = s->open ? "open" : unfinished(s) > 0 ? "running" : "ended";
    response_begin(&x->response, 200, "application/json");
    buf_printf(&x->response.body,
               "{\"batch\":\"%s\",\"open\":%s,\"total\":%lld,"
               "\"waiting_or_running\":%lld,\"done\":%lld,\"dead\":%lld,"
               "\"cancelled\":%lld,\"state\":\"%s\"",
               id->text, s->open ? "true" : "false", (long long)s->total,
               (long long)unfinished(s), (long long)s->done, (long long)s->dead,
               (long long)s->cancelled, state);
    if (*s->callback) {
        buf_puts(&x->response.body, ",\"callback\":");
        buf_add_json(&x->response.body, s->callback, url_shown_len(s->callback));
    }
    buf_puts(&x->response.body, "}\n");
    return PROBLEM_NONE;
}

/* Of jobs that Redis does not know yet, only that they are there. */
static enum problem answer_accepted(struct exchange *x, const struct uuid *id)
{
    response_begin(&x->response, 200, "application/json");
    buf_printf(&x->response.body,
               "{\"batch\":\"%s\",\"open\":false,\"state\":\"accepted\"}\n", id->text);
    return PROBLEM_NONE;
}

enum problem batches_none(struct err *e)
{
    return problem_set(e, PROBLEM_NO_BATCH, "no batch has this id");
}

enum problem batches_get_id(struct exchange *x, struct uuid *ret, struct err *e)
{
    const struct request_text *s = &x->request.segments[2];
    if (!id_is_uuid(s->s, s->len))
        return batches_none(e);
    memcpy(ret->text, s->s, sizeof ret->text);
    return batches_check_owner(x, ret, e);
}

/* --- Whose it is --- */

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

static bool sees_all(const struct exchange *x)
{
    return access_may_see_all(&x->access, x->app->config, NULL);
}

/* Who opened it; a look keeps the answer for as long again. */
static enum problem is_opened_by_client(struct exchange *x, const struct uuid *id,
                                        bool *ret, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
    size_t len;
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "GETEX");
    redis_cmd_add_format(&c, "hoist:batch:%s", id->text);
    redis_cmd_add_str(&c, "EX");
    redis_cmd_add_int(&c, BATCHES_KEEP_SECONDS);
    enum problem p = job_store_ask(x, &c, 1, &reply, e);
    if (p)
        return p;
    const char *owner = redis_value_str(reply, &len);
    *ret = len > 0 && access_may_see_owner(&x->access, x->app->config, NULL, owner);
    return PROBLEM_NONE;
}

enum problem batches_check_owner(struct exchange *x, const struct uuid *id,
                                 struct err *e)
{
    const struct config *config = x->app->config;
    bool opened = false;
    if (sees_all(x))
        return PROBLEM_NONE;
    enum problem worst = is_opened_by_client(x, id, &opened, e);
    if (opened)
        return PROBLEM_NONE;
    for (size_t i = 0; i < config->queue_count; i++) {
        struct job_id job = {.uuid = *id};
        memcpy(job.queue, config->queues[i].name, sizeof job.queue);
        enum problem p = job_store_check_owner(x, &job, e);
        if (p == PROBLEM_NONE)
            return p;
        if (p != PROBLEM_NO_JOB)
            worst = p;
    }
    return worst ? worst : batches_none(e);
}

/* --- A batch that Redis has none of: perhaps a job by that name --- */

static struct batches_sum sum_of_job(const struct job *j)
{
    return (struct batches_sum){.is_known = true,
                                .total = 1,
                                .done = j->state == JOB_DONE,
                                .dead = j->state == JOB_DEAD,
                                .cancelled = j->state == JOB_CANCELLED};
}

/* In which queue, if any: its record in Redis, else its manifest. */
static enum problem find_job(struct exchange *x, const struct uuid *id,
                             struct job *ret_job, struct err *e)
{
    const struct config *config = x->app->config;
    enum problem worst = PROBLEM_NO_BATCH;
    for (size_t i = 0; i < config->queue_count; i++) {
        struct job_id job_id = {.uuid = *id};
        struct err why = ERR_INIT;
        memcpy(job_id.queue, config->queues[i].name, sizeof job_id.queue);
        enum problem p = job_store_find(x, &job_id, ret_job, &why);
        if (!p)
            return PROBLEM_NONE;
        if (p != PROBLEM_NO_JOB) {
            worst = p;
            *e = why;
        }
    }
    return worst == PROBLEM_NO_BATCH ? batches_none(e) : worst;
}

static enum problem show_job(struct exchange *x, const struct uuid *id, struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    enum problem p = find_job(x, id, &j, e);
    if (p)
        return p;
    struct batches_sum sum = sum_of_job(&j);
    if (j.batch && strcmp(j.batch, id->text) != 0)
        sum.is_known = false;
    else if (j.state == JOB_ACCEPTED)
        return answer_accepted(x, id);
    else if (j.batch && batches_sum(x, id, &sum, e)) /* it came in meanwhile */
        return PROBLEM_UNAVAILABLE;
    if (!sum.is_known)
        return batches_none(e);
    return answer(x, id, &sum);
}

void batches_show(struct exchange *x)
{
    struct batches_sum sum = {.is_known = false};
    struct err e = ERR_INIT;
    struct uuid id;
    enum problem p = batches_get_id(x, &id, &e);
    if (!p && batches_sum(x, &id, &sum, &e) == ERR_OK && sum.is_known)
        p = answer(x, &id, &sum);
    else if (!p)
        p = show_job(x, &id, &e);
    if (p)
        exchange_refuse(x, p, &e);
}
