#include "fcgi-app/queues.h"

#include "shared/clock.h"
#include "shared/queue.h"

static void add_queue(struct buf *b, const char *name, const struct queue_status *s)
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
    buf_printf(b, ",\"oldest_age_seconds\":%lld.%03lld,\"paused\":%s}",
               (long long)(age_ms > 0 ? age_ms / 1000 : 0),
               (long long)(age_ms > 0 ? age_ms % 1000 : 0),
               s->paused ? "true" : "false");
}

static enum err_code ask(struct exchange *x, struct redis_value **ret_replies,
                         struct err *e)
{
    const struct config *config = x->app->config;
    struct redis_cmd cmds[CONFIG_QUEUES_MAX];
    for (size_t i = 0; i < config->queue_count; i++) {
        redis_cmd_init(&cmds[i]);
        queue_status_cmd(&cmds[i], config->queues[i].name);
    }
    enum err_code code = exchange_ask(x, cmds, config->queue_count, ret_replies, e);
    for (size_t i = 0; i < config->queue_count; i++)
        redis_cmd_release(&cmds[i]);
    return code;
}

static enum err_code add_all(struct exchange *x, struct redis_value *const *replies,
                             struct err *e)
{
    const struct config *config = x->app->config;
    struct buf *b = &x->response.body;
    buf_puts(b, "{\"queues\":[");
    for (size_t i = 0; i < config->queue_count; i++) {
        struct queue_status s;
        if (queue_parse_status(replies[i], &s, e))
            return e->code;
        if (i > 0)
            buf_putc(b, ',');
        add_queue(b, config->queues[i].name, &s);
    }
    buf_puts(b, "]}\n");
    return ERR_OK;
}

void queues_list(struct exchange *x)
{
    struct redis_value *replies[CONFIG_QUEUES_MAX];
    struct err e = ERR_INIT;
    if (ask(x, replies, &e)) {
        exchange_refuse(x, PROBLEM_UNAVAILABLE, &e);
        return;
    }
    response_begin(&x->response, 200, "application/json");
    if (add_all(x, replies, &e))
        exchange_refuse(x, PROBLEM_UNAVAILABLE, &e);
    for (size_t i = 0; i < x->app->config->queue_count; i++)
        redis_reply_free(replies[i]);
}
