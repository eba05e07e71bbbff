#include "fcgi-app/jobs/queues_write.h"

#include "fcgi-app/jobs/queue_limits.h"
#include "shared/clock.h"
#include "shared/queue.h"
#include "shared/queue_minutes.h"

#include <inttypes.h>
#include <string.h>

void queues_picture_release(struct queues_picture *p)
{
    for (size_t i = 0; i < QUEUES_CMDS * p->count; i++)
        redis_reply_free(p->replies[i]);
    *p = (struct queues_picture){.count = 0};
}

/* --- Reading --- */

void queues_cmds(const struct config_queue *queues, size_t count,
                 struct redis_cmd *cmds, struct queues_picture *ret)
{
    ret->queues = queues;
    ret->count = count;
    ret->at_ms = clock_wall_ms();
    for (size_t i = 0; i < count; i++) {
        queue_status_cmd(&cmds[QUEUES_CMDS * i], queues[i].name);
        queue_limits_cmd(&cmds[QUEUES_CMDS * i + 1], queues[i].name);
    }
}

enum err_code queues_check(const struct queues_picture *p, struct err *e)
{
    for (size_t i = 0; i < p->count; i++) {
        struct queue_status s;
        if (redis_value_error(p->replies[QUEUES_CMDS * i], e) ||
            queue_parse_status(p->replies[QUEUES_CMDS * i], &s, e))
            return e->code;
    }
    return ERR_OK;
}

enum err_code queues_read(struct redis *r, const struct config *config,
                          struct queues_picture *ret, struct err *e)
{
    struct redis_cmd cmds[QUEUES_CMDS * CONFIG_QUEUES_MAX];
    size_t count = QUEUES_CMDS * config->queue_count;
    queues_picture_release(ret);
    for (size_t i = 0; i < count; i++)
        redis_cmd_init(&cmds[i]);
    queues_cmds(config->queues, config->queue_count, cmds, ret);
    enum err_code code = redis_pipeline(r, cmds, count, ret->replies, e);
    for (size_t i = 0; i < count; i++)
        redis_cmd_release(&cmds[i]);
    if (!code)
        code = queues_check(ret, e);
    if (code)
        queues_picture_release(ret);
    return code;
}

/* --- Writing --- */

static void add_counters(struct buf *b, const struct queue_status *s)
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
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        buf_printf(b, ",\"%s\":%" PRId64, members[i].name, members[i].n);
}

static void add_rates(struct buf *b, const struct queue_minutes *m, int64_t now_ms)
{
    const char *before = ",\"rates\":{";
    for (enum queue_counter k = 0; k < QUEUE_COUNTERS; k++) {
        buf_printf(b, "%s\"%s\":%.*f", before, queue_counter_name(k),
                   k == QUEUE_COUNT_BYTES ? 0 : 2, queue_minutes_rate(m, k, now_ms));
        before = ",";
    }
    buf_putc(b, '}');
}

static void add_history(struct buf *b, const struct queue_minutes *m)
{
    buf_puts(b, ",\"history\":{\"last_minute\":\"");
    clock_format_rfc3339(b, m->last * 60000);
    buf_putc(b, '"');
    for (enum queue_counter k = 0; k < QUEUE_COUNTERS; k++) {
        buf_printf(b, ",\"%s\":[", queue_counter_name(k));
        for (size_t i = 0; i < QUEUE_MINUTES; i++) {
            if (i > 0)
                buf_putc(b, ',');
            buf_add_int(b, m->n[k][i]);
        }
        buf_putc(b, ']');
    }
    buf_putc(b, '}');
}

static void add_age(struct buf *b, const struct queue_status *s, int64_t now_ms)
{
    int64_t age_ms = s->oldest_created > 0 && s->oldest_created < now_ms
                         ? now_ms - s->oldest_created
                         : 0;
    buf_printf(b, ",\"oldest_age_seconds\":%" PRId64 ".%03" PRId64, age_ms / 1000,
               age_ms % 1000);
}

bool queues_write_one(const struct queues_picture *p, size_t i, bool with_history,
                      bool with_age, struct buf *b)
{
    struct redis_value *const *replies = &p->replies[QUEUES_CMDS * i];
    struct queue_status s;
    struct queue_minutes m;
    struct err e = ERR_INIT;
    if (queue_parse_status(replies[0], &s, &e))
        return false; /* queues_check has seen it */
    queue_parse_minutes(replies[0], &s, &m);
    buf_printf(b, "{\"name\":\"%s\"", p->queues[i].name);
    add_counters(b, &s);
    add_rates(b, &m, s.now_ms);
    if (with_history)
        add_history(b, &m);
    if (s.oldest_created > 0) {
        buf_puts(b, ",\"oldest\":\"");
        clock_format_rfc3339(b, s.oldest_created);
        buf_putc(b, '"');
    }
    if (with_age)
        add_age(b, &s, p->at_ms);
    buf_printf(b, ",\"paused\":%s,\"limits\":{", s.paused ? "true" : "false");
    queue_limits_add(b, replies[1]);
    buf_puts(b, "}}");
    return !b->failed;
}

bool queues_write(const struct queues_picture *p, const struct queues_view *view,
                  struct buf *b)
{
    const char *before = "";
    buf_puts(b, "{\"queues\":[");
    for (size_t i = 0; i < p->count; i++) {
        if (view->access &&
            !access_may_use_queue(view->access, view->config, &p->queues[i]))
            continue;
        buf_puts(b, before);
        if (!queues_write_one(p, i, view->with_history, true, b))
            return false;
        before = ",";
    }
    buf_puts(b, "]}");
    return !b->failed;
}
