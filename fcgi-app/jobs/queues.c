#include "fcgi-app/jobs/queues.h"

#include "fcgi-app/http/body.h"
#include "fcgi-app/jobs/job_store.h"
#include "fcgi-app/jobs/queue_limits.h"
#include "fcgi-app/jobs/queues_write.h"
#include "shared/queue.h"

#include <string.h>

enum { TAG_BYTES_MAX = RESPONSE_BODY_MAX };

/* The status, limits and minutes of count queues in one pipeline. */
static enum err_code ask(struct exchange *x, const struct config_queue *queues,
                         size_t count, struct queues_picture *ret, struct err *e)
{
    struct redis_cmd cmds[QUEUES_CMDS * CONFIG_QUEUES_MAX] = {{.count = 0}};
    size_t cmd_count = QUEUES_CMDS * count;
    for (size_t i = 0; i < cmd_count; i++)
        redis_cmd_init(&cmds[i]);
    queues_cmds(queues, count, cmds, ret);
    enum err_code code = exchange_ask(x, cmds, cmd_count, ret->replies, e);
    for (size_t i = 0; i < cmd_count; i++)
        redis_cmd_release(&cmds[i]);
    return code ? code : queues_check(ret, e);
}

/* The queues that the client may use, once more without their ages: for the tag. */
static void add_tag(struct exchange *x, const struct queues_picture *p,
                    bool with_history)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(TAG_BYTES_MAX);
    for (size_t i = 0; i < p->count; i++)
        if (access_may_use_queue(&x->access, x->app->config, &p->queues[i]) &&
            !queues_write_one(p, i, with_history, false, &b))
            return;
    response_tag(&x->response, b.data, b.len);
}

static bool wants_history(const struct exchange *x)
{
    const struct request_text *s = request_query(&x->request, "history");
    return s && s->len == 1 && s->s[0] == '1';
}

void queues_list(struct exchange *x)
{
    CLEANUP(queues_picture_release) struct queues_picture p = {.count = 0};
    const struct config *config = x->app->config;
    const struct queues_view view = {config, &x->access, wants_history(x)};
    struct err e = ERR_INIT;
    if (ask(x, config->queues, config->queue_count, &p, &e)) {
        exchange_refuse(x, PROBLEM_UNAVAILABLE, &e);
        return;
    }
    response_begin(&x->response, 200, "application/json");
    if (!queues_write(&p, &view, &x->response.body))
        x->response.body.failed = true;
    buf_putc(&x->response.body, '\n');
    add_tag(x, &p, view.with_history);
}

enum problem queues_find(const struct exchange *x, const struct config_queue **ret,
                         struct err *e)
{
    const struct request_text *name = &x->request.segments[2];
    *ret = config_find_queue(x->app->config, name->s, name->len);
    if (*ret && !access_may_use_queue(&x->access, x->app->config, *ret))
        *ret = NULL;
    return *ret
               ? PROBLEM_NONE
               : problem_set(e, PROBLEM_NO_QUEUE, "'%.64s' is not configured", name->s);
}

/* The queue as it is now; or the problem. */
static void show(struct exchange *x, const struct config_queue *queue, enum problem p,
                 const struct err *e)
{
    CLEANUP(queues_picture_release) struct queues_picture picture = {.count = 0};
    struct err why = ERR_INIT;
    if (!p && ask(x, queue, 1, &picture, &why)) {
        p = PROBLEM_UNAVAILABLE;
        e = &why;
    }
    if (p) {
        exchange_refuse(x, p, e);
        return;
    }
    response_begin(&x->response, 200, "application/json");
    if (!queues_write_one(&picture, 0, true, true, &x->response.body))
        x->response.body.failed = true;
    buf_putc(&x->response.body, '\n');
    add_tag(x, &picture, true);
}

void queues_show(struct exchange *x)
{
    const struct config_queue *queue;
    struct err e = ERR_INIT;
    enum problem p = queues_find(x, &queue, &e);
    show(x, queue, p, &e);
}

/* --- Switches --- */

/* Plain commands, whose replies matter only when they are errors. */
static enum problem configure(struct exchange *x, const struct redis_cmd *cmds,
                              size_t count, struct err *e)
{
    struct redis_value *replies[2 * JSON_FLAT_MAX] = {NULL};
    enum problem p =
        count > 0 ? job_store_ask(x, cmds, count, replies, e) : PROBLEM_NONE;
    for (size_t i = 0; i < count; i++) {
        if (!p && redis_value_error(replies[i], e))
            p = e->code == ERR_RETRY ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL;
        redis_reply_free(replies[i]);
    }
    return p;
}

static void set_paused(struct exchange *x, bool paused)
{
    const struct config_queue *queue;
    struct redis_cmd cmds[2];
    struct err e = ERR_INIT;
    enum problem p = queues_find(x, &queue, &e);
    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    if (!p) {
        queue_configure_cmds(cmds, queue->name, "paused", paused ? "1" : NULL);
        p = configure(x, cmds, 2, &e);
    }
    redis_cmd_release(&cmds[0]);
    redis_cmd_release(&cmds[1]);
    show(x, queue, p, &e);
}

void queues_pause(struct exchange *x)
{
    set_paused(x, true);
}

void queues_resume(struct exchange *x)
{
    set_paused(x, false);
}

/* The commands for all members of the body; none is sent when one of them is wrong. */
static enum problem build(struct redis_cmd *cmds, const char *queue,
                          const struct json_flat *body, struct err *e)
{
    for (size_t i = 0; i < body->count; i++) {
        const struct json_member *m = &body->members[i];
        char value[QUEUE_LIMIT_TEXT];
        bool remove;
        enum problem p = queue_limits_take(m, value, &remove, e);
        if (p)
            return p;
        queue_configure_cmds(&cmds[2 * i], queue, m->name, remove ? NULL : value);
    }
    return PROBLEM_NONE;
}

void queues_patch(struct exchange *x)
{
    const struct config_queue *queue;
    struct redis_cmd cmds[2 * JSON_FLAT_MAX];
    struct json_flat body;
    struct err e = ERR_INIT;
    for (size_t i = 0; i < 2 * JSON_FLAT_MAX; i++)
        redis_cmd_init(&cmds[i]);
    enum problem p = queues_find(x, &queue, &e);
    if (!p)
        p = body_read(x, NULL, &body, &e);
    if (!p)
        p = build(cmds, queue->name, &body, &e);
    if (!p)
        p = configure(x, cmds, 2 * body.count, &e);
    for (size_t i = 0; i < 2 * JSON_FLAT_MAX; i++)
        redis_cmd_release(&cmds[i]);
    show(x, queue, p, &e);
}
