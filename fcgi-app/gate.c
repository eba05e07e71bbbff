#include "fcgi-app/gate_internal.h"

#include "fcgi-app/fastcgi_head.h"
#include "shared/clock.h"
#include "shared/log.h"

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
    LINGER_TURN_BYTES =
        1024 * 1024 /* one connection does not keep the gate for longer */
};

static bool watch(int epoll_fd, int fd, void *ptr)
{
    struct epoll_event event = {.events = EPOLLIN};
    event.data.ptr = ptr;
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
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
    for (size_t i = g->options.max_connections; i-- > 0;) {
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
    g->scratch = malloc(FASTCGI_HEAD_MAX);
    g->conns = calloc(o->max_connections, sizeof *g->conns);
    int flags = fcntl(o->listen_fd, F_GETFL);
    if (!g->scratch || !g->conns || g->work_fd < 0 || g->gate_fd < 0 ||
        g->wake_fd < 0 || g->end_fd < 0 || flags < 0 ||
        fcntl(o->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        !watch(g->gate_fd, o->listen_fd, NULL) ||
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
    for (size_t i = 0; g->conns && i < g->options.max_connections; i++)
        if (atomic_load(&g->conns[i].state) != CONN_FREE)
            (void)close(g->conns[i].fd);
    const int fds[] = {g->work_fd, g->gate_fd, g->wake_fd, g->end_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    free(g->conns);
    free(g->scratch);
    (void)pthread_mutex_destroy(&g->lock);
    free(g);
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

/* More of a head has come, or its sender has left. */
static void on_half(struct gate *g, struct gate_conn *c, uint32_t events)
{
    unsigned id = 0;
    enum gate_look look = gate_look(c, g->scratch, FASTCGI_HEAD_MAX, &id);
    bool gone = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (look == GATE_LOOK_END || (gone && look != GATE_LOOK_REQUEST)) {
        gate_conn_drop(g, c);
        return;
    }
    if (look == GATE_LOOK_PART || look == GATE_LOOK_NOTHING)
        return;
    (void)epoll_ctl(g->gate_fd, EPOLL_CTL_DEL, c->fd, NULL); /* it is in it */
    if (look != GATE_LOOK_REQUEST) {
        gate_conn_refuse(g, c, id);
        return;
    }
    c->whole = true;
    gate_conn_to_work(g, c);
}

static void throw_away(struct gate *g, struct gate_conn *c)
{
    ssize_t n = 0;
    for (size_t turn = 0; turn < LINGER_TURN_BYTES; turn += (size_t)n) {
        n = recv(c->fd, g->scratch, FASTCGI_HEAD_MAX, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        c->drained += n > 0 ? (size_t)n : 0;
        if (n <= 0 || c->drained > LINGER_BYTES) {
            gate_conn_drop(g, c);
            return;
        }
    }
}

static void set_timeout(int fd, int option, int64_t ms)
{
    struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)setsockopt(fd, SOL_SOCKET, option, &t,
                     sizeof t); /* cannot fail on a socket */
}

static bool has_room(struct gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    bool room = g->free_list != NULL;
    (void)pthread_mutex_unlock(&g->lock);
    return room;
}

static void accept_all(struct gate *g)
{
    while (has_room(g)) {
        int fd = accept4(g->options.listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO))
            continue;
        if (fd < 0) {
            log_warn("gate", "accept failed, pausing",
                     LOG_STR("error", strerror(errno)));
            g->accept_again_ms = clock_mono_ms() + ACCEPT_PAUSE_MS;
            break;
        }
        set_timeout(fd, SO_RCVTIMEO, g->options.receive_timeout_ms);
        set_timeout(fd, SO_SNDTIMEO, g->options.send_timeout_ms);
        gate_conn_to_work(g, gate_conn_new(g, fd)); /* only this thread takes of them */
    }
    set_accepting(g, false);
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
            accept_all(g);
    } else if (atomic_load(&c->state) == CONN_HALF) {
        on_half(g, c, event->events);
    } else if (atomic_load(&c->state) == CONN_LINGER) {
        throw_away(g, c);
    }
}

/* --- The clock --- */

/* Close an idle connection whose time is over; when everything stops, one without a request on it. */
static void sweep_idle(struct gate *g, struct gate_conn *c, int64_t now, bool stopping)
{
    unsigned id;
    int idle = CONN_IDLE;
    if ((!stopping && now < atomic_load(&c->deadline_ms)) ||
        !atomic_compare_exchange_strong(&c->state, &idle, CONN_CLOSING))
        return;
    /* It may have been used and given back since the first look. */
    bool stays =
        stopping ? gate_look(c, g->scratch, FASTCGI_HEAD_MAX, &id) == GATE_LOOK_REQUEST
                 : now < atomic_load(&c->deadline_ms);
    if (stays)
        gate_conn_rearm(g, c);
    else
        gate_conn_drop(g, c);
}

static void sweep(struct gate *g, int64_t now)
{
    bool stopping = atomic_load(&g->stopping);
    for (size_t i = 0; i < g->options.max_connections; i++) {
        struct gate_conn *c = &g->conns[i];
        int state = atomic_load(&c->state);
        if (state == CONN_IDLE)
            sweep_idle(g, c, now, stopping);
        else if ((state == CONN_HALF && (stopping || now >= c->deadline_ms)) ||
                 (state == CONN_LINGER && now >= c->deadline_ms))
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

static void tick(struct gate *g)
{
    int64_t now = clock_mono_ms();
    if (atomic_load(&g->stopping))
        set_accepting(g, false);
    else if (!atomic_load(&g->accepting) && now >= g->accept_again_ms && has_room(g))
        set_accepting(g, true);
    if (count_open(g) > 0) {
        sweep(g, now);
        if (g->options.on_tick)
            g->options.on_tick(g->options.ctx);
    }
}

/* Requests that took too long: their threads get an error from the next read or write. */
static void cut_off(struct gate *g)
{
    uint64_t one = 1;
    (void)pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < g->options.max_connections; i++)
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
        if (count_open(g) == 0 || now >= end_ms)
            break;
    }
    cut_off(g);
}
