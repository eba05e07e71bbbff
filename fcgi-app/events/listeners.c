#include "fcgi-app/events/listeners_internal.h"

#include "fcgi-app/thread.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    TICK_CHUNK = 256,
    EVENTS_MAX = 64,
    REDIS_MS = 500, /* others are not served meanwhile */
    TEXT_MAX = 1024 * 1024
};

/* --- Who comes --- */

static bool admit(struct listeners *l, struct listener *one)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};
    event.data.ptr = one;
    one->place = l->count;
    l->list[l->count++] = one;
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, gate_conn_fd(one->conn), &event) < 0)
        return false;
    if (one->kind != LISTENER_FEED)
        return listeners_watch(l, one);
    feed_join(l, one);
    return true;
}

/* False: time to end, and nobody has come. */
static bool take_in(struct listeners *l)
{
    (void)pthread_mutex_lock(&l->lock);
    struct listener *inbox = l->inbox;
    bool stopping = l->stopping;
    l->inbox = NULL;
    (void)pthread_mutex_unlock(&l->lock);
    bool any = inbox;
    while (inbox) {
        struct listener *one = inbox;
        inbox = one->next;
        if (!admit(l, one))
            listeners_drop(l, one);
        else
            listeners_flush(l, one);
    }
    return !stopping || any;
}

static void free_gone(struct listeners *l)
{
    while (l->gone) {
        struct listener *one = l->gone;
        l->gone = one->next;
        listener_free(one);
    }
}

/* --- The clock --- */

static void leave_politely(struct listeners *l, struct listener *one)
{
    if (one->kind == LISTENER_WAITS)
        listeners_answer(l, one);
    else
        listeners_end(l, one);
}

static void look_at_time(struct listeners *l, struct listener *one, int64_t now,
                         struct message **beat, unsigned *beat_id)
{
    int64_t slow_ms = l->app->config->http.send_timeout_seconds * 1000;
    if (one->out.count > 0 && now - one->moved_ms >= slow_ms) {
        log_debug("events", "a listener takes nothing");
        listeners_drop(l, one);
    } else if (now >= one->until_ms) {
        leave_politely(l, one);
    } else if (one->kind != LISTENER_WAITS && one->out.count == 0 &&
               now - one->heard_ms >= LISTENERS_BEAT_MS) {
        if (!*beat || *beat_id != one->later.id) {
            message_drop(*beat);
            buf_clear(&l->text);
            buf_puts(&l->text, SSE_BEAT);
            *beat = listeners_make(l, one, &l->text, false);
            *beat_id = one->later.id;
        }
        listeners_send(l, one, *beat);
    }
}

/* All are looked at in TICK_MS, TICK_CHUNK at a time: many of them may be due for a comment, or for an answer, at once. */
static void tick(struct listeners *l, int64_t now)
{
    struct message *beat = NULL;
    unsigned beat_id = 0;
    bool all = gate_is_stopping(l->app->gate);
    if (now < l->tick_ms)
        return;
    if (l->tick_left == 0) {
        l->tick_left = l->count;
        listeners_check(l, now);
        feed_tick(l);
    }
    int64_t pause_ms = TICK_MS / (int64_t)(l->count / TICK_CHUNK + 1);
    l->tick_ms = now + (pause_ms > 0 ? pause_ms : 1);
    for (size_t n = TICK_CHUNK; n > 0 && l->tick_left > 0; n--) {
        if (l->tick_left > l->count) /* who leaves is replaced by the last one */
            l->tick_left = l->count;
        if (l->tick_left == 0)
            break;
        struct listener *one = l->list[--l->tick_left];
        if (all)
            leave_politely(l, one);
        else
            look_at_time(l, one, now, &beat, &beat_id);
    }
    message_drop(beat);
}

static int wait_ms(const struct listeners *l, int64_t now)
{
    int64_t tick = l->tick_ms > now ? l->tick_ms - now : 0;
    int64_t ms = l->count > 0 ? tick : -1;
    bool away = now < l->redis_from_ms;
    if (l->watches.urgent_first && !away)
        return 0;
    int64_t feed = feed_wait_ms(l, now);
    if (ms >= 0 && feed < ms) /* nobody listens to it where ms is -1 */
        ms = feed;
    if (l->reader.state != READER_OFF) {
        int64_t left = l->reader.next_ms > now ? l->reader.next_ms - now : 0;
        ms = ms < 0 || left < ms ? left : ms;
    }
    return (int)ms;
}

/* --- The thread --- */

/* The reader's descriptor is watched for one event at a time: between two questions it may have been closed. */
static void watch_reader(struct listeners *l)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
    int fd = redis_fd(l->reader.redis);
    event.data.ptr = &l->reader;
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
        (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event); /* or it is given up */
}

static void on_event(struct listeners *l, const struct epoll_event *event)
{
    struct listener *one = event->data.ptr;
    if (event->data.ptr == &l->wake_fd) {
        uint64_t n;
        ssize_t got = read(l->wake_fd, &n, sizeof n);
        (void)got; /* the inbox is looked at anyhow */
        return;
    }
    if (event->data.ptr == &l->reader) {
        const struct streams_sink sink = {listeners_on_event, l};
        reader_read(&l->reader, clock_mono_ms(), &sink);
        if (l->reader.state == READER_ASKED)
            watch_reader(l);
        return;
    }
    if (!one->gone && event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        listeners_on_input(l, one);
    if (!one->gone && event->events & EPOLLOUT)
        listeners_flush(l, one);
}

static void turn(struct listeners *l)
{
    struct epoll_event events[EVENTS_MAX];
    unsigned failures = l->reader.failures;
    int n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, wait_ms(l, clock_mono_ms()));
    for (int i = 0; i < n; i++)
        on_event(l, &events[i]);
    int64_t now = clock_mono_ms();
    bool was_asked = l->reader.state == READER_ASKED;
    if (reader_turn(&l->reader, now, l->count > 0)) {
        listeners_hurry_all(l);
        l->feed.next_ms = now;
    }
    if (l->reader.failures != failures)
        l->feed.next_ms = now; /* is Redis away? */
    if (!was_asked && l->reader.state == READER_ASKED)
        watch_reader(l);
    listeners_look(l, now);
    feed_turn(l, now);
    tick(l, now);
    free_gone(l);
}

static void *run(void *arg)
{
    struct listeners *l = arg;
    thread_stand_back();
    while (take_in(l))
        turn(l);
    for (size_t i = l->count; i-- > 0;)
        leave_politely(l, l->list[i]);
    while (l->count > 0) /* they do not read */
        listeners_drop(l, l->list[l->count - 1]);
    free_gone(l);
    return NULL;
}

static void release(struct listeners *l)
{
    reader_release(&l->reader);
    redis_close(l->redis);
    watches_release(&l->watches);
    feed_release(&l->feed);
    response_release(&l->response);
    buf_release(&l->status);
    buf_release(&l->text);
    buf_release(&l->wire);
    (void)pthread_mutex_destroy(&l->lock);
    if (l->epoll_fd >= 0)
        (void)close(l->epoll_fd);
    if (l->wake_fd >= 0)
        (void)close(l->wake_fd);
    free(l->list);
    free(l);
}

static enum err_code open_all(struct listeners *l, struct err *e)
{
    const struct config_http *http = &l->app->config->http;
    size_t max = (size_t)(http->max_waiters + http->max_listeners);
    struct epoll_event event = {.events = EPOLLIN};
    l->max[LISTENER_WAITS] = (size_t)http->max_waiters;
    l->max[LISTENER_JOB] = (size_t)http->max_listeners;
    l->list = calloc(max + 1, sizeof(struct listener *));
    if (!l->list || !watches_init(&l->watches, max) ||
        !feed_init(&l->feed, l->app->config))
        return err_set(e, ERR_NOMEM, "events: out of memory");
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.ptr = &l->wake_fd;
    if (l->epoll_fd < 0 || l->wake_fd < 0 ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &event) < 0)
        return err_errno(e, ERR_CONFIG, "events: cannot start");
    if (redis_open(&l->app->redis, &l->redis, e))
        return e->code;
    redis_set_timeouts(l->redis, REDIS_MS, REDIS_MS);
    return reader_init(&l->reader, l->app->config, &l->app->redis, e);
}

enum err_code listeners_start(struct app *app, struct listeners **ret, struct err *e)
{
    struct listeners *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(e, ERR_NOMEM, "events: out of memory");
    l->app = app;
    l->epoll_fd = l->wake_fd = -1;
    (void)pthread_mutex_init(&l->lock, NULL);
    response_init(&l->response);
    l->response.varies = *app->config->http.cors_origins != '\0';
    buf_init(&l->status, TEXT_MAX);
    buf_init(&l->text, TEXT_MAX);
    buf_init(&l->wire, FEED_TEXT_MAX + FEED_TEXT_MAX / 8);
    enum err_code code = open_all(l, e);
    if (!code)
        code = thread_start(&l->thread, "events", run, l, e);
    if (code) {
        release(l);
        return code;
    }
    *ret = l;
    return ERR_OK;
}

void listeners_stop(struct listeners *l)
{
    uint64_t one = 1;
    if (!l)
        return;
    (void)pthread_mutex_lock(&l->lock);
    l->stopping = true;
    (void)pthread_mutex_unlock(&l->lock);
    ssize_t n = write(l->wake_fd, &one, sizeof one);
    (void)n; /* full: it is awake */
    (void)pthread_join(l->thread, NULL);
    release(l);
}
