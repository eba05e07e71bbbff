#include "fcgi-app/jobs/queue_bulk.h"

#include "fcgi-app/auth/quota.h"
#include "fcgi-app/http/body.h"
#include "fcgi-app/jobs/index_page.h"
#include "fcgi-app/jobs/job_store.h"
#include "fcgi-app/jobs/queues.h"
#include "shared/cleanup.h"
#include "shared/log.h"

#include <string.h>

/* A page of jobs, and what the script said of each. */
struct bulk {
    struct index_query query;
    struct index_page page;
    enum queue_answer answers[INDEX_PAGE_MAX];
};

static struct job_id id_of(const struct bulk *b, size_t i)
{
    struct job_id id = {.uuid = b->page.ids[i]};
    memcpy(id.queue, b->query.queue, strlen(b->query.queue) + 1);
    return id;
}

enum bulk_verb { BULK_RETRY, BULK_PROMOTE, BULK_CANCEL };

static void add_verb(struct exchange *x, struct redis_cmd *cmd, enum bulk_verb verb,
                     const struct job_id *id)
{
    if (verb == BULK_CANCEL)
        queue_cancel_cmd(cmd, id, job_store_keep_ms(x, id));
    else if (verb == BULK_PROMOTE)
        queue_promote_now_cmd(cmd, id);
    else
        queue_retry_cmd(cmd, id);
}

/* One script for each job of the page, which do not depend on each other, in one pipeline. */
static enum problem run(struct exchange *x, struct bulk *b, enum bulk_verb verb,
                        struct err *e)
{
    struct redis_cmd cmds[INDEX_PAGE_MAX];
    struct redis_value *replies[INDEX_PAGE_MAX] = {NULL};
    for (size_t i = 0; i < b->page.count; i++) {
        struct job_id id = id_of(b, i);
        redis_cmd_init(&cmds[i]);
        add_verb(x, &cmds[i], verb, &id);
    }
    enum problem p = PROBLEM_NONE;
    if (b->page.count > 0)
        p = job_store_ask(x, cmds, b->page.count, replies, e);
    for (size_t i = 0; i < b->page.count; i++) {
        struct err why = ERR_INIT;
        if (!p && queue_parse_answer(replies[i], &b->answers[i], NULL, &why))
            b->answers[i] = QUEUE_BAD;
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
    return p;
}

static enum problem read_page(struct exchange *x, const char *state, struct bulk *b,
                              struct err *e)
{
    const struct config_queue *queue;
    enum problem p = queues_find(x, &queue, e);
    if (p)
        return p;
    b->query.queue = queue->name;
    b->query.state = state;
    p = index_query_read(x, &b->query, e);
    return p ? p : index_page_read(x, &b->query, &b->page, e);
}

static size_t count(const struct bulk *b, enum queue_answer answer)
{
    size_t n = 0;
    for (size_t i = 0; i < b->page.count; i++)
        n += b->answers[i] == answer;
    return n;
}

static void answer_count(struct exchange *x, const struct bulk *b, const char *name)
{
    response_begin(&x->response, 200, "application/json");
    buf_printf(&x->response.body, "{\"%s\":%zu", name, count(b, QUEUE_OK));
    index_cursor_add(&x->response.body, &b->page.next, b->page.has_next);
    buf_puts(&x->response.body, "}\n");
}

/* --- Those that run again count for their owners --- */

static bool is_anything_counted(const struct config *config)
{
    for (size_t i = 0; i < config->auth_count; i++)
        if (config->auths[i].jobs_in_flight > 0)
            return true;
    return false;
}

static void count_one_again(struct exchange *x, const struct job_id *id,
                            const struct redis_value *owner)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    size_t len;
    const char *name = redis_value_str(owner, &len);
    j.id = *id;
    j.owner = len > 0 ? strdup(name) : NULL;
    quota_add_again(x, &j);
}

/* The owners of the jobs that wait again, in one pipeline; without an answer they go uncounted, as a single one would. */
static void count_again(struct exchange *x, const struct bulk *b)
{
    struct redis_cmd cmds[INDEX_PAGE_MAX];
    struct redis_value *replies[INDEX_PAGE_MAX] = {NULL};
    struct err e = ERR_INIT;
    if (b->page.count == 0 || !is_anything_counted(x->app->config))
        return;
    for (size_t i = 0; i < b->page.count; i++) {
        struct job_id id = id_of(b, i);
        redis_cmd_init(&cmds[i]);
        redis_cmd_begin(&cmds[i], "HGET");
        queue_add_job_key(&cmds[i], &id);
        redis_cmd_add_str(&cmds[i], "owner");
    }
    if (job_store_ask(x, cmds, b->page.count, replies, &e))
        log_debug("queues", "jobs that run again are not counted", LOG_ERR(&e));
    for (size_t i = 0; i < b->page.count; i++) {
        struct job_id id = id_of(b, i);
        if (b->answers[i] == QUEUE_OK)
            count_one_again(x, &id, replies[i]);
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
}

/* A page of those in this state; false: it was refused. */
static bool run_page(struct exchange *x, const char *state, enum bulk_verb verb,
                     struct bulk *b)
{
    struct err e = ERR_INIT;
    enum problem p = read_page(x, state, b, &e);
    if (!p)
        p = run(x, b, verb, &e);
    if (p)
        exchange_refuse(x, p, &e);
    return !p;
}

void queue_bulk_retry(struct exchange *x)
{
    struct bulk b = {.query = {.queue = NULL}};
    if (!run_page(x, "dead", BULK_RETRY, &b))
        return;
    count_again(x, &b);
    answer_count(x, &b, "retried");
}

/* Those that wait for their time have been counted all along. */
void queue_bulk_promote(struct exchange *x)
{
    struct bulk b = {.query = {.queue = NULL}};
    if (run_page(x, "scheduled", BULK_PROMOTE, &b))
        answer_count(x, &b, "promoted");
}

/* --- Purge --- */

static enum problem read_purge(struct exchange *x, struct json_flat *body,
                               const char **ret_state, struct err *e)
{
    static const char *const names[] = {"state", "confirm", NULL};
    static const char *const states[] = {"dead", "waiting", "scheduled"};
    const struct config_queue *queue;
    const char *state, *confirm;
    enum problem p = queues_find(x, &queue, e);
    if (!p)
        p = body_read(x, names, body, e);
    if (!p)
        p = body_text(body, "state", &state, e);
    if (!p)
        p = body_text(body, "confirm", &confirm, e);
    if (p)
        return p;
    if (!confirm || strcmp(confirm, queue->name) != 0)
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "confirm: the name of the queue is wanted, %s", queue->name);
    for (size_t i = 0; state && i < sizeof states / sizeof states[0]; i++)
        if (strcmp(state, states[i]) == 0) {
            *ret_state = states[i];
            return PROBLEM_NONE;
        }
    return problem_set(e, PROBLEM_BAD_VALUE,
                       "state: dead, waiting or scheduled is allowed");
}

static void remove_bytes(struct exchange *x, const struct bulk *b)
{
    for (size_t i = 0; i < b->page.count; i++) {
        struct job_id id = id_of(b, i);
        struct err e = ERR_INIT;
        if (b->answers[i] == QUEUE_OK && spool_remove(x->app->spool, &id, &e))
            log_warn("queues", "purged; its bytes stay until reconcile", LOG_ERR(&e));
    }
}

void queue_bulk_purge(struct exchange *x)
{
    struct bulk b = {.query = {.queue = NULL}};
    struct json_flat body;
    const char *state = NULL;
    struct err e = ERR_INIT;
    enum problem p = read_purge(x, &body, &state, &e);
    if (!p)
        p = read_page(x, state, &b, &e);
    if (!p)
        p = run(x, &b, BULK_CANCEL, &e);
    if (p) {
        exchange_refuse(x, p, &e);
        return;
    }
    remove_bytes(x, &b);
    response_begin(&x->response, 200, "application/json");
    buf_printf(&x->response.body, "{\"cancelled\":%zu,\"stopping\":%zu",
               count(&b, QUEUE_OK), count(&b, QUEUE_RUNNING));
    index_cursor_add(&x->response.body, &b.page.next, b.page.has_next);
    buf_puts(&x->response.body, "}\n");
}
