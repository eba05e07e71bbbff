#include "fcgi-app/jobs/job_list.h"

#include "fcgi-app/jobs/index_page.h"
#include "fcgi-app/jobs/job_store.h"
#include "shared/cleanup.h"

#include <string.h>

enum {
    BODY_FULL = RESPONSE_BODY_MAX - 64 * 1024, /* more than one status takes */
    PAGES_MAX = 10, /* of the index, looked through for a page of one's own */
    SEARCH_MAX = JOB_NAME_MAX
};

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
    if (!found || !access_may_use_queue(&x->access, x->app->config, found))
        return problem_set(e, PROBLEM_UNKNOWN_QUEUE, "queue: '%.64s' is not configured",
                           queue ? queue->s : "default");
    ret->queue = found->name;
    ret->state = state ? state->s : NULL;
    return index_query_read(x, ret, e);
}

/* "": nothing is searched for. */
static enum problem read_search(const struct exchange *x, const char **ret,
                                struct err *e)
{
    const struct request_text *s = request_query(&x->request, "search");
    *ret = s ? s->s : "";
    if (s && s->len > SEARCH_MAX)
        return problem_set(e, PROBLEM_BAD_VALUE, "search: at most %d bytes are allowed",
                           SEARCH_MAX);
    return PROBLEM_NONE;
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

/* By the beginning of its id, with or without its queue, or by any part of its name; whatever the case of letters. */
static bool is_found(const char *search, const struct job *j)
{
    char id[ID_JOB_MAX + 1];
    size_t len = strlen(search);
    id_format_job(&j->id, id);
    return len == 0 || strncasecmp(j->id.uuid.text, search, len) == 0 ||
           strncasecmp(id, search, len) == 0 ||
           (j->name && strcasestr(j->name, search));
}

/* Whether it belongs on the page.  Only `done` holds jobs of two states; elsewhere one that has just moved on is shown
 * as it is. */
static bool is_wanted(const struct exchange *x, const struct index_query *q,
                      const struct job *j)
{
    bool ended = j->state == JOB_DONE || j->state == JOB_CANCELLED;
    bool asked = q->state &&
                 (strcmp(q->state, "done") == 0 || strcmp(q->state, "cancelled") == 0);
    return access_may_see(&x->access, x->app->config, j) &&
           (!asked || !ended || strcmp(q->state, job_state_name(j->state)) == 0);
}

struct list {
    const struct index_query *query;
    const char *search; /* "": nothing is searched for */
    size_t shown;
    struct index_cursor next;
    bool has_next;
};

/* One page of the index; false: the list is long enough. */
static bool add_page(struct exchange *x, struct list *l, const struct index_page *page,
                     const struct records *records)
{
    struct buf *b = &x->response.body;
    size_t i = 0;
    for (; i < page->count && b->len < BODY_FULL && l->shown < l->query->limit; i++) {
        CLEANUP(job_release) struct job j = JOB_INIT;
        struct job_id id = id_of(l->query, &page->ids[i]);
        if (!read_job(&records->replies[2 * i], &id, &j) ||
            !is_wanted(x, l->query, &j) || !is_found(l->search, &j))
            continue;
        buf_puts(b, l->shown > 0 ? "," : "");
        if (!job_add_status(b, &j))
            b->failed = true;
        l->shown++;
    }
    bool cut = i < page->count;
    l->next = cut ? page->at[i - 1] : page->next;
    l->has_next = cut || page->has_next;
    return !cut && b->len < BODY_FULL && l->shown < l->query->limit;
}

static enum problem add_pages(struct exchange *x, struct list *l, struct err *e)
{
    struct index_query q = *l->query;
    const struct config_queue *queue =
        config_find_queue(x->app->config, q.queue, strlen(q.queue));
    /* Most may be others'; but a page stays a page. */
    bool whole = access_may_see_all(&x->access, x->app->config, queue) && !*l->search;
    int pages = whole ? 1 : PAGES_MAX;
    if (!whole)
        q.limit = INDEX_PAGE_MAX; /* to look through; shown are as many as are wanted */
    while (pages-- > 0) {
        CLEANUP(records_release) struct records records = {{NULL}};
        struct index_page page;
        enum problem p = index_page_read(x, &q, &page, e);
        if (!p && page.count > 0)
            p = read_records(x, &q, &page, &records, e);
        if (p || !add_page(x, l, &page, &records) || !l->has_next)
            return p;
        q.has_after = true;
        q.after = l->next;
    }
    return PROBLEM_NONE;
}

/* Whether a whole id is searched for, of this queue where it does not say so. */
static bool is_whole_id(const struct list *l, struct job_id *ret)
{
    size_t len = strlen(l->search);
    struct uuid uuid;
    if (id_parse_job(l->search, len, ret))
        return true;
    if (!id_is_uuid(l->search, len))
        return false;
    memcpy(uuid.text, l->search, len + 1);
    *ret = id_of(l->query, &uuid);
    return true;
}

/* The job of this id, in whatever state it is, or none: nothing is looked through. */
static enum problem add_one(struct exchange *x, const struct job_id *id, struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    enum problem p = job_store_check_owner(x, id, e);
    if (!p)
        p = job_store_find(x, id, &j, e);
    if (p)
        return p == PROBLEM_NO_JOB ? PROBLEM_NONE : p;
    if (!job_add_status(&x->response.body, &j))
        x->response.body.failed = true;
    return PROBLEM_NONE;
}

void job_list(struct exchange *x)
{
    struct index_query q = {.queue = ""};
    struct list list = {.query = &q};
    struct err e = ERR_INIT;
    struct job_id id;
    enum problem p = read_query(x, &q, &e);
    if (!p)
        p = read_search(x, &list.search, &e);
    if (!p) {
        response_begin(&x->response, 200, "application/json");
        buf_puts(&x->response.body, "{\"jobs\":[");
        p = is_whole_id(&list, &id) ? add_one(x, &id, &e) : add_pages(x, &list, &e);
    }
    if (p) {
        exchange_refuse(x, p, &e);
        return;
    }
    buf_putc(&x->response.body, ']');
    index_cursor_add(&x->response.body, &list.next, list.has_next);
    buf_puts(&x->response.body, "}\n");
}
