#include "fcgi-app/fastcgi/gate_internal.h"

#include "fcgi-app/fastcgi/handover.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 64,
    ACCEPT_PAUSE_MS = 100,
    STOPPING_TICK_MS = 20,
    LINGER_BYTES = 64 * 1024 * 1024,
    LINGER_TURN_BYTES = 1024 * 1024 /* no connection keeps the gate for longer */
};

static bool watch(int epoll_fd, int fd, void *ptr)
{
    struct epoll_event event = {.events = EPOLLIN};
    event.data.ptr = ptr;
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool watch_listener(struct gate *g)
{
    int fd = g->options.listen_fd;
    int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);
    return fd < 0 || (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
                      watch(g->gate_fd, fd, NULL));
}

static void set_accepting(struct gate *g, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0};
    if (atomic_load(&g->accepting) != on &&
        epoll_ctl(g->gate_fd, EPOLL_CTL_MOD, g->options.listen_fd, &event) == 0)
        atomic_store(&g->accepting, on);
}

static void link_free_list(struct gate *g)
{
    for (size_t i = g->conn_count; i-- > 0;) {
        g->conns[i].fd = -1;
        g->conns[i].next = g->free_list;
        g->free_list = &g->conns[i];
    }
}

enum err_code gate_open(const struct gate_options *o, struct gate **ret_gate,
                        struct err *e)
{
    struct gate *g = calloc(1, sizeof *g);
    if (!g)
        return err_set(e, ERR_NOMEM, "gate: out of memory");
    g->options = *o;
    (void)pthread_mutex_init(&g->lock, NULL);
    g->work_fd = epoll_create1(EPOLL_CLOEXEC);
    g->gate_fd = epoll_create1(EPOLL_CLOEXEC);
    g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->scratch = malloc(GATE_SCRATCH_BYTES);
    g->conn_count = o->max_connections + o->max_parked;
    g->conns = calloc(g->conn_count, sizeof *g->conns);
    if (!g->scratch || !g->conns || g->work_fd < 0 || g->gate_fd < 0 ||
        g->wake_fd < 0 || g->end_fd < 0 || !watch_listener(g) ||
        !watch(g->gate_fd, g->wake_fd, &g->wake_fd) ||
        !watch(g->work_fd, g->end_fd, NULL)) {
        enum err_code code = err_errno(e, ERR_CONFIG, "gate: cannot start");
        gate_close(g);
        return code;
    }
    atomic_store(&g->accepting, true);
    link_free_list(g);
    *ret_gate = g;
    return ERR_OK;
}

void gate_close(struct gate *g)
{
    if (!g)
        return;
    for (size_t i = 0; g->conns && i < g->conn_count; i++)
        if (atomic_load(&g->conns[i].state) != CONN_FREE) {
            (void)close(g->conns[i].fd);
            fastcgi_free(g->conns[i].web);
        }
    const int fds[] = {g->work_fd, g->gate_fd, g->wake_fd, g->end_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    free(g->conns);
    free(g->scratch);
    (void)pthread_mutex_destroy(&g->lock);
    free(g);
}

bool gate_adopt(struct gate *g, int fd)
{
    struct gate_conn *c = gate_conn_new(g, fd);
    if (!c)
        return false;
    gate_set_timeouts(g, fd);
    gate_conn_to_work(g, c);
    return true;
}

void gate_stop(struct gate *g)
{
    atomic_store(&g->stopping, true);
    gate_wake(g);
}

bool gate_is_stopping(const struct gate *g)
{
    return atomic_load(&g->stopping);
}

/* --- Events of the gate thread --- */

/* HALF no longer: a handler may have it. */
static void to_work(struct gate *g, struct gate_conn *c)
{
    gate_conn_leave_half(g, c);
    gate_conn_to_work(g, c);
}

/* What has come of half a head.  False: it is seen to. */
static bool is_still_half(struct gate *g, struct gate_conn *c)
{
    struct err e = ERR_INIT;
    switch (fastcgi_look(c->web, &e)) {
    case FASTCGI_NOTHING: /* but records that were answered by the way */
    case FASTCGI_PART:
        return true;
    case FASTCGI_REQUEST:
        to_work(g, c);
        return false;
    case FASTCGI_REFUSAL:
        gate_conn_leave_half(g, c);
        gate_conn_linger(g, c);
        return false;
    case FASTCGI_WRONG:
        log_debug("gate", "not a request", LOG_ERR(&e));
        break;
    case FASTCGI_OVER:
        break;
    }
    gate_conn_drop(g, c);
    return false;
}

static void throw_away(struct gate *g, struct gate_conn *c)
{
    ssize_t n = 0;
    for (size_t turn = 0; turn < LINGER_TURN_BYTES; turn += (size_t)n) {
        n = recv(c->fd, g->scratch, GATE_SCRATCH_BYTES, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        c->drained += n > 0 ? (size_t)n : 0;
        if (n <= 0 || c->drained > LINGER_BYTES) {
            gate_conn_drop(g, c);
            return;
        }
    }
}

static bool has_room(struct gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    bool room =
        g->free_list && g->open_count - g->parked_count < g->options.max_connections;
    (void)pthread_mutex_unlock(&g->lock);
    return room;
}

static void warn(struct gate *g, const char *what, const char *error)
{
    int64_t held;
    if (log_limit_passes(&g->said, what, clock_mono_ms(), &held))
        log_warn("gate", what, LOG_STR("error", error), log_limit_held(held));
}

/* Whether nobody is left who has connected. */
static bool accept_all(struct gate *g)
{
    while (has_room(g)) {
        int fd = accept4(g->options.listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK ||
                       errno == EINVAL /* shut down */))
            return true;
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO))
            continue;
        if (fd < 0) {
            warn(g, "accept failed, pausing", strerror(errno));
            g->accept_again_ms = clock_mono_ms() + ACCEPT_PAUSE_MS;
            break;
        }
        atomic_fetch_add(&g->accepted, 1);
        if (g->options.peers && !peers_may_connect(g->options.peers, fd)) {
            (void)close(fd);
            warn(g, "closed a connection", "who connected may not");
            continue;
        }
        gate_set_timeouts(g, fd);
        gate_conn_to_work(g, gate_conn_new(g, fd)); /* only this thread takes of them */
    }
    set_accepting(g, false);
    return false;
}

static void on_event(struct gate *g, const struct epoll_event *event)
{
    struct gate_conn *c = event->data.ptr;
    if (event->data.ptr == &g->wake_fd) {
        uint64_t n;
        ssize_t got = read(g->wake_fd, &n, sizeof n);
        (void)got;
    } else if (!c) {
        if (!atomic_load(&g->stopping))
            (void)accept_all(g); /* the rest is for the next event */
    } else if (atomic_load(&c->state) == CONN_HALF) {
        (void)is_still_half(g, c); /* then it waits on */
    } else if (atomic_load(&c->state) == CONN_LINGER) {
        throw_away(g, c);
    }
}

/* --- The clock --- */

static bool has_bytes(const struct gate_conn *c)
{
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Close it, which is the gate thread's, unless a request has begun to come on it.  On a unix socket nothing can come between
 * the shutdown and the second look. */
static bool close_unless_used(struct gate *g, struct gate_conn *c)
{
    if (c->web || has_bytes(c))
        return false;
    (void)shutdown(c->fd, SHUT_RD);
    if (has_bytes(c))
        return false;
    gate_conn_drop(g, c);
    return true;
}

/* When everything stops: others who listen there go on with the connection, whatever is on it. */
static bool hand_over(struct gate *g, struct gate_conn *c)
{
    if (c->web || g->options.own_listener ||
        !handover_send(g->options.listen_fd, c->fd))
        return false;
    gate_conn_drop(g, c);
    return true;
}

/* Close an idle connection whose time is over.  When everything stops it is over for those that were used, and soon for
 * new ones; but first it is offered to others. */
static void sweep_idle(struct gate *g, struct gate_conn *c, int64_t now, bool stopping)
{
    int idle = CONN_IDLE;
    if ((!stopping && now < atomic_load(&c->deadline_ms)) ||
        !atomic_compare_exchange_strong(&c->state, &idle, CONN_CLOSING))
        return;
    if (stopping && hand_over(g, c))
        return;
    /* It may have been used and given back since the first look. */
    bool over =
        stopping ? c->used || now >= g->settle_ms : now >= atomic_load(&c->deadline_ms);
    if (!over || !close_unless_used(g, c))
        gate_conn_rearm(g, c);
}

static void sweep_half(struct gate *g, struct gate_conn *c, int64_t now, bool stopping)
{
    bool over =
        now >= atomic_load(&c->deadline_ms) || (stopping && now >= g->settle_ms);
    if (!over || !is_still_half(g, c))
        return;
    (void)shutdown(c->fd, SHUT_RD);
    if (is_still_half(g, c))
        gate_conn_drop(g, c);
}

static void sweep(struct gate *g, int64_t now)
{
    bool stopping = atomic_load(&g->stopping);
    for (size_t i = 0; i < g->conn_count; i++) {
        struct gate_conn *c = &g->conns[i];
        int state = atomic_load(&c->state);
        if (state == CONN_IDLE)
            sweep_idle(g, c, now, stopping);
        else if (state == CONN_HALF)
            sweep_half(g, c, now, stopping);
        else if (state == CONN_LINGER && now >= atomic_load(&c->deadline_ms))
            gate_conn_drop(g, c);
    }
}

static size_t count_open(struct gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    size_t count = g->open_count;
    (void)pthread_mutex_unlock(&g->lock);
    return count;
}

static int wait_ms(struct gate *g)
{
    if (atomic_load(&g->stopping))
        return STOPPING_TICK_MS;
    return count_open(g) > 0 || !atomic_load(&g->accepting) ? GATE_TICK_MS : -1;
}

/* Once, when everything stops.  A listener that is shut down would be an event for ever, hence it is not watched. */
static void leave_listener(struct gate *g, int64_t now)
{
    (void)epoll_ctl(g->gate_fd, EPOLL_CTL_DEL, g->options.listen_fd, NULL);
    atomic_store(&g->accepting, false);
    g->settle_ms = now + GATE_SETTLE_MS;
    g->backlog_done = !g->options.own_listener;
    if (g->options.own_listener)
        (void)shutdown(g->options.listen_fd, SHUT_RD); /* connecting fails now */
}

static void tick(struct gate *g)
{
    int64_t now = clock_mono_ms();
    if (atomic_load(&g->stopping)) {
        if (g->settle_ms == 0)
            leave_listener(g, now);
        if (!g->backlog_done && now >= g->accept_again_ms)
            g->backlog_done = accept_all(g);
    } else if (!atomic_load(&g->accepting) && now >= g->accept_again_ms &&
               has_room(g)) {
        set_accepting(g, true);
    }
    if (count_open(g) > 0) {
        sweep(g, now);
        if (g->options.on_tick)
            g->options.on_tick(g->options.ctx);
    }
}

/* Requests that took too long: their threads get an error from the next read or write. */
void gate_cut(struct gate *g)
{
    uint64_t one = 1;
    atomic_store(&g->cut, true);
    (void)pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < g->conn_count; i++)
        if (atomic_load(&g->conns[i].state) == CONN_BUSY)
            (void)shutdown(g->conns[i].fd, SHUT_RDWR);
    (void)pthread_mutex_unlock(&g->lock);
    ssize_t n = write(g->end_fd, &one, sizeof one);
    (void)n; /* an empty eventfd takes it */
}

void gate_run(struct gate *g)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t end_ms = 0, ticked_ms = 0;
    for (;;) {
        int n = epoll_wait(g->gate_fd, events, EVENTS_MAX, wait_ms(g));
        for (int i = 0; i < n; i++)
            on_event(g, &events[i]);
        int64_t now = clock_mono_ms();
        bool stopping = atomic_load(&g->stopping);
        if (stopping || !atomic_load(&g->accepting) ||
            now - ticked_ms >= GATE_TICK_MS) {
            tick(g);
            ticked_ms = now;
        }
        if (!stopping)
            continue;
        if (end_ms == 0)
            end_ms = now + g->options.drain_ms;
        if ((count_open(g) == 0 && g->backlog_done) || now >= end_ms)
            break;
    }
    gate_cut(g);
}
