#include "fcgi-app/events/listeners_internal.h"

#include "shared/clock.h"

#include <stdlib.h>
#include <string.h>

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
    queue_workers_release(&f->workers);
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
    queue_workers_release(&f->workers);
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

void feed_soon(struct feed *f)
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
    feed_soon(f);
}

/* Enqueueing is no event (queue/enqueue.lua); what comes through this responder is known all the same. */
void feed_tick(struct listeners *l)
{
    struct feed *f = &l->feed;
    if (f->count == 0)
        return;
    int64_t published = publisher_stats(l->app->publisher).published;
    if (published != f->published)
        feed_soon(f);
    f->published = published;
}

/* --- Sending --- */

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
            send_shared(l, one, feed_hello(l, class_of(f, one)), &s);
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
        feed_look(l, now);
    } else if (f->has_pictures && now >= f->probe_ms && now >= l->redis_from_ms) {
        feed_probe(l, now);
    } else if (f->has_pictures && now >= f->redraw_ms) {
        feed_redraw(l, now);
    }
    if (f->any_behind && f->cursor == 0 && (f->has_pictures || f->away))
        greet(l);
}

int64_t feed_wait_ms(const struct listeners *l, int64_t now)
{
    const struct feed *f = &l->feed;
    int64_t at = f->cursor > 0 ? f->chunk_ms : f->next_ms;
    if (f->cursor == 0 && f->has_pictures && f->probe_ms < at)
        at = f->probe_ms;
    if (f->count == 0)
        return INT64_MAX;
    if (f->cursor == 0 && at < l->redis_from_ms)
        at = l->redis_from_ms;
    return at > now ? at - now : 0;
}
