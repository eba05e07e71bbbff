#include "tests/chaos/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/clock.h"

enum { READ_CHUNK = 16 * 1024 };

static bool parse_port(const char *s, uint16_t *ret)
{
    unsigned n = 0;
    const char *start = s;

    for (; *s >= '0' && *s <= '9' && s - start < 5; s++)
        n = n * 10 + (unsigned)(*s - '0');
    if (s == start || *s || n > 65535)
        return false;
    *ret = (uint16_t)n;
    return true;
}

bool wire_parse_address(const char *text, struct wire_address *ret_address)
{
    struct wire_address a = {0};
    struct sockaddr_un *local = (struct sockaddr_un *)&a.at;
    struct sockaddr_in *inet = (struct sockaddr_in *)&a.at;
    const char *colon = strrchr(text, ':');
    char host[16];
    uint16_t port;

    if (strncmp(text, "unix:", 5) == 0) {
        size_t len = strlen(text + 5);
        if (len == 0 || len >= sizeof local->sun_path)
            return false;
        local->sun_family = AF_UNIX;
        memcpy(local->sun_path, text + 5, len + 1);
        a.len = sizeof *local;
        *ret_address = a;
        return true;
    }
    if (!colon || (size_t)(colon - text) >= sizeof host ||
        !parse_port(colon + 1, &port))
        return false;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (inet_pton(AF_INET, host, &inet->sin_addr) != 1)
        return false;
    inet->sin_family = AF_INET;
    inet->sin_port = htons(port);
    a.len = sizeof *inet;
    *ret_address = a;
    return true;
}

/* False: errno is set. */
static bool wait_for(int fd, short events, int64_t deadline, short *ret_events)
{
    for (;;) {
        int64_t left = deadline - clock_mono_ms();
        struct pollfd p = {.fd = fd, .events = events};
        if (left <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        int n = poll(&p, 1, left < 60000 ? (int)left : 60000);
        if (n > 0) {
            *ret_events = p.revents;
            return true;
        }
        if (n < 0 && errno != EINTR)
            return false;
    }
}

int wire_connect_begin(const struct wire_address *a, bool *ret_pending)
{
    int on = 1;
    CLEANUP(fd_close)
    int fd = socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (a->at.ss_family == AF_INET)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* faster */
    *ret_pending = false;
    if (connect(fd, (const struct sockaddr *)&a->at, a->len) == 0)
        return TAKE_FD(fd);
    if (errno != EINPROGRESS)
        return -1; /* a unix socket whose backlog is full says EAGAIN */
    *ret_pending = true;
    return TAKE_FD(fd);
}

int wire_connect(const struct wire_address *a, int64_t deadline)
{
    bool pending;
    short events;
    int error = 0;
    socklen_t len = sizeof error;
    CLEANUP(fd_close) int fd = wire_connect_begin(a, &pending);

    if (fd < 0 || !pending)
        return TAKE_FD(fd);
    if (!wait_for(fd, POLLOUT, deadline, &events))
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -1;
    errno = error;
    return error ? -1 : TAKE_FD(fd);
}

bool wire_is_idle(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 0;
}

void wire_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now); /* else an end */
    (void)close(fd);
}

enum wire_result wire_send(int fd, const void *data, size_t len, int64_t deadline)
{
    const char *at = data;
    short events;

    while (len > 0) {
        if (!wait_for(fd, POLLIN | POLLOUT, deadline, &events))
            return WIRE_BROKEN;
        if (events & (POLLIN | POLLHUP | POLLERR))
            return WIRE_ANSWERED; /* or the end of the connection: reading tells */
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return WIRE_ANSWERED;
        at += n;
        len -= (size_t)n;
    }
    return WIRE_OK;
}

enum wire_result wire_read_answer(int fd, struct buf *into, int64_t deadline,
                                  struct wire_answer *ret)
{
    short events;
    bool ended = false;

    buf_clear(into);
    for (;;) {
        enum wire_result got = wire_parse_answer(into->data, into->len, ended, ret);
        if (got == WIRE_OK && ret->status < 200) {
            buf_consume(into, ret->head_len);
            continue;
        }
        if (got != WIRE_BROKEN || ended)
            return got;
        char *to = buf_reserve(into, READ_CHUNK);
        if (!to)
            return WIRE_BAD;
        if (!wait_for(fd, POLLIN, deadline, &events))
            return WIRE_BROKEN;
        ssize_t n = recv(fd, to, READ_CHUNK, 0);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return WIRE_BROKEN;
        buf_added(into, (size_t)n);
        ended = n == 0;
    }
}
