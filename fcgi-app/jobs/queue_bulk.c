#include "fcgi-app/jobs/queue_bulk.h"

#include "fcgi-app/http/body.h"
#include "fcgi-app/index_page.h"
#include "fcgi-app/jobs/job_store.h"
#include "fcgi-app/jobs/queues.h"
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

/* One script for each job of the page, which do not depend on each other, in one pipeline. */
static enum problem run(struct exchange *x, struct bulk *b, bool cancel, struct err *e)
{
    struct redis_cmd cmds[INDEX_PAGE_MAX];
    struct redis_value *replies[INDEX_PAGE_MAX] = {NULL};
    for (size_t i = 0; i < b->page.count; i++) {
        struct job_id id = id_of(b, i);
        redis_cmd_init(&cmds[i]);
        if (cancel)
            queue_cancel_cmd(&cmds[i], &id, job_store_keep_ms(x, &id));
        else
            queue_retry_cmd(&cmds[i], &id);
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

void queue_bulk_retry(struct exchange *x)
{
    struct bulk b = {.query = {.queue = NULL}};
    struct err e = ERR_INIT;
    enum problem p = read_page(x, "dead", &b, &e);
    if (!p)
        p = run(x, &b, false, &e);
    if (p) {
        exchange_refuse(x, p, &e);
        return;
    }
    response_begin(&x->response, 200, "application/json");
    buf_printf(&x->response.body, "{\"retried\":%zu", count(&b, QUEUE_OK));
    index_cursor_add(&x->response.body, &b.page.next, b.page.has_next);
    buf_puts(&x->response.body, "}\n");
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
        p = run(x, &b, true, &e);
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
