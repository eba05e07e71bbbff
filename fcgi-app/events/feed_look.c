#include "fcgi-app/events/listeners_internal.h"

#include "shared/clock.h"
#include "shared/log.h"

#include <string.h>

enum {
    REDIS_PAUSE_MS = 1000,
    PROBE_MS = 2000,      /* for each queue */
    PICTURE_COMMANDS = 25 /* of each queue: with those that its script runs */
};

/* --- Texts --- */

/* What stands in l->status, unless it is what was told last.  io_id NULL: whatever was. */
static void add_event(struct listeners *l, struct buf *b, const char *name, char *io_id)
{
    const struct buf *text = &l->status;
    char id[SSE_ID_SIZE];
    sse_make_id(text->data, text->len, id);
    if (text->failed || (io_id && strcmp(id, io_id) == 0))
        return;
    if (io_id)
        memcpy(io_id, id, sizeof id);
    sse_add_event(b, name, NULL, text->data, text->len);
}

static void write_queues(struct listeners *l, const struct feed_class *class,
                         bool with_history)
{
    const struct queues_view view = {l->feed.config, &class->access, with_history};
    buf_clear(&l->status);
    if (!queues_write(&l->feed.queues, &view, &l->status))
        l->status.failed = true;
}

static void write_workers(struct listeners *l, const struct feed_class *class)
{
    buf_clear(&l->status);
    if (!workers_write(&l->feed.workers, l->feed.config, &class->access, &l->status))
        l->status.failed = true;
}

/* What has changed.  The last hour does with each minute, hence it has an id of its own. */
static void add_changes(struct listeners *l, struct feed_class *class,
                        bool with_history)
{
    struct buf *b = &class->news.text;
    write_queues(l, class, false);
    if (with_history) {
        sse_make_id(l->status.data, l->status.len, class->queues_id);
        write_queues(l, class, true);
    }
    add_event(l, b, "queues", with_history ? class->history_id : class->queues_id);
    write_workers(l, class);
    add_event(l, b, "workers", class->workers_id);
}

static void add_jobs(struct listeners *l, struct feed_class *class)
{
    const struct feed *f = &l->feed;
    struct buf *b = &l->status;
    for (size_t i = 0; i < f->job_count; i++) {
        const struct feed_job *job = &f->jobs[i];
        char id[ID_JOB_MAX + 1];
        if (!access_may_see_all(
                &class->access, f->config,
                config_find_queue(f->config, job->id.queue, strlen(job->id.queue))))
            continue;
        id_format_job(&job->id, id);
        buf_clear(b);
        BUF_PUTS(b, "{\"id\":\"", id, "\",\"queue\":\"", job->id.queue,
                 "\",\"state\":\"", job_state_name(job->state), "\"}");
        add_event(l, &class->news.text, "job", NULL);
    }
    if (f->skipped == 0 || !access_may_see_all(&class->access, f->config, NULL))
        return;
    buf_clear(b);
    buf_printf(b, "{\"jobs\":%zu}", f->skipped);
    add_event(l, &class->news.text, "skipped", NULL);
}

static void add_away(struct feed *f, struct buf *b)
{
    static const char *const texts[] = {"{\"away\":false}", "{\"away\":true}"};
    sse_add_event(b, "redis", NULL, texts[f->away], strlen(texts[f->away]));
}

/* --- Pictures --- */

/* Of the news it is the first. */
static void begin_news(struct feed *f, bool away)
{
    bool is_new = f->away != away;
    f->away = away;
    for (size_t i = 0; i < f->class_count; i++) {
        struct feed_class *class = &f->classes[i];
        feed_text_clear(&class->news);
        class->has_hello = false;
        if (is_new && class->count > 0)
            add_away(f, &class->news.text);
    }
}

static void write_news(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    bool with_history = now - f->history_ms >= FEED_HISTORY_MS;
    if (with_history)
        f->history_ms = now;
    for (size_t i = 0; i < f->class_count; i++) {
        struct feed_class *class = &f->classes[i];
        if (class->count == 0)
            continue;
        add_jobs(l, class);
        add_changes(l, class, with_history);
    }
    f->job_count = f->skipped = 0;
    feed_begin_round(f, now);
}

/* Whether jobs run, or something has changed since the last pictures. */
static bool is_active(struct feed *f)
{
    int64_t sum = 0, running = 0, last = f->sum;
    for (size_t i = 0; i < f->queues.count; i++) {
        struct queue_status s;
        struct err ignored = ERR_INIT; /* queues_read has seen it */
        if (queue_parse_status(f->queues.replies[QUEUES_CMDS * i], &s, &ignored))
            continue;
        running += s.running;
        sum += s.enqueued_total + s.started_total + s.done_total + s.failed_total +
               s.retried_total + s.cancelled_total;
    }
    f->sum = sum;
    return running > 0 || sum != last;
}

static int64_t probe_pause_ms(const struct feed *f)
{
    return PROBE_MS *
           (int64_t)(f->config->queue_count > 0 ? f->config->queue_count : 1);
}

/* Jobs that others enqueued: one cheap command a queue tells whether there is more to look at. */
void feed_probe(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    struct redis_cmd cmds[CONFIG_QUEUES_MAX] = {{.count = 0}};
    struct redis_value *replies[CONFIG_QUEUES_MAX] = {NULL};
    struct err e = ERR_INIT;
    int64_t places = 0;
    for (size_t i = 0; i < f->config->queue_count; i++) {
        redis_cmd_init(&cmds[i]);
        redis_cmd_begin(&cmds[i], "GET");
        queue_add_key(&cmds[i], f->config->queues[i].name, "seq");
    }
    enum err_code code =
        redis_pipeline(l->redis, cmds, f->config->queue_count, replies, &e);
    for (size_t i = 0; i < f->config->queue_count; i++) {
        places += redis_value_int(replies[i]);
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
    if (code || places != f->places)
        feed_soon(f);
    f->places = places;
    f->probe_ms = now + probe_pause_ms(f);
}

/* What is known, as it is now: ages, rates and the last hour go on by themselves. */
void feed_redraw(struct listeners *l, int64_t now)
{
    l->feed.queues.at_ms = clock_wall_ms();
    l->feed.redraw_ms = now + FEED_REDRAW_MS;
    begin_news(&l->feed, false);
    write_news(l, now);
}

void feed_look(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    struct err e = ERR_INIT;
    enum err_code code = queues_read(l->redis, f->config, &f->queues, &e);
    if (!code)
        code = queue_workers_read(l->redis, &f->workers, &e);
    f->read_ms = now;
    f->has_pictures = !code;
    begin_news(f, code != ERR_OK);
    if (code) {
        feed_begin_round(f, now);
        log_debug("events", "no pictures now", LOG_ERR(&e));
        f->next_ms = now + REDIS_PAUSE_MS;
        return;
    }
    int64_t commands =
        (int64_t)(PICTURE_COMMANDS * f->queues.count + f->workers.count) + 3;
    int64_t idle_ms = commands * 1000 / FEED_IDLE_RATE;
    f->probe_ms = now + probe_pause_ms(f);
    f->redraw_ms = now + FEED_REDRAW_MS;
    f->next_ms =
        now + (is_active(f) && FEED_RUNNING_MS < idle_ms ? FEED_RUNNING_MS : idle_ms);
    write_news(l, now);
}

struct feed_text *feed_hello(struct listeners *l, struct feed_class *class)
{
    struct buf *b = &class->hello.text;
    if (class->has_hello)
        return &class->hello;
    feed_text_clear(&class->hello);
    if (l->feed.away)
        add_away(&l->feed, b);
    if (l->feed.has_pictures) {
        write_queues(l, class, true);
        add_event(l, b, "queues", NULL);
        write_workers(l, class);
        add_event(l, b, "workers", NULL);
    }
    class->has_hello = true;
    return &class->hello;
}
