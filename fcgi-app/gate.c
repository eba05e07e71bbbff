#include "fcgi-app/gate.h"

#include "fcgi-app/fastcgi_head.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PEEK_FIRST = 4096, /* nearly every head fits */
    EVENTS_MAX = 64,
    ACCEPT_PAUSE_MS = 100,
    LINGER_MS = 2000,
    LINGER_BYTES = 64 * 1024 * 1024,
    LINGER_TURN_BYTES =
        1024 * 1024 /* one connection does not keep the gate for longer */
};

enum conn_state { CONN_FREE, CONN_IDLE, CONN_BUSY, CONN_LINGER };

struct gate_conn {
    int fd;
    enum conn_state state;
    bool registered; /* with epoll */
    bool half; /* part of a head has come: edge-triggered until the rest is there */
    int64_t deadline_ms;    /* IDLE, LINGER: closed then */
    size_t drained;         /* LINGER: bytes thrown away */
    struct gate_conn *next; /* free list, or queue */
};

struct gate {
    struct gate_options options;
    int epoll_fd, wake_fd;
    atomic_bool stopping;
    char *scratch; /* FASTCGI_HEAD_MAX; the gate thread's */

    pthread_mutex_t lock; /* for everything below */
    pthread_cond_t ready;
    struct gate_conn *conns; /* max_connections of them */
    struct gate_conn *free_list;
    struct gate_conn *queue_head, **queue_tail;
    size_t open_count, busy_count, linger_count;
    bool accepting, closed;
    int64_t accept_again_ms; /* out of descriptors: not before */
};

static struct epoll_event event_of(uint32_t events, void *ptr)
{
    struct epoll_event event = {.events = events};
    event.data.ptr = ptr;
    return event;
}

static void set_accepting(struct gate *g, bool on)
{
    struct epoll_event event = event_of(on ? EPOLLIN : 0, NULL);
    if (g->accepting != on &&
        epoll_ctl(g->epoll_fd, EPOLL_CTL_MOD, g->options.listen_fd, &event) == 0)
        g->accepting = on;
}

static void wake(struct gate *g)
{
    uint64_t one = 1;
    ssize_t n = write(g->wake_fd, &one, sizeof one);
    (void)n; /* full: it is awake */
}

enum err_code gate_open(const struct gate_options *o, struct gate **ret_gate,
                        struct err *e)
{
    struct gate *g = calloc(1, sizeof *g);
    if (!g)
        return err_set(e, ERR_NOMEM, "gate: out of memory");
    g->options = *o;
    (void)pthread_mutex_init(&g->lock, NULL);
    (void)pthread_cond_init(&g->ready, NULL);
    g->queue_tail = &g->queue_head;
    g->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->scratch = malloc(FASTCGI_HEAD_MAX);
    g->conns = calloc(o->max_connections, sizeof *g->conns);
    struct epoll_event listen_event = event_of(EPOLLIN, NULL);
    struct epoll_event wake_event = event_of(EPOLLIN, &g->wake_fd);
    int flags = fcntl(o->listen_fd, F_GETFL);
    if (!g->scratch || !g->conns || g->epoll_fd < 0 || g->wake_fd < 0 || flags < 0 ||
        fcntl(o->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        epoll_ctl(g->epoll_fd, EPOLL_CTL_ADD, o->listen_fd, &listen_event) < 0 ||
        epoll_ctl(g->epoll_fd, EPOLL_CTL_ADD, g->wake_fd, &wake_event) < 0) {
        enum err_code code = err_errno(e, ERR_CONFIG, "gate: cannot start");
        gate_close(g);
        return code;
    }
    g->accepting = true;
    for (size_t i = o->max_connections; i-- > 0;) {
        g->conns[i].fd = -1;
        g->conns[i].next = g->free_list;
        g->free_list = &g->conns[i];
    }
    *ret_gate = g;
    return ERR_OK;
}

void gate_close(struct gate *g)
{
    if (!g)
        return;
    for (size_t i = 0; g->conns && i < g->options.max_connections; i++)
        if (g->conns[i].state != CONN_FREE)
            (void)close(g->conns[i].fd);
    if (g->epoll_fd >= 0)
        (void)close(g->epoll_fd);
    if (g->wake_fd >= 0)
        (void)close(g->wake_fd);
    free(g->conns);
    free(g->scratch);
    (void)pthread_cond_destroy(&g->ready);
    (void)pthread_mutex_destroy(&g->lock);
    free(g);
}

void gate_stop(struct gate *g)
{
    atomic_store(&g->stopping, true);
    wake(g);
}

bool gate_is_stopping(const struct gate *g)
{
    return atomic_load(&g->stopping);
}

int gate_conn_fd(const struct gate_conn *c)
{
    return c->fd;
}

/* --- With the lock held --- */

static void forget(struct gate *g, struct gate_conn *c)
{
    *c = (struct gate_conn){.fd = -1, .next = g->free_list};
    g->free_list = c;
    g->open_count--;
}

static void drop(struct gate *g, struct gate_conn *c)
{
    if (c->state == CONN_LINGER)
        g->linger_count--;
    (void)close(c->fd); /* epoll forgets it too */
    forget(g, c);
}

/* Tell epoll what to wait for; a connection epoll cannot take is closed. */
static void arm(struct gate *g, struct gate_conn *c, uint32_t events)
{
    struct epoll_event event = event_of(events, c);
    int op = c->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(g->epoll_fd, op, c->fd, &event) < 0)
        drop(g, c);
    else
        c->registered = true;
}

static void hand_over(struct gate *g, struct gate_conn *c)
{
    if (c->half) /* not one-shot: silence it */
        arm(g, c, EPOLLET);
    if (c->state == CONN_FREE)
        return;
    c->half = false;
    c->state = CONN_BUSY;
    c->next = NULL;
    g->busy_count++;
    *g->queue_tail = c;
    g->queue_tail = &c->next;
    (void)pthread_cond_signal(&g->ready);
}

/* A request whose head is over the limits: there is nothing to be read of it, but it can be told so. */
static void refuse(struct gate *g, struct gate_conn *c, unsigned id)
{
    static const char text[] =
        "Status: 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n";
    unsigned char record[128] = {1, 6, 0, 0, 0, sizeof text - 1, 0, 0};
    size_t len = 8 + sizeof text - 1;
    static const unsigned char end[] = {1, 3, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    memcpy(record + 8, text, sizeof text - 1);
    memcpy(record + len, end, sizeof end);
    record[2] = record[len + 2] = (unsigned char)(id >> 8);
    record[3] = record[len + 3] = (unsigned char)id;
    len += sizeof end;
    ssize_t n = send(c->fd, record, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)n; /* who sends so much and does not read is not owed an answer */
    (void)shutdown(c->fd, SHUT_WR);
    c->state = CONN_LINGER;
    c->deadline_ms = clock_mono_ms() + LINGER_MS;
    g->linger_count++;
    arm(g, c, EPOLLIN | EPOLLONESHOT);
}

/* An idle connection may have become readable: look at what is there. */
static void look(struct gate *g, struct gate_conn *c)
{
    unsigned id = 0;
    ssize_t n = recv(c->fd, g->scratch, PEEK_FIRST, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (!c->half)
            arm(g, c, EPOLLIN | EPOLLONESHOT);
        return;
    }
    if (n <= 0) {
        drop(g, c);
        return;
    }
    enum fastcgi_head head = fastcgi_head_check(g->scratch, (size_t)n, &id);
    if (head == FASTCGI_HEAD_MORE && n == PEEK_FIRST) {
        n = recv(c->fd, g->scratch, FASTCGI_HEAD_MAX, MSG_PEEK | MSG_DONTWAIT);
        head =
            n > 0 ? fastcgi_head_check(g->scratch, (size_t)n, &id) : FASTCGI_HEAD_BAD;
    }
    if (head == FASTCGI_HEAD_COMPLETE) {
        hand_over(g, c);
    } else if (head == FASTCGI_HEAD_BAD) {
        log_debug("gate", "not a request");
        drop(g, c);
    } else if (head == FASTCGI_HEAD_TOO_LONG) {
        refuse(g, c, id);
    } else if (!c->half) {
        c->half = true;
        c->deadline_ms = clock_mono_ms() + g->options.receive_timeout_ms;
        arm(g, c, EPOLLIN | EPOLLRDHUP | EPOLLET);
    }
}

static void throw_away(struct gate *g, struct gate_conn *c)
{
    ssize_t n = 0;
    for (size_t turn = 0; turn < LINGER_TURN_BYTES; turn += (size_t)n) {
        n = recv(c->fd, g->scratch, FASTCGI_HEAD_MAX, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            drop(g, c);
            return;
        }
        c->drained += (size_t)n;
        if (c->drained > LINGER_BYTES) {
            drop(g, c);
            return;
        }
    }
    arm(g, c, EPOLLIN | EPOLLONESHOT);
}

/* A connection that ended while half a head was there is not going to send the rest. */
static void on_event(struct gate *g, struct gate_conn *c, uint32_t events)
{
    if (c->state == CONN_LINGER) {
        throw_away(g, c);
    } else if (c->state == CONN_IDLE) {
        look(g, c);
        if (c->state == CONN_IDLE && c->half &&
            events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            drop(g, c);
    }
}

static void set_timeout(int fd, int option, int64_t ms)
{
    struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)setsockopt(fd, SOL_SOCKET, option, &t,
                     sizeof t); /* cannot fail on a socket */
}

static void accept_all(struct gate *g)
{
    while (g->free_list) {
        int fd = accept4(g->options.listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                return;
            if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO)
                continue;
            log_warn("gate", "accept failed, pausing",
                     LOG_STR("error", strerror(errno)));
            g->accept_again_ms = clock_mono_ms() + ACCEPT_PAUSE_MS;
            set_accepting(g, false);
            return;
        }
        set_timeout(fd, SO_RCVTIMEO, g->options.receive_timeout_ms);
        set_timeout(fd, SO_SNDTIMEO, g->options.send_timeout_ms);
        struct gate_conn *c = g->free_list;
        g->free_list = c->next;
        *c = (struct gate_conn){.fd = fd, .state = CONN_IDLE};
        c->deadline_ms = clock_mono_ms() + g->options.receive_timeout_ms;
        g->open_count++;
        look(g, c); /* often its request is there already */
    }
    set_accepting(g, false);
}

static void sweep(struct gate *g, int64_t now)
{
    if (g->open_count == g->busy_count)
        return;
    bool all = atomic_load(&g->stopping);
    for (size_t i = 0; i < g->options.max_connections; i++) {
        struct gate_conn *c = &g->conns[i];
        if (c->state == CONN_IDLE && all)
            look(g, c); /* a request that has come is answered */
        if ((c->state == CONN_IDLE && (all || now >= c->deadline_ms)) ||
            (c->state == CONN_LINGER && now >= c->deadline_ms))
            drop(g, c);
    }
}

/* --- The gate thread --- */

static int wait_ms(struct gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    int ms = -1;
    if (!g->accepting || g->linger_count > 0)
        ms = ACCEPT_PAUSE_MS;
    else if (atomic_load(&g->stopping))
        ms = 20;
    else if (g->open_count > 0)
        ms = 1000;
    (void)pthread_mutex_unlock(&g->lock);
    return ms;
}

static void turn(struct gate *g, const struct epoll_event *events, int count)
{
    bool stopping = atomic_load(&g->stopping);
    (void)pthread_mutex_lock(&g->lock);
    for (int i = 0; i < count; i++) {
        void *ptr = events[i].data.ptr;
        if (ptr == &g->wake_fd) {
            uint64_t n;
            ssize_t got = read(g->wake_fd, &n, sizeof n);
            (void)got;
        } else if (ptr) {
            on_event(g, ptr, events[i].events);
        } else if (!stopping) {
            accept_all(g);
        }
    }
    int64_t now = clock_mono_ms();
    if (stopping)
        set_accepting(g, false);
    else if (!g->accepting && g->free_list && now >= g->accept_again_ms)
        set_accepting(g, true);
    sweep(g, now);
    (void)pthread_mutex_unlock(&g->lock);
}

/* Whether there is nothing left to wait for. */
static bool is_drained(struct gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    bool drained = g->open_count == 0;
    (void)pthread_mutex_unlock(&g->lock);
    return drained;
}

/* Requests that took too long: their threads get an error from the next read or write. */
static void cut_off(struct gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < g->options.max_connections; i++)
        if (g->conns[i].state == CONN_BUSY)
            (void)shutdown(g->conns[i].fd, SHUT_RDWR);
    g->closed = true;
    (void)pthread_cond_broadcast(&g->ready);
    (void)pthread_mutex_unlock(&g->lock);
}

void gate_run(struct gate *g)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t end_ms = 0;
    for (;;) {
        int n = epoll_wait(g->epoll_fd, events, EVENTS_MAX, wait_ms(g));
        turn(g, events, n > 0 ? n : 0);
        if (!atomic_load(&g->stopping))
            continue;
        if (end_ms == 0)
            end_ms = clock_mono_ms() + g->options.drain_ms;
        if (is_drained(g) || clock_mono_ms() >= end_ms)
            break;
    }
    cut_off(g);
}

/* --- Handler threads --- */

struct gate_conn *gate_take(struct gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    while (!g->queue_head && !g->closed)
        (void)pthread_cond_wait(&g->ready, &g->lock);
    struct gate_conn *c = g->queue_head;
    if (c) {
        g->queue_head = c->next;
        if (!g->queue_head)
            g->queue_tail = &g->queue_head;
    }
    (void)pthread_mutex_unlock(&g->lock);
    return c;
}

void gate_give_back(struct gate *g, struct gate_conn *c, enum gate_end end)
{
    int64_t now = clock_mono_ms();
    if (end == GATE_LINGER)
        (void)shutdown(c->fd, SHUT_WR);
    (void)pthread_mutex_lock(&g->lock);
    g->busy_count--;
    c->next = NULL;
    c->drained = 0;
    if (end == GATE_KEEP) {
        c->state = CONN_IDLE;
        c->deadline_ms = now + 2 * g->options.receive_timeout_ms;
        arm(g, c, EPOLLIN | EPOLLONESHOT);
    } else if (end == GATE_LINGER) {
        c->state = CONN_LINGER;
        c->deadline_ms = now + LINGER_MS;
        g->linger_count++;
        arm(g, c, EPOLLIN | EPOLLONESHOT);
    } else if (end == GATE_CLOSE) {
        drop(g, c);
    } else {
        forget(g, c);
    }
    bool nudge = !g->accepting || g->linger_count > 0 || atomic_load(&g->stopping);
    (void)pthread_mutex_unlock(&g->lock);
    if (nudge)
        wake(g);
}
