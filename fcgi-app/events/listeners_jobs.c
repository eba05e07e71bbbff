#include "fcgi-app/events/listeners_internal.h"

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/queue.h"

#include <string.h>

enum {
    LOOK_BATCH = 50,
    PROGRESS_MS = 1000,
    LOOKS_MAX = 200, /* a second, for progress */
    CHECK_MS = 5000, /* should an event ever be missed: one look in so long */
    BLIND_MS = 5000, /* between two looks at each job whose events are not seen */
    REDIS_PAUSE_MS = 1000
};

bool listeners_watch(struct listeners *l, struct listener *one)
{
    struct watch *w = watches_get(&l->watches, &one->job);
    if (!w)
        return false;
    job_release(&one->job);
    one->watch = w;
    one->watch_next = w->listeners;
    w->listeners = one;
    watches_hurry(&l->watches, w);
    return true;
}

void listeners_unwatch(struct listeners *l, struct listener *one)
{
    struct watch *w = one->watch;
    if (!w)
        return;
    struct listener **at = &w->listeners;
    while (*at != one)
        at = &(*at)->watch_next;
    *at = one->watch_next;
    one->watch = NULL;
    if (!w->listeners)
        watches_remove(&l->watches, w);
}

/* What is known now goes to whoever does not know it yet.  The last one who leaves takes the watch with him. */
static void tell(struct listeners *l, struct watch *w)
{
    char id[SSE_ID_SIZE];
    struct buf *text = &l->text;
    struct message *m = NULL;
    unsigned m_id = 0;
    bool is_final = job_state_is_final(w->job.state);
    buf_clear(&l->status);
    job_add_status(&l->status, &w->job);
    sse_make_id(l->status.data, l->status.len, id);
    for (struct listener *one = w->listeners, *next; one; one = next) {
        next = one->watch_next;
        if (one->kind == LISTENER_WAITS) {
            if (is_final)
                listeners_answer(l, one);
            continue;
        }
        if (strcmp(one->told, id) != 0) {
            memcpy(one->told, id, sizeof id);
            if (!m || m_id != one->later.id) {
                message_drop(m);
                buf_clear(text);
                sse_add_event(text, "job", id, l->status.data, l->status.len);
                m = listeners_make(l, one, text, false);
                m_id = one->later.id;
            }
            listeners_send(l, one, l->status.failed ? NULL : m);
        }
        if (is_final)
            listeners_end(l, one);
    }
    message_drop(m);
}

/* When to look again though nothing is told. */
static int64_t pause_ms(struct listeners *l, const struct watch *w)
{
    int64_t running = (int64_t)l->watches.running, count = (int64_t)l->watches.count;
    if (w->job.state == JOB_RUNNING) {
        int64_t ms = running * 1000 / LOOKS_MAX;
        return ms > PROGRESS_MS ? ms : PROGRESS_MS;
    }
    if (w->job.state == JOB_ACCEPTED || /* to be enqueued is no event */
        !reader_sees(&l->reader, w->job.id.queue)) {
        int64_t ms = count * 1000 / LOOKS_MAX;
        return ms > BLIND_MS ? ms : BLIND_MS;
    }
    return CHECK_MS * count;
}

static void take(struct listeners *l, struct watch *w,
                 struct redis_value *const replies[2])
{
    struct job now = JOB_INIT;
    struct job_id id = w->job.id;
    bool missing = false;
    struct err ignored = ERR_INIT; /* a damaged record: the last known state stands */
    if (queue_parse_show(replies[0], replies[1], &id, &now, &missing, &ignored) ==
        ERR_OK)
        watches_set_job(&l->watches, w, &now);
    job_release(&now);
    w->check_ms = clock_mono_ms() + pause_ms(l, w);
    tell(l, w);
}

static void look_at(struct listeners *l, struct watch *const *list, size_t count,
                    int64_t now)
{
    struct redis_cmd cmds[2 * LOOK_BATCH] = {{.count = 0}};
    struct redis_value *replies[2 * LOOK_BATCH] = {NULL};
    struct err e = ERR_INIT;
    for (size_t i = 0; i < count; i++) {
        redis_cmd_init(&cmds[2 * i]);
        redis_cmd_init(&cmds[2 * i + 1]);
        queue_show_cmds(&cmds[2 * i], &list[i]->job.id);
    }
    enum err_code code = redis_pipeline(l->redis, cmds, 2 * count, replies, &e);
    if (code) {
        log_debug("events", "redis is away", LOG_ERR(&e));
        l->redis_from_ms = now + REDIS_PAUSE_MS;
    }
    for (size_t i = 0; i < count; i++) {
        if (code)
            watches_hurry(&l->watches, list[i]);
        else
            take(l, list[i], &replies[2 * i]);
    }
    for (size_t i = 0; i < 2 * count; i++) {
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
}

void listeners_look(struct listeners *l, int64_t now)
{
    struct watch *list[LOOK_BATCH];
    size_t count = 0;
    if (now < l->redis_from_ms)
        return;
    while (count < LOOK_BATCH && (list[count] = watches_next(&l->watches)))
        count++;
    if (count > 0)
        look_at(l, list, count, now);
}

void listeners_check(struct listeners *l, int64_t now)
{
    for (size_t i = 0; i < l->watches.count; i++)
        if (now >= l->watches.list[i]->check_ms)
            watches_hurry(&l->watches, l->watches.list[i]);
}

void listeners_hurry_all(struct listeners *l)
{
    for (size_t i = 0; i < l->watches.count; i++)
        watches_hurry(&l->watches, l->watches.list[i]);
}

void listeners_on_event(void *ctx, const char *queue, const char *uuid,
                        enum job_state state)
{
    struct listeners *l = ctx;
    struct watch *w = watches_find(&l->watches, queue, uuid);
    feed_on_event(l, queue, uuid, state);
    if (w)
        watches_hurry(&l->watches, w);
}
