/*
 * proxy_rig: a proxy before a server that is in the test's own hands: it listens, and accepts when asked.
 */
#ifndef HOIST_TESTS_CHAOS_PROXY_RIG_H
#define HOIST_TESTS_CHAOS_PROXY_RIG_H

#include "tests/chaos/proxy.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tests/chaos/wire.h"
#include "tests/support/tmpdir.h"
#include "tests/support/wait_until.h"

static struct tmpdir dir;
static int listener;
static char target[64];
static struct proxy *proxy;

static inline void rig_up(void)
{
    struct wire_address a;
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    struct err e = ERR_INIT;

    tmpdir_make(&dir);
    cr_assert(wire_parse_address("127.0.0.1:0", &a));
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(listener >= 0 && !bind(listener, (struct sockaddr *)&a.at, a.len) &&
              !listen(listener, 64) &&
              !getsockname(listener, (struct sockaddr *)&at, &len));
    (void)snprintf(target, sizeof target, "127.0.0.1:%d", ntohs(at.sin_port));
    cr_assert(eq(int, proxy_open("127.0.0.1:0", target, &proxy, &e), ERR_OK), "%s",
              e.text);
}

static inline void rig_down(void)
{
    proxy_close(proxy);
    (void)close(listener);
    tmpdir_remove(&dir);
}

struct pair {
    int program, server;
};

static inline int join(void)
{
    struct wire_address a;

    cr_assert(wire_parse_address(proxy_address(proxy), &a));
    int fd = wire_connect(&a, clock_mono_ms() + 5000);
    cr_assert(fd >= 0, "%s", strerror(errno));
    return fd;
}

static inline struct pair link_up(void)
{
    struct pair p = {.program = join()};

    p.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(p.server >= 0);
    return p;
}

static inline void link_down(struct pair p)
{
    (void)close(p.program);
    (void)close(p.server);
}

static inline void say(int fd, const void *data, size_t len)
{
    /* Less than a socket takes, or slowly drained by the proxy. */
    for (const char *at = data; len > 0;) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        cr_assert(n > 0 || (errno == EAGAIN && poll(&p, 1, 5000) > 0));
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

enum { NOTHING_MS = 60, SOON_MS = 5000 };

/* What comes within ms: so many bytes at most; 0: the end, -1: a reset, -2: nothing. */
static inline ssize_t hear(int fd, void *data, size_t len, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (poll(&p, 1, ms) == 0)
        return -2;
    return recv(fd, data, len, 0);
}

static inline void hear_all(int fd, char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = hear(fd, data, len, SOON_MS);
        cr_assert(n > 0, "%zd", n);
        data += n;
        len -= (size_t)n;
    }
}

/* Whether somebody who connects is turned away. */
static inline bool is_refused(void)
{
    struct wire_address a;
    char got[1];

    cr_assert(wire_parse_address(proxy_address(proxy), &a));
    int fd = wire_connect(&a, clock_mono_ms() + 5000);
    if (fd < 0)
        return true;
    ssize_t n = hear(fd, got, 1, SOON_MS);
    (void)close(fd);
    return n == 0 || n == -1;
}

#endif
