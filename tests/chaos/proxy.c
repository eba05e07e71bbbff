#include "tests/chaos/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "tests/chaos/proxy_internal.h"

enum { EVENTS = 64, BACKLOG = 512, WAIT_MAX_MS = 1000 };

/* What an event is about: a link and its end, or one of these. */
#define TAG_LISTENER UINT64_MAX
#define TAG_WAKE (UINT64_MAX - 1)

/* --- accepting --- */

static bool watch_end(struct proxy *p, int fd, size_t slot, int end)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                             .data.u64 = (uint64_t)slot * 2 + (uint64_t)end};

    return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static size_t free_slot(struct proxy *p)
{
    size_t i = 0;

    while (i < p->slots && p->links[i])
        i++;
    if (i == p->slots && p->slots < PROXY_LINKS_MAX)
        p->slots++;
    return i;
}

/* False: it could not be made; fd is the caller's still. */
static bool make_link(struct proxy *p, int fd)
{
    size_t slot = free_slot(p);
    struct link *l = slot < PROXY_LINKS_MAX ? calloc(1, sizeof *l) : NULL;
    bool pending = false;
    int on = 1;

    if (!l)
        return false;
    int server = wire_connect_begin(&p->target, &pending);
    l->ends[PROXY_UP].fd = fd;
    l->ends[PROXY_DOWN].fd = server;
    l->connected = !pending;
    if (p->port)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* faster */
    if (server < 0 || !watch_end(p, server, slot, PROXY_DOWN) ||
        !watch_end(p, fd, slot, PROXY_UP)) {
        if (server >= 0)
            (void)close(server); /* nothing was sent */
        free(l);
        return false;
    }
    p->links[slot] = l;
    return true;
}

static void accept_all(struct proxy *p, struct proxy_counts *counts)
{
    for (;;) {
        int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            return;
        counts->accepted++;
        if (p->now.refuse || !make_link(p, fd)) {
            counts->refused++;
            wire_reset(fd);
        }
    }
}

/* --- the thread --- */

static void kill_links(struct proxy *p)
{
    for (size_t i = 0; i < p->slots; i++)
        if (p->links[i])
            p->links[i]->dead = true;
}

/* Take over what was asked for; false: to stop. */
static bool apply(struct proxy *p, int64_t *ret_done)
{
    (void)pthread_mutex_lock(&p->lock);
    for (int d = 0; d < 2; d++) {
        if (!p->changed[d])
            continue;
        p->changed[d] = false;
        p->now.faults[d] = p->wanted.faults[d];
        p->now.left[d] = p->wanted.left[d];
        for (size_t i = 0; i < p->slots; i++)
            if (p->links[i])
                proxy_link_changed(p->links[i], (enum proxy_direction)d);
    }
    p->now.refuse = p->wanted.refuse;
    if (p->reset_all)
        kill_links(p);
    p->reset_all = false;
    *ret_done = p->asked;
    bool goes_on = !p->stop;
    (void)pthread_mutex_unlock(&p->lock);
    return goes_on;
}

static void tell(struct proxy *p, const struct proxy_counts *added, int64_t done)
{
    (void)pthread_mutex_lock(&p->lock);
    p->counts.accepted += added->accepted;
    p->counts.refused += added->refused;
    p->counts.cut += added->cut;
    p->counts.flipped += added->flipped;
    p->counts.swallowed_bytes += added->swallowed_bytes;
    p->counts.bytes[0] += added->bytes[0];
    p->counts.bytes[1] += added->bytes[1];
    p->counts.links = added->links;
    p->done = done;
    (void)pthread_cond_broadcast(&p->applied);
    (void)pthread_mutex_unlock(&p->lock);
}

static void take_event(struct proxy *p, const struct epoll_event *ev,
                       struct proxy_counts *counts)
{
    uint64_t tag = ev->data.u64, value;

    if (tag == TAG_LISTENER) {
        accept_all(p, counts);
    } else if (tag == TAG_WAKE) {
        if (read(p->wake, &value, sizeof value) < 0)
            return; /* nothing was there: no matter */
    } else if (p->links[tag / 2]) {
        struct link_end *end = &p->links[tag / 2]->ends[tag % 2];
        if (ev->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            end->readable = true;
        if (ev->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            end->writable = true;
    }
}

static void pump_all(struct proxy *p, struct proxy_counts *counts, int64_t *ret_next_us)
{
    for (size_t i = 0; i < p->slots; i++) {
        struct link *l = p->links[i];
        if (!l)
            continue;
        if (!l->dead)
            proxy_link_pump(l, &p->now, counts, ret_next_us);
        if (proxy_link_is_over(l)) {
            proxy_link_free(l);
            p->links[i] = NULL;
        } else {
            counts->links++;
        }
    }
}

static int until(int64_t next_us)
{
    int64_t ms =
        next_us == INT64_MAX ? WAIT_MAX_MS : (next_us - clock_mono_us() + 999) / 1000;

    return ms < 0 ? 0 : ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)ms;
}

static void *run(void *ctx)
{
    struct proxy *p = ctx;
    struct epoll_event events[EVENTS];
    int64_t next_us = INT64_MAX, done = 0;
    bool goes_on = true;

    while (goes_on) {
        struct proxy_counts counts = {0};
        int n = epoll_wait(p->epoll, events, EVENTS, until(next_us));
        goes_on = apply(p, &done);
        for (int i = 0; i < n; i++)
            take_event(p, &events[i], &counts);
        next_us = INT64_MAX;
        pump_all(p, &counts, &next_us);
        tell(p, &counts, done);
    }
    kill_links(p);
    struct proxy_counts counts = {0};
    pump_all(p, &counts, &next_us);
    tell(p, &counts, done);
    return NULL;
}

/* --- the caller's side --- */

static enum err_code open_listener(struct proxy *p, const char *listen_at,
                                   struct err *e)
{
    struct wire_address a = {0};
    struct sockaddr_in inet = {0};
    socklen_t len = sizeof inet;
    int on = 1;

    if (!wire_parse_address(listen_at, &a) || strlen(listen_at) > PROXY_ADDRESS_MAX)
        return err_set(e, ERR_CONFIG, "proxy: no address: %s", listen_at);
    p->listener = socket(a.at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->listener < 0)
        return err_errno(e, ERR_RETRY, "proxy: socket");
    if (a.at.ss_family == AF_UNIX) {
        memcpy(p->path, listen_at + 5, strlen(listen_at + 5) + 1);
        (void)unlink(p->path); /* of one that died; bind tells the rest */
    } else {
        (void)setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (bind(p->listener, (struct sockaddr *)&a.at, a.len) < 0 ||
        listen(p->listener, BACKLOG) < 0)
        return err_errno(e, ERR_CONFIG, "proxy: listen on %s", listen_at);
    (void)snprintf(p->address, sizeof p->address, "%s", listen_at);
    if (p->path[0])
        return ERR_OK;
    if (getsockname(p->listener, (struct sockaddr *)&inet, &len) < 0)
        return err_errno(e, ERR_CONFIG, "proxy: %s", listen_at);
    p->port = ntohs(inet.sin_port);
    (void)snprintf(p->address, sizeof p->address, "%.*s:%d",
                   (int)(strrchr(listen_at, ':') - listen_at), listen_at, p->port);
    return ERR_OK;
}

static enum err_code open_events(struct proxy *p, struct err *e)
{
    struct epoll_event listening = {.events = EPOLLIN, .data.u64 = TAG_LISTENER};
    struct epoll_event waking = {.events = EPOLLIN, .data.u64 = TAG_WAKE};

    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->epoll < 0 || p->wake < 0 ||
        epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->listener, &listening) < 0 ||
        epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->wake, &waking) < 0)
        return err_errno(e, ERR_RETRY, "proxy: epoll");
    return ERR_OK;
}

static void release(struct proxy *p)
{
    int fds[] = {p->listener, p->epoll, p->wake};

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]); /* nothing to be lost */
    if (p->path[0])
        (void)unlink(p->path); /* may be gone with its directory */
    (void)pthread_cond_destroy(&p->applied);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

enum err_code proxy_open(const char *listen_at, const char *target,
                         struct proxy **ret_proxy, struct err *e)
{
    struct proxy *p = calloc(1, sizeof *p);

    if (!p)
        return err_set(e, ERR_NOMEM, "proxy: no memory");
    p->listener = p->epoll = p->wake = -1;
    (void)pthread_mutex_init(&p->lock, NULL); /* neither can fail on Linux */
    (void)pthread_cond_init(&p->applied, NULL);
    enum err_code code = ERR_OK;
    if (!wire_parse_address(target, &p->target))
        code = err_set(e, ERR_CONFIG, "proxy: no address: %s", target);
    if (code == ERR_OK)
        code = open_listener(p, listen_at, e);
    if (code == ERR_OK)
        code = open_events(p, e);
    if (code == ERR_OK && pthread_create(&p->thread, NULL, run, p) != 0)
        code = err_set(e, ERR_RETRY, "proxy: no thread");
    if (code != ERR_OK) {
        release(p);
        return code;
    }
    *ret_proxy = p;
    return ERR_OK;
}

/* With the lock held, after a change: wait until the thread has it, and let go of the lock. */
static void submit(struct proxy *p)
{
    uint64_t one = 1;
    int64_t mine = ++p->asked;

    if (write(p->wake, &one, sizeof one) < 0)
        abort(); /* a counter of 64 bits is not full */
    while (p->done < mine)
        (void)pthread_cond_wait(&p->applied, &p->lock);
    (void)pthread_mutex_unlock(&p->lock);
}

void proxy_close(struct proxy *p)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->stop = true;
    submit(p);
    (void)pthread_join(p->thread, NULL);
    release(p);
}

const char *proxy_address(const struct proxy *p)
{
    return p->address;
}

int proxy_port(const struct proxy *p)
{
    return p->port;
}

/* With the lock held. */
static void want(struct proxy *p, enum proxy_direction d, const struct proxy_fault *f)
{
    p->wanted.faults[d] = *f;
    p->wanted.left[d] = f->times > 0 ? f->times : -1;
    p->changed[d] = true;
}

void proxy_set(struct proxy *p, enum proxy_direction d, const struct proxy_fault *f)
{
    (void)pthread_mutex_lock(&p->lock);
    want(p, d, f);
    submit(p);
}

void proxy_refuse(struct proxy *p, bool refuse)
{
    (void)pthread_mutex_lock(&p->lock);
    p->wanted.refuse = refuse;
    submit(p);
}

void proxy_reset(struct proxy *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->reset_all = true;
    submit(p);
}

void proxy_heal(struct proxy *p)
{
    static const struct proxy_fault none;

    (void)pthread_mutex_lock(&p->lock);
    want(p, PROXY_UP, &none);
    want(p, PROXY_DOWN, &none);
    p->wanted.refuse = false;
    submit(p);
}

struct proxy_counts proxy_counts(struct proxy *p)
{
    (void)pthread_mutex_lock(&p->lock);
    struct proxy_counts counts = p->counts;
    (void)pthread_mutex_unlock(&p->lock);
    return counts;
}
