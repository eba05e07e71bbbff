#include "fcgi-app/jobs/workers.h"

#include "fcgi-app/jobs/workers_write.h"
#include "shared/cleanup.h"
#include "shared/queue.h"

#include <string.h>

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

static enum err_code ask_through_breaker(void *ctx, const struct redis_cmd *cmds,
                                         size_t count, struct redis_value **ret_replies,
                                         struct err *e)
{
    return exchange_ask(ctx, cmds, count, ret_replies, e);
}

void workers_list(struct exchange *x)
{
    CLEANUP(queue_workers_release) struct queue_workers p = {.ids = NULL};
    struct err e = ERR_INIT;
    if (queue_workers_read_by(ask_through_breaker, x, &p, &e)) {
        exchange_refuse(x, PROBLEM_UNAVAILABLE, &e);
        return;
    }
    response_begin(&x->response, 200, "application/json");
    x->response.has_etag = true;
    if (!workers_write(&p, x->app->config, &x->access, &x->response.body))
        x->response.body.failed = true;
    buf_putc(&x->response.body, '\n');
}

/* --- Steering --- */

#define ID_CHARACTERS                                                                  \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static enum problem ask(struct exchange *x, const struct redis_cmd *cmds, size_t count,
                        struct redis_value **ret_replies, struct err *e)
{
    enum err_code code = exchange_ask(x, cmds, count, ret_replies, e);
    for (size_t i = 0; i < count && !code; i++)
        code = redis_value_error(ret_replies[i], e);
    return code ? problem_set(e, PROBLEM_UNAVAILABLE, "the workers cannot be told now")
                : PROBLEM_NONE;
}

/* The worker that the path names; that the client may steer it. */
static enum problem find(struct exchange *x, char ret_id[QUEUE_WORKER_ID_MAX + 1],
                         struct err *e)
{
    const struct request_text *s = &x->request.segments[2];
    if (s->len == 0 || s->len > QUEUE_WORKER_ID_MAX ||
        strspn(s->s, ID_CHARACTERS) < s->len)
        return problem_set(e, PROBLEM_NO_WORKER, "no worker has this id");
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *about = NULL;
    size_t len;
    memcpy(ret_id, s->s, s->len);
    ret_id[s->len] = '\0';
    redis_cmd_init(&c);
    queue_workers_about_cmd(&c, ret_id);
    enum problem p = ask(x, &c, 1, &about, e);
    if (p)
        return p;
    (void)redis_value_str(redis_value_at(about, QUEUE_WORKER_SEEN), &len);
    if (len == 0)
        return problem_set(e, PROBLEM_NO_WORKER, "no worker has this id");
    if (!workers_may_steer(about, x->app->config, &x->access))
        return problem_set(e, PROBLEM_FORBIDDEN,
                           "the worker works on queues that are not this token's");
    return PROBLEM_NONE;
}

/* A hash that has gone meanwhile is not made for ever. */
static enum problem tell(struct exchange *x, const char *id, const char *quiet,
                         struct redis_value **ret_about, struct err *e)
{
    struct redis_cmd cmds[3];
    struct redis_value *replies[3] = {NULL, NULL, NULL};
    for (size_t i = 0; i < 3; i++)
        redis_cmd_init(&cmds[i]);
    redis_cmd_begin(&cmds[0], "HSET");
    redis_cmd_add_format(&cmds[0], "hoist:worker:%s", id);
    redis_cmd_add_str(&cmds[0], "quiet");
    redis_cmd_add_str(&cmds[0], quiet);
    redis_cmd_begin(&cmds[1], "PEXPIRE");
    redis_cmd_add_format(&cmds[1], "hoist:worker:%s", id);
    redis_cmd_add_int(&cmds[1], QUEUE_WORKER_EXPIRE_MS);
    queue_workers_about_cmd(&cmds[2], id);
    enum problem p = ask(x, cmds, 3, replies, e);
    *ret_about = p ? NULL : TAKE(replies[2]);
    for (size_t i = 0; i < 3; i++) {
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
    return p;
}

static void steer(struct exchange *x, const char *quiet)
{
    CLEANUP(reply_cleanup) struct redis_value *about = NULL;
    char id[QUEUE_WORKER_ID_MAX + 1];
    struct err e = ERR_INIT;
    enum problem p = find(x, id, &e);
    if (!p)
        p = tell(x, id, quiet, &about, &e);
    if (p) {
        exchange_refuse(x, p, &e);
        return;
    }
    response_begin(&x->response, 200, "application/json");
    workers_write_one(id, about, x->app->config, &x->access, &x->response.body);
    buf_putc(&x->response.body, '\n');
}

void workers_quiet(struct exchange *x)
{
    steer(x, "1");
}

void workers_resume(struct exchange *x)
{
    steer(x, "0");
}
