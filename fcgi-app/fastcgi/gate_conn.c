#include "fcgi-app/fastcgi/gate_internal.h"

#include "fcgi-app/fastcgi/handover.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void gate_wake(struct gate *g)
{
    uint64_t one = 1;
    ssize_t n = write(g->wake_fd, &one, sizeof one);
    (void)n; /* full: it is awake */
}

static bool control(int epoll_fd, int op, struct gate_conn *c, uint32_t events)
{
    struct epoll_event event = {.events = events};
    event.data.ptr = c;
    return epoll_ctl(epoll_fd, op, c->fd, &event) == 0;
}

static void set_timeout(int fd, int option, int64_t ms)
{
    struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)setsockopt(fd, SOL_SOCKET, option, &t,
                     sizeof t); /* cannot fail on a socket */
}

void gate_set_timeouts(const struct gate *g, int fd)
{
    set_timeout(fd, SO_RCVTIMEO, g->options.receive_timeout_ms);
    set_timeout(fd, SO_SNDTIMEO, g->options.send_timeout_ms);
}

static void set_deadline(struct gate_conn *c, int64_t ms)
{
    atomic_store(&c->deadline_ms, clock_mono_ms() + ms);
}

/* --- Life --- */

struct gate_conn *gate_conn_new(struct gate *g, int fd)
{
    (void)pthread_mutex_lock(&g->lock);
    struct gate_conn *c = g->free_list;
    if (c) {
        g->free_list = c->next;
        g->open_count++;
    }
    (void)pthread_mutex_unlock(&g->lock);
    if (!c)
        return NULL;
    c->fd = fd;
    c->drained = 0;
    c->web = NULL;
    c->used = c->is_shared = c->is_parked = false;
    atomic_store(&c->state, CONN_NEW);
    set_deadline(c, g->options.receive_timeout_ms);
    return c;
}

/* Closing makes both epoll sets forget it, unless somebody else has it open, too: then events would come for ever. */
static void close_fd(struct gate *g, struct gate_conn *c)
{
    if (c->is_shared) {
        (void)control(g->work_fd, EPOLL_CTL_DEL, c, 0); /* it may not be in it */
        (void)control(g->gate_fd, EPOLL_CTL_DEL, c, 0);
    }
    (void)close(c->fd);
}

void gate_conn_drop(struct gate *g, struct gate_conn *c)
{
    if (atomic_load(&c->state) == CONN_HALF)
        atomic_fetch_sub(&g->half_count, 1);
    fastcgi_free(c->web);
    c->web = NULL;
    (void)pthread_mutex_lock(&g->lock);
    close_fd(g, c);
    c->fd = -1;
    atomic_store(&c->state, CONN_FREE);
    c->next = g->free_list;
    g->free_list = c;
    g->open_count--;
    (void)pthread_mutex_unlock(&g->lock);
    if (!atomic_load(&g->accepting) || atomic_load(&g->stopping))
        gate_wake(g);
}

/* --- To and from the handlers --- */

/* Known to the handlers' set already.  Should epoll fail here the sweep closes it at its deadline.  Where the head has been read
 * there may be nothing more to come: being writable is event enough. */
void gate_conn_rearm(struct gate *g, struct gate_conn *c)
{
    uint32_t events =
        c->web ? EPOLLIN | EPOLLOUT | EPOLLONESHOT : EPOLLIN | EPOLLONESHOT;
    (void)pthread_mutex_lock(&g->lock);
    atomic_store(&c->state, CONN_IDLE);
    (void)control(g->work_fd, EPOLL_CTL_MOD, c, events);
    (void)pthread_mutex_unlock(&g->lock);
}

void gate_conn_to_work(struct gate *g, struct gate_conn *c)
{
    if (control(g->work_fd, EPOLL_CTL_ADD, c, EPOLLONESHOT))
        gate_conn_rearm(g, c);
    else
        gate_conn_drop(g, c);
}

/* Take it out of the handlers' set and let the gate thread watch it. */
static void to_gate(struct gate *g, struct gate_conn *c, enum gate_conn_state state,
                    uint32_t events)
{
    (void)control(g->work_fd, EPOLL_CTL_DEL, c, 0); /* it may not have been in it */
    (void)pthread_mutex_lock(&g->lock);
    atomic_store(&c->state, (int)state); /* from here on it is the gate thread's */
    (void)control(g->gate_fd, EPOLL_CTL_ADD, c, events); /* or the sweep closes it */
    (void)pthread_mutex_unlock(&g->lock);
}

void gate_conn_leave_half(struct gate *g, struct gate_conn *c)
{
    (void)pthread_mutex_lock(&g->lock); /* who made it HALF may be adding it just now */
    (void)control(g->gate_fd, EPOLL_CTL_DEL, c, 0);
    atomic_store(&c->state, CONN_NEW);
    (void)pthread_mutex_unlock(&g->lock);
    atomic_fetch_sub(&g->half_count, 1);
}

void gate_conn_linger(struct gate *g, struct gate_conn *c)
{
    fastcgi_free(c->web);
    c->web = NULL;
    (void)shutdown(c->fd, SHUT_WR);
    set_deadline(c, GATE_LINGER_MS);
    to_gate(g, c, CONN_LINGER, EPOLLIN);
}

/* The reader stays with the connection, for the gate thread to read on with. */
static void halve(struct gate *g, struct gate_conn *c, struct fastcgi **io_web)
{
    if (atomic_fetch_add(&g->half_count, 1) >= GATE_HALF_MAX) {
        atomic_fetch_sub(&g->half_count, 1);
        gate_conn_drop(g, c);
        return;
    }
    c->web = *io_web;
    *io_web = NULL;
    set_deadline(c, g->options.receive_timeout_ms);
    to_gate(g, c, CONN_HALF, EPOLLIN);
}

/* It brings a connection of a responder that stops, which takes its place. */
static void take_over(struct gate *g, struct gate_conn *c)
{
    int fd = handover_receive(c->fd);
    if (fd < 0) {
        gate_conn_drop(g, c);
        return;
    }
    (void)pthread_mutex_lock(&g->lock);
    close_fd(g, c);
    c->fd = fd;
    c->is_shared = true;
    (void)pthread_mutex_unlock(&g->lock);
    gate_set_timeouts(g, fd);
    set_deadline(c, 2 * g->options.receive_timeout_ms);
    c->used = true;
    gate_conn_to_work(g, c);
}

/* Whether a new connection brings another one instead of a request. */
static bool is_offer(const struct gate_conn *c)
{
    char first[16];
    ssize_t n = recv(c->fd, first, sizeof first, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 && handover_is(first, (size_t)n);
}

static bool has_reader(struct gate *g, struct gate_conn *c, struct fastcgi **io_web)
{
    if (!*io_web && !(*io_web = fastcgi_new(g->options.max_connections)))
        return false;
    fastcgi_begin(*io_web, c->fd);
    return true;
}

/* Whether there is a request on a connection that this thread has just TAKEN; if not it is seen to. */
static bool has_request(struct gate *g, struct gate_conn *c, struct fastcgi **io_web)
{
    struct err e = ERR_INIT;
    if (c->web) { /* the gate thread has read its head */
        fastcgi_free(*io_web);
        *io_web = c->web;
        c->web = NULL;
        return true;
    }
    if (!c->used && is_offer(c)) {
        take_over(g, c);
        return false;
    }
    if (!has_reader(g, c, io_web)) {
        gate_conn_drop(g, c);
        return false;
    }
    switch (fastcgi_look(*io_web, &e)) {
    case FASTCGI_REQUEST:
        return true;
    case FASTCGI_NOTHING:
        gate_conn_rearm(g, c);
        break;
    case FASTCGI_PART:
        halve(g, c, io_web);
        break;
    case FASTCGI_REFUSAL:
        gate_conn_linger(g, c);
        break;
    case FASTCGI_WRONG:
        log_debug("gate", "not a request", LOG_ERR(&e));
        gate_conn_drop(g, c);
        break;
    case FASTCGI_OVER:
        gate_conn_drop(g, c);
        break;
    }
    return false;
}

/* gate_cut sets cut before it looks at the states: one of the two sees the other. */
static void set_busy(struct gate *g, struct gate_conn *c)
{
    atomic_store(&c->state, CONN_BUSY);
    if (atomic_load(&g->cut))
        (void)shutdown(c->fd, SHUT_RDWR);
}

struct gate_conn *gate_take_within(struct gate *g, struct fastcgi **io_web,
                                   int timeout_ms, bool *ret_over)
{
    *ret_over = false;
    for (;;) {
        struct epoll_event event;
        int idle = CONN_IDLE;
        int count = epoll_wait(g->work_fd, &event, 1, timeout_ms);
        if (count == 0)
            return NULL;
        if (count < 0)
            continue;
        struct gate_conn *c = event.data.ptr;
        *ret_over = !c || atomic_load(&g->cut);
        if (!c)
            return NULL;
        if (!atomic_compare_exchange_strong(&c->state, &idle, CONN_TAKEN))
            continue;
        if (atomic_load(&g->cut))
            return NULL; /* too late for another one; gate_close closes it */
        if (has_request(g, c, io_web)) {
            set_busy(g, c);
            return c;
        }
    }
}

struct gate_conn *gate_take(struct gate *g, struct fastcgi **io_web)
{
    bool over;
    return gate_take_within(g, io_web, -1, &over);
}

void gate_put_back(struct gate *g, struct gate_conn *c, struct fastcgi *web)
{
    c->web = web;
    set_deadline(c, 2 * g->options.receive_timeout_ms);
    gate_conn_rearm(g, c);
}

int64_t gate_accepted(const struct gate *g)
{
    return atomic_load(&g->accepted);
}

int gate_listen_fd(const struct gate *g)
{
    return g->options.listen_fd;
}

int gate_conn_fd(const struct gate_conn *c)
{
    return c->fd;
}

void gate_park(struct gate *g, struct gate_conn *c)
{
    (void)pthread_mutex_lock(&g->lock);
    bool fits = !c->is_parked && g->parked_count < g->options.max_parked;
    c->is_parked = c->is_parked || fits;
    g->parked_count += fits;
    (void)pthread_mutex_unlock(&g->lock);
    if (fits && !atomic_load(&g->accepting))
        gate_wake(g);
}

static void unpark(struct gate *g, struct gate_conn *c)
{
    (void)pthread_mutex_lock(&g->lock);
    g->parked_count -= c->is_parked;
    c->is_parked = false;
    (void)pthread_mutex_unlock(&g->lock);
}

void gate_give_back(struct gate *g, struct gate_conn *c, enum gate_end end)
{
    if (c->is_parked) /* only its owner changes that */
        unpark(g, c);
    if (end == GATE_KEEP) {
        set_deadline(c, 2 * g->options.receive_timeout_ms);
        c->used = true;
        gate_conn_rearm(g, c);
    } else if (end == GATE_LINGER) {
        gate_conn_linger(g, c);
    } else {
        gate_conn_drop(g, c);
    }
}
