#include "fcgi-app/jobs/queues.h"

#include "fcgi-app/http/body.h"
#include "fcgi-app/jobs/job_store.h"
#include "fcgi-app/jobs/queue_limits.h"
#include "shared/clock.h"
#include "shared/queue.h"

#include <string.h>

static void add_queue(struct buf *b, const char *name, const struct queue_status *s,
                      const struct redis_value *limits)
{
    const struct {
        const char *name;
        int64_t n;
    } members[] = {
        {"ready", s->ready},
        {"scheduled", s->scheduled},
        {"running", s->running},
        {"dead", s->dead},
        {"done", s->done},
        {"grouped", s->grouped},
        {"behind", s->behind},
        {"bytes", s->bytes},
        {"enqueued_total", s->enqueued_total},
        {"done_total", s->done_total},
        {"failed_total", s->failed_total},
        {"retried_total", s->retried_total},
        {"dead_total", s->dead_total},
        {"cancelled_total", s->cancelled_total},
        {"crashed_total", s->crashed_total},
    };
    int64_t age_ms = s->oldest_created > 0 ? clock_wall_ms() - s->oldest_created : 0;
    buf_printf(b, "{\"name\":\"%s\"", name);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        buf_printf(b, ",\"%s\":%lld", members[i].name, (long long)members[i].n);
    buf_printf(b, ",\"oldest_age_seconds\":%lld.%03lld,\"paused\":%s,\"limits\":{",
               (long long)(age_ms > 0 ? age_ms / 1000 : 0),
               (long long)(age_ms > 0 ? age_ms % 1000 : 0),
               s->paused ? "true" : "false");
    queue_limits_add(b, limits);
    buf_puts(b, "}}");
}

/* The status and the limits of count queues, one after the other, in one pipeline. */
static enum err_code ask(struct exchange *x, const struct config_queue *queues,
                         size_t count, struct redis_value **ret_replies, struct err *e)
{
    struct redis_cmd cmds[2 * CONFIG_QUEUES_MAX] = {{.count = 0}};
    for (size_t i = 0; i < count; i++) {
        redis_cmd_init(&cmds[2 * i]);
        redis_cmd_init(&cmds[2 * i + 1]);
        queue_status_cmd(&cmds[2 * i], queues[i].name);
        queue_limits_cmd(&cmds[2 * i + 1], queues[i].name);
    }
    enum err_code code = exchange_ask(x, cmds, 2 * count, ret_replies, e);
    for (size_t i = 0; i < 2 * count; i++)
        redis_cmd_release(&cmds[i]);
    return code;
}

static enum err_code add_all(struct exchange *x, const struct config_queue *queues,
                             size_t count, struct redis_value *const *replies,
                             struct err *e)
{
    struct buf *b = &x->response.body;
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        struct queue_status s;
        if (!access_may_use_queue(&x->access, x->app->config, &queues[i]))
            continue;
        if (queue_parse_status(replies[2 * i], &s, e))
            return e->code;
        if (!first)
            buf_putc(b, ',');
        first = false;
        add_queue(b, queues[i].name, &s, replies[2 * i + 1]);
    }
    return ERR_OK;
}

/* Answer with count queues between these texts. */
static void answer(struct exchange *x, const struct config_queue *queues, size_t count,
                   const char *const around[2])
{
    struct redis_value *replies[2 * CONFIG_QUEUES_MAX] = {NULL};
    struct err e = ERR_INIT;
    enum err_code code = ask(x, queues, count, replies, &e);
    if (!code) {
        response_begin(&x->response, 200, "application/json");
        x->response.has_etag = true;
        buf_puts(&x->response.body, around[0]);
        code = add_all(x, queues, count, replies, &e);
        buf_puts(&x->response.body, around[1]);
    }
    if (code)
        exchange_refuse(x, PROBLEM_UNAVAILABLE, &e);
    for (size_t i = 0; i < 2 * count; i++)
        redis_reply_free(replies[i]);
}

void queues_list(struct exchange *x)
{
    const struct config *config = x->app->config;
    answer(x, config->queues, config->queue_count,
           (const char *const[]){"{\"queues\":[", "]}\n"});
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
    if (p)
        exchange_refuse(x, p, e);
    else
        answer(x, queue, 1, (const char *const[]){"", "\n"});
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
