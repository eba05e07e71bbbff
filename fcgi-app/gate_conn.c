#include "fcgi-app/gate_internal.h"

#include "fcgi-app/fastcgi_head.h"
#include "fcgi-app/handover.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEEK_FIRST = 4096 /* nearly every head fits */ };

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
    c->whole = c->used = c->is_shared = false;
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

static void forget(struct gate *g, struct gate_conn *c, bool close_it)
{
    (void)pthread_mutex_lock(&g->lock);
    if (close_it)
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

void gate_conn_drop(struct gate *g, struct gate_conn *c)
{
    forget(g, c, true);
}

/* --- To and from the handlers --- */

/* Known to the handlers' set already.  Should epoll fail here the sweep closes it at its deadline. */
void gate_conn_rearm(struct gate *g, struct gate_conn *c)
{
    (void)pthread_mutex_lock(&g->lock);
    atomic_store(&c->state, CONN_IDLE);
    (void)control(g->work_fd, EPOLL_CTL_MOD, c, EPOLLIN | EPOLLONESHOT);
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

static void linger(struct gate *g, struct gate_conn *c)
{
    (void)shutdown(c->fd, SHUT_WR);
    set_deadline(c, GATE_LINGER_MS);
    to_gate(g, c, CONN_LINGER, EPOLLIN);
}

void gate_conn_refuse(struct gate *g, struct gate_conn *c, unsigned id)
{
    static const char text[] =
        "Status: 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n";
    static const unsigned char end[] = {1, 3, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    unsigned char record[128] = {1, 6, 0, 0, 0, sizeof text - 1, 0, 0};
    size_t len = 8 + sizeof text - 1;
    memcpy(record + 8, text, sizeof text - 1);
    memcpy(record + len, end, sizeof end);
    record[2] = record[len + 2] = (unsigned char)(id >> 8);
    record[3] = record[len + 3] = (unsigned char)id;
    len += sizeof end;
    ssize_t n = send(c->fd, record, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)n; /* who sends so much and does not read is not owed an answer */
    linger(g, c);
}

enum gate_look gate_look(const struct gate_conn *c, char *buf, size_t size,
                         unsigned *ret_id)
{
    ssize_t n;
    do {
        n = recv(c->fd, buf, size, MSG_PEEK | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return GATE_LOOK_NOTHING;
    if (n <= 0)
        return GATE_LOOK_END;
    if (handover_is(buf, (size_t)n))
        return GATE_LOOK_HANDOVER;
    switch (fastcgi_head_check(buf, (size_t)n, ret_id)) {
    case FASTCGI_HEAD_COMPLETE:
        return GATE_LOOK_REQUEST;
    case FASTCGI_HEAD_MORE:
        return GATE_LOOK_PART;
    case FASTCGI_HEAD_TOO_LONG:
        return GATE_LOOK_TOO_LONG;
    case FASTCGI_HEAD_BAD:
        break;
    }
    log_debug("gate", "not a request");
    return GATE_LOOK_END;
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

/* Whether there is a request on a connection that this thread has just TAKEN; if not it is seen to. */
static bool has_request(struct gate *g, struct gate_conn *c)
{
    char buf[PEEK_FIRST];
    unsigned id = 0;
    if (c->whole) {
        c->whole = false;
        return true;
    }
    switch (gate_look(c, buf, sizeof buf, &id)) {
    case GATE_LOOK_REQUEST:
        return true;
    case GATE_LOOK_NOTHING:
        gate_conn_rearm(g, c);
        break;
    case GATE_LOOK_PART: /* of a head, or a head longer than PEEK_FIRST */
        set_deadline(c, g->options.receive_timeout_ms);
        to_gate(g, c, CONN_HALF, EPOLLIN | EPOLLRDHUP | EPOLLET);
        break;
    case GATE_LOOK_TOO_LONG:
        gate_conn_refuse(g, c, id);
        break;
    case GATE_LOOK_END:
        gate_conn_drop(g, c);
        break;
    case GATE_LOOK_HANDOVER:
        take_over(g, c);
        break;
    }
    return false;
}

struct gate_conn *gate_take(struct gate *g)
{
    for (;;) {
        struct epoll_event event;
        int idle = CONN_IDLE;
        if (epoll_wait(g->work_fd, &event, 1, -1) != 1)
            continue;
        struct gate_conn *c = event.data.ptr;
        if (!c)
            return NULL;
        if (!atomic_compare_exchange_strong(&c->state, &idle, CONN_TAKEN))
            continue;
        if (atomic_load(&g->cut))
            return NULL; /* too late for another one; gate_close closes it */
        if (has_request(g, c))
            return c;
    }
}

int gate_conn_fd(const struct gate_conn *c)
{
    return c->fd;
}

/* gate_cut sets cut before it looks at the states: one of the two sees the other. */
void gate_conn_begun(struct gate *g, struct gate_conn *c)
{
    atomic_store(&c->state, CONN_BUSY);
    if (atomic_load(&g->cut))
        (void)shutdown(c->fd, SHUT_RDWR);
}

void gate_give_back(struct gate *g, struct gate_conn *c, enum gate_end end)
{
    if (end == GATE_KEEP) {
        set_deadline(c, 2 * g->options.receive_timeout_ms);
        c->used = true;
        gate_conn_rearm(g, c);
    } else if (end == GATE_LINGER) {
        linger(g, c);
    } else {
        forget(g, c, end == GATE_CLOSE);
    }
}
