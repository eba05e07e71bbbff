#include "shared/queue_workers.h"

#include <string.h>

static const char *const names[] = {[QUEUE_WORKER_HOST] = "host",
                                    [QUEUE_WORKER_PID] = "pid",
                                    [QUEUE_WORKER_VERSION] = "version",
                                    [QUEUE_WORKER_STARTED] = "started",
                                    [QUEUE_WORKER_SEEN] = "seen",
                                    [QUEUE_WORKER_ALIVE] = "alive",
                                    [QUEUE_WORKER_QUIET] = "quiet",
                                    [QUEUE_WORKER_QUIET_SINCE] = "quiet_since",
                                    [QUEUE_WORKER_QUEUES] = "queues",
                                    [QUEUE_WORKER_SLOTS] = "slots",
                                    [QUEUE_WORKER_RUNNING] = "running",
                                    [QUEUE_WORKER_JOBS] = "jobs",
                                    [QUEUE_WORKER_PAUSED] = "paused_destinations"};
_Static_assert(sizeof names / sizeof names[0] == QUEUE_WORKER_FIELDS, "one name each");

void queue_workers_release(struct queue_workers *w)
{
    redis_reply_free(w->ids);
    for (size_t i = 0; i < w->count; i++)
        redis_reply_free(w->about[i]);
    *w = (struct queue_workers){.ids = NULL};
}

bool queue_worker_is_quiet(const struct redis_value *quiet)
{
    const char *s = redis_value_str(quiet, NULL);

    return strcmp(s, "1") == 0 || strcmp(s, "yes") == 0 || strcmp(s, "true") == 0;
}

const char *queue_workers_id(const struct queue_workers *w, size_t i, size_t *ret_len)
{
    return redis_value_str(redis_value_at(w->ids, i), ret_len);
}

static void add_ids(struct redis_cmd *c)
{
    redis_cmd_begin(c, "ZREVRANGE");
    redis_cmd_add_str(c, "hoist:workers");
    redis_cmd_add_int(c, 0);
    redis_cmd_add_int(c, QUEUE_WORKERS_MAX); /* one more: whether there is one */
}

void queue_workers_about_cmd(struct redis_cmd *c, const char *id)
{
    redis_cmd_begin(c, "HMGET");
    redis_cmd_add_format(c, "hoist:worker:%s", id);
    for (size_t k = 0; k < QUEUE_WORKER_FIELDS; k++)
        redis_cmd_add_str(c, names[k]);
}

static enum err_code read_ids(struct queue_workers *w, queue_workers_ask *ask,
                              void *ctx, struct err *e)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    add_ids(&c);
    enum err_code code = ask(ctx, &c, 1, &w->ids, e);
    redis_cmd_release(&c);
    return code ? code : redis_value_error(w->ids, e);
}

static enum err_code read_about(struct queue_workers *w, queue_workers_ask *ask,
                                void *ctx, struct err *e)
{
    struct redis_cmd cmds[QUEUE_WORKERS_MAX];
    size_t known = redis_value_len(w->ids);

    w->count = known < QUEUE_WORKERS_MAX ? known : QUEUE_WORKERS_MAX;
    for (size_t i = 0; i < w->count; i++) {
        redis_cmd_init(&cmds[i]);
        queue_workers_about_cmd(&cmds[i], queue_workers_id(w, i, NULL));
    }
    enum err_code code = w->count > 0 ? ask(ctx, cmds, w->count, w->about, e) : ERR_OK;
    for (size_t i = 0; i < w->count; i++)
        redis_cmd_release(&cmds[i]);
    return code;
}

enum err_code queue_workers_read_by(queue_workers_ask *ask, void *ctx,
                                    struct queue_workers *ret, struct err *e)
{
    queue_workers_release(ret);
    enum err_code code = read_ids(ret, ask, ctx, e);
    if (!code)
        code = read_about(ret, ask, ctx, e);
    if (code)
        queue_workers_release(ret);
    return code;
}

static enum err_code ask_redis(void *ctx, const struct redis_cmd *cmds, size_t count,
                               struct redis_value **ret_replies, struct err *e)
{
    return redis_pipeline(ctx, cmds, count, ret_replies, e);
}

enum err_code queue_workers_read(struct redis *r, struct queue_workers *ret,
                                 struct err *e)
{
    return queue_workers_read_by(ask_redis, r, ret, e);
}
