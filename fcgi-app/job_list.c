#include "fcgi-app/job_list.h"

#include "fcgi-app/index_page.h"
#include "fcgi-app/job_store.h"
#include "shared/cleanup.h"

#include <string.h>

enum { BODY_FULL = RESPONSE_BODY_MAX - 64 * 1024 /* more than one status takes */ };

/* The records of a page: owner and hash of each, in one pipeline. */
struct records {
    struct redis_value *replies[2 * INDEX_PAGE_MAX];
};

static void records_release(struct records *r)
{
    for (size_t i = 0; i < 2 * INDEX_PAGE_MAX; i++)
        redis_reply_free(r->replies[i]);
}

static enum problem read_query(struct exchange *x, struct index_query *ret,
                               struct err *e)
{
    const struct request_text *queue = request_query(&x->request, "queue");
    const struct request_text *state = request_query(&x->request, "state");
    const struct config_queue *found =
        config_find_queue(x->app->config, queue ? queue->s : "default",
                          queue ? queue->len : strlen("default"));
    if (!found)
        return problem_set(e, PROBLEM_UNKNOWN_QUEUE, "queue: '%.64s' is not configured",
                           queue ? queue->s : "default");
    ret->queue = found->name;
    ret->state = state ? state->s : NULL;
    return index_query_read(x, ret, e);
}

static struct job_id id_of(const struct index_query *q, const struct uuid *uuid)
{
    struct job_id id = {.uuid = *uuid};
    memcpy(id.queue, q->queue, strlen(q->queue) + 1);
    return id;
}

static enum problem read_records(struct exchange *x, const struct index_query *q,
                                 const struct index_page *page, struct records *ret,
                                 struct err *e)
{
    struct redis_cmd cmds[2 * INDEX_PAGE_MAX];
    for (size_t i = 0; i < page->count; i++) {
        struct job_id id = id_of(q, &page->ids[i]);
        redis_cmd_init(&cmds[2 * i]);
        redis_cmd_init(&cmds[2 * i + 1]);
        queue_show_cmds(&cmds[2 * i], &id);
    }
    enum problem p = job_store_ask(x, cmds, 2 * page->count, ret->replies, e);
    for (size_t i = 0; i < 2 * page->count; i++)
        redis_cmd_release(&cmds[i]);
    return p;
}

/* False: it has gone since, or nothing of it can be read. */
static bool read_job(struct redis_value *const replies[2], const struct job_id *id,
                     struct job *ret)
{
    struct err e = ERR_INIT;
    bool missing = false;
    return queue_parse_show(replies[0], replies[1], id, ret, &missing, &e) == ERR_OK ||
           (!missing && queue_parse_readable(replies[1], id, ret, &e) == ERR_OK);
}

/* Whether it belongs on the page.  Only `done` holds jobs of two states; elsewhere one that has just moved on is shown
 * as it is. */
static bool is_wanted(const struct index_query *q, const struct job *j)
{
    bool ended = j->state == JOB_DONE || j->state == JOB_CANCELLED;
    bool asked = q->state &&
                 (strcmp(q->state, "done") == 0 || strcmp(q->state, "cancelled") == 0);
    return !asked || !ended || strcmp(q->state, job_state_name(j->state)) == 0;
}

static void answer(struct exchange *x, const struct index_query *q,
                   const struct index_page *page, const struct records *records)
{
    struct buf *b = &x->response.body;
    const char *comma = "";
    size_t i = 0;
    response_begin(&x->response, 200, "application/json");
    buf_puts(b, "{\"jobs\":[");
    for (; i < page->count && b->len < BODY_FULL; i++) {
        CLEANUP(job_release) struct job j = JOB_INIT;
        struct job_id id = id_of(q, &page->ids[i]);
        if (!read_job(&records->replies[2 * i], &id, &j) || !is_wanted(q, &j))
            continue;
        buf_puts(b, comma);
        if (!job_add_status(b, &j))
            b->failed = true;
        comma = ",";
    }
    buf_putc(b, ']');
    bool cut = i < page->count;
    index_cursor_add(b, cut ? &page->at[i - 1] : &page->next, cut || page->has_next);
    buf_puts(b, "}\n");
}

void job_list(struct exchange *x)
{
    CLEANUP(records_release) struct records records = {{NULL}};
    struct index_query q = {.queue = ""};
    struct index_page page;
    struct err e = ERR_INIT;
    enum problem p = read_query(x, &q, &e);
    if (!p)
        p = index_page_read(x, &q, &page, &e);
    if (!p && page.count > 0)
        p = read_records(x, &q, &page, &records, &e);
    if (p)
        exchange_refuse(x, p, &e);
    else
        answer(x, &q, &page, &records);
}
