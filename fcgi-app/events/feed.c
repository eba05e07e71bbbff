#include "fcgi-app/events/listeners_internal.h"

#include "shared/clock.h"

#include <stdlib.h>
#include <string.h>

static void release_text(struct feed_text *t)
{
    feed_text_clear(t);
    buf_release(&t->text);
}

bool feed_init(struct feed *f, const struct config *config)
{
    *f = (struct feed){.config = config, .class_count = 1 + config->auth_count};
    f->classes = calloc(f->class_count, sizeof *f->classes);
    for (size_t i = 0; f->classes && i < f->class_count; i++) {
        buf_init(&f->classes[i].news.text, FEED_TEXT_MAX);
        buf_init(&f->classes[i].hello.text, FEED_TEXT_MAX);
    }
    return f->classes;
}

void feed_release(struct feed *f)
{
    for (size_t i = 0; f->classes && i < f->class_count; i++) {
        release_text(&f->classes[i].news);
        release_text(&f->classes[i].hello);
    }
    free(f->classes);
    queues_picture_release(&f->queues);
    queue_workers_release(&f->workers);
}

struct feed_class *feed_class_of(struct feed *f, const struct listener *one)
{
    const struct config_auth *auth = one->access.auth;
    return &f->classes[auth ? 1 + (size_t)(auth - f->config->auths) : 0];
}

void feed_join(struct listeners *l, struct listener *one)
{
    struct feed *f = &l->feed;
    struct feed_class *class = feed_class_of(f, one);
    int64_t now = clock_mono_ms();
    class->access = one->access;
    one->joined = true;
    class->count++;
    f->count++;
    if (one->out.count == 0)
        feed_on_empty(l, one);
    if (!f->has_pictures || now - f->read_ms >= FEED_ACTIVE_MS)
        f->next_ms = now;
}

/* Nothing of it is kept for nobody. */
static void forget(struct feed *f)
{
    queues_picture_release(&f->queues);
    queue_workers_release(&f->workers);
    f->has_pictures = f->away = false;
    f->job_count = f->skipped = 0;
    for (size_t i = 0; i < f->class_count; i++) {
        release_text(&f->classes[i].news);
        release_text(&f->classes[i].hello);
        f->classes[i].queues_id[0] = f->classes[i].history_id[0] = '\0';
        f->classes[i].workers_id[0] = '\0';
    }
}

void feed_leave(struct listeners *l, struct listener *one)
{
    feed_step_out(one);
    feed_class_of(&l->feed, one)->count--;
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

void feed_turn(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    if (f->count == 0)
        return;
    if (!feed_in_round(f) && now >= l->redis_from_ms && now >= f->next_ms)
        feed_look(l, now);
    else if (!feed_in_round(f) && now >= l->redis_from_ms && f->has_pictures &&
             now >= f->probe_ms)
        feed_probe(l, now);
    else if (!feed_in_round(f) && f->has_pictures && now >= f->redraw_ms)
        feed_redraw(l, now);
    feed_send(l, now);
}

int64_t feed_wait_ms(const struct listeners *l, int64_t now)
{
    const struct feed *f = &l->feed;
    if (f->count == 0)
        return INT64_MAX;
    int64_t look = f->next_ms, at = feed_send_ms(f);
    if (f->has_pictures && f->probe_ms < look)
        look = f->probe_ms;
    if (look < l->redis_from_ms)
        look = l->redis_from_ms;
    if (!feed_in_round(f) && look < at)
        at = look;
    return at > now ? at - now : 0;
}
