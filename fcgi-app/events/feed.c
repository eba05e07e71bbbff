#include "fcgi-app/events/listeners_internal.h"

#include "shared/clock.h"
#include "shared/log.h"

#include <stdlib.h>
#include <string.h>

enum { REDIS_PAUSE_MS = 1000 };

bool feed_init(struct feed *f, const struct config *config)
{
    *f = (struct feed){.config = config, .class_count = 1 + config->auth_count};
    f->classes = calloc(f->class_count, sizeof *f->classes);
    for (size_t i = 0; f->classes && i < f->class_count; i++) {
        buf_init(&f->classes[i].news, FEED_TEXT_MAX);
        buf_init(&f->classes[i].hello, FEED_TEXT_MAX);
    }
    return f->classes;
}

void feed_release(struct feed *f)
{
    for (size_t i = 0; f->classes && i < f->class_count; i++) {
        buf_release(&f->classes[i].news);
        buf_release(&f->classes[i].hello);
    }
    free(f->classes);
    queues_picture_release(&f->queues);
    workers_picture_release(&f->workers);
}

static struct feed_class *class_of(struct feed *f, const struct listener *one)
{
    const struct config_auth *auth = one->access.auth;
    return &f->classes[auth ? 1 + (size_t)(auth - f->config->auths) : 0];
}

void feed_join(struct listeners *l, struct listener *one)
{
    struct feed *f = &l->feed;
    struct feed_class *class = class_of(f, one);
    int64_t now = clock_mono_ms();
    class->access = one->access;
    one->joined = true;
    class->count++;
    f->count++;
    one->behind = f->any_behind = true;
    one->round = f->round;
    if (!f->has_pictures || now - f->read_ms >= FEED_ACTIVE_MS)
        f->next_ms = now;
}

/* Nothing of it is kept for nobody. */
static void forget(struct feed *f)
{
    queues_picture_release(&f->queues);
    workers_picture_release(&f->workers);
    f->has_pictures = f->away = f->any_behind = false;
    f->job_count = f->skipped = f->cursor = 0;
    for (size_t i = 0; i < f->class_count; i++) {
        buf_release(&f->classes[i].news);
        buf_release(&f->classes[i].hello);
        f->classes[i].queues_id[0] = f->classes[i].history_id[0] = '\0';
        f->classes[i].workers_id[0] = '\0';
    }
}

void feed_leave(struct listeners *l, struct listener *one)
{
    class_of(&l->feed, one)->count--;
    if (--l->feed.count == 0)
        forget(&l->feed);
}

static void soon(struct feed *f)
{
    if (f->next_ms > f->read_ms + FEED_ACTIVE_MS)
        f->next_ms = f->read_ms + FEED_ACTIVE_MS;
}

void feed_on_event(struct listeners *l, const char *queue, const char *uuid,
                   enum job_state state)
{
    struct feed *f = &l->feed;
    size_t i = 0;
    if (f->count == 0)
        return;
    while (i < f->job_count && (strcmp(f->jobs[i].id.uuid.text, uuid) != 0 ||
                                strcmp(f->jobs[i].id.queue, queue) != 0))
        i++;
    if (i == FEED_JOBS_MAX) {
        f->skipped++;
    } else {
        struct feed_job *job = &f->jobs[i];
        f->job_count += i == f->job_count;
        job->state = state;
        memcpy(job->id.queue, queue, strnlen(queue, ID_QUEUE_MAX) + 1);
        memcpy(job->id.uuid.text, uuid, sizeof job->id.uuid.text);
    }
    soon(f);
}

/* Enqueueing is no event (queue/enqueue.lua); what comes through this responder is known all the same. */
void feed_tick(struct listeners *l)
{
    struct feed *f = &l->feed;
    if (f->count == 0)
        return;
    int64_t published = publisher_stats(l->app->publisher).published;
    if (published != f->published)
        soon(f);
    f->published = published;
}

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
    struct buf *b = &class->news;
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
        add_event(l, &class->news, "job", NULL);
    }
    if (f->skipped == 0 || !access_may_see_all(&class->access, f->config, NULL))
        return;
    buf_clear(b);
    buf_printf(b, "{\"jobs\":%zu}", f->skipped);
    add_event(l, &class->news, "skipped", NULL);
}

static void add_away(struct feed *f, struct buf *b)
{
    static const char *const texts[] = {"{\"away\":false}", "{\"away\":true}"};
    sse_add_event(b, "redis", NULL, texts[f->away], strlen(texts[f->away]));
}

static void begin_round(struct listeners *l)
{
    l->feed.round++;
    l->feed.cursor = l->count;
}

/* --- Pictures --- */

static void set_away(struct listeners *l, bool away)
{
    struct feed *f = &l->feed;
    for (size_t i = 0; i < f->class_count; i++)
        buf_clear(&f->classes[i].news);
    if (f->away == away)
        return;
    f->away = away;
    for (size_t i = 0; i < f->class_count; i++)
        if (f->classes[i].count > 0)
            add_away(f, &f->classes[i].news);
    begin_round(l);
}

static void write_news(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    bool with_history = now - f->history_ms >= FEED_HISTORY_MS;
    if (with_history)
        f->history_ms = now;
    for (size_t i = 0; i < f->class_count; i++) {
        struct feed_class *class = &f->classes[i];
        class->has_hello = false;
        if (class->count == 0)
            continue;
        add_jobs(l, class);
        add_changes(l, class, with_history);
    }
    f->job_count = f->skipped = 0;
    begin_round(l);
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

static void take_pictures(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    struct err e = ERR_INIT;
    enum err_code code = queues_read(l->redis, f->config, &f->queues, &e);
    if (!code)
        code = workers_read(l->redis, &f->workers, &e);
    f->read_ms = now;
    f->has_pictures = !code;
    set_away(l, code != ERR_OK);
    if (code) {
        log_debug("events", "no pictures now", LOG_ERR(&e));
        f->next_ms = now + REDIS_PAUSE_MS;
        return;
    }
    int64_t commands = (int64_t)(QUEUES_CMDS * f->queues.count + f->workers.count + 3);
    int64_t idle_ms = commands * 1000 / FEED_IDLE_RATE;
    f->next_ms =
        now + (is_active(f) && FEED_RUNNING_MS < idle_ms ? FEED_RUNNING_MS : idle_ms);
    write_news(l, now);
}

/* --- Sending --- */

static const struct buf *hello_of(struct listeners *l, struct feed_class *class)
{
    if (class->has_hello)
        return &class->hello;
    buf_clear(&class->hello);
    if (l->feed.away)
        add_away(&l->feed, &class->hello);
    if (l->feed.has_pictures) {
        write_queues(l, class, true);
        add_event(l, &class->hello, "queues", NULL);
        write_workers(l, class);
        add_event(l, &class->hello, "workers", NULL);
    }
    class->has_hello = l->feed.has_pictures;
    return &class->hello;
}

/* The same message for all of a class whose requests have the same id, one after the other. */
struct sharing {
    const struct buf *text;
    unsigned id;
    struct message *message; /* owned */
};

static void send_shared(struct listeners *l, struct listener *one,
                        const struct buf *text, struct sharing *s)
{
    if (text->len == 0)
        return;
    if (s->text != text || s->id != one->later.id) {
        message_drop(s->message);
        s->message = listeners_make(l, one, text, false);
        s->text = text;
        s->id = one->later.id;
    }
    listeners_send(l, one, s->message);
}

static void greet(struct listeners *l)
{
    struct feed *f = &l->feed;
    struct sharing s = {.text = NULL};
    f->any_behind = false;
    for (size_t i = l->count; i-- > 0;) {
        struct listener *one = l->list[i];
        if (one->kind != LISTENER_FEED || !one->behind)
            continue;
        one->behind = one->out.count > 0;
        f->any_behind = f->any_behind || one->behind;
        if (!one->behind)
            send_shared(l, one, hello_of(l, class_of(f, one)), &s);
    }
    message_drop(s.message);
}

static void send_chunk(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    struct sharing s = {.text = NULL};
    f->chunk_ms = now + FEED_CHUNK_MS;
    for (size_t sent = 0; sent < FEED_CHUNK && f->cursor > 0;) {
        if (f->cursor > l->count)
            f->cursor = l->count;
        if (f->cursor == 0)
            break;
        struct listener *one = l->list[--f->cursor];
        if (one->kind != LISTENER_FEED || one->round == f->round || one->behind)
            continue;
        one->round = f->round;
        one->behind = one->out.count > 0;
        f->any_behind = f->any_behind || one->behind;
        if (!one->behind)
            send_shared(l, one, &class_of(f, one)->news, &s);
        sent++;
    }
    message_drop(s.message);
}

void feed_turn(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    if (f->count == 0)
        return;
    if (f->cursor > 0) {
        if (now >= f->chunk_ms)
            send_chunk(l, now);
    } else if (now >= f->next_ms && now >= l->redis_from_ms) {
        take_pictures(l, now);
    }
    if (f->any_behind && f->cursor == 0 && (f->has_pictures || f->away))
        greet(l);
}

int64_t feed_wait_ms(const struct listeners *l, int64_t now)
{
    const struct feed *f = &l->feed;
    int64_t at = f->cursor > 0 ? f->chunk_ms : f->next_ms;
    if (f->count == 0)
        return INT64_MAX;
    if (f->cursor == 0 && at < l->redis_from_ms)
        at = l->redis_from_ms;
    return at > now ? at - now : 0;
}
