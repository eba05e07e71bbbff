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
#include "tests/chaos/body.h"
#include "tests/chaos/wire.h"
#include "tests/support/tmpdir.h"
#include "tests/support/wait_until.h"

/* A server in the test's own hands: it listens, and accepts when asked. */
static struct tmpdir dir;
static int listener;
static char target[64];
static struct proxy *proxy;

static void up(void)
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

static void down(void)
{
    proxy_close(proxy);
    (void)close(listener);
    tmpdir_remove(&dir);
}

TestSuite(proxy, .init = up, .fini = down, .timeout = 20);

struct pair {
    int program, server;
};

static int join(void)
{
    struct wire_address a;

    cr_assert(wire_parse_address(proxy_address(proxy), &a));
    int fd = wire_connect(&a, clock_mono_ms() + 5000);
    cr_assert(fd >= 0, "%s", strerror(errno));
    return fd;
}

static struct pair link_up(void)
{
    struct pair p = {.program = join()};

    p.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(p.server >= 0);
    return p;
}

static void link_down(struct pair p)
{
    (void)close(p.program);
    (void)close(p.server);
}

static void say(int fd, const void *data, size_t len)
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
static ssize_t hear(int fd, void *data, size_t len, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (poll(&p, 1, ms) == 0)
        return -2;
    return recv(fd, data, len, 0);
}

static void hear_all(int fd, char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = hear(fd, data, len, SOON_MS);
        cr_assert(n > 0, "%zd", n);
        data += n;
        len -= (size_t)n;
    }
}

Test(proxy, passes_all_bytes_both_ways)
{
    struct pair p = link_up();
    char got[8];

    say(p.program, "PING\r\n", 6);
    hear_all(p.server, got, 6);
    cr_expect(memcmp(got, "PING\r\n", 6) == 0);
    say(p.server, "+PONG", 5);
    hear_all(p.program, got, 5);
    cr_expect(memcmp(got, "+PONG", 5) == 0);
    cr_expect(WAIT_UNTIL(proxy_counts(proxy).bytes[PROXY_DOWN] == 5, SOON_MS));
    struct proxy_counts counts = proxy_counts(proxy);
    cr_expect(eq(i64, counts.accepted, 1));
    cr_expect(eq(i64, counts.links, 1));
    cr_expect(eq(i64, counts.bytes[PROXY_UP], 6));
    cr_expect(eq(i64, counts.bytes[PROXY_DOWN], 5));
    link_down(p);
    cr_expect(WAIT_UNTIL(proxy_counts(proxy).links == 0, SOON_MS));
}

Test(proxy, megabytes_come_through_whole_while_the_reader_is_slow)
{
    enum { SIZE = 3 << 20 };
    struct pair p = link_up();
    struct body b = {.n = 1, .seed = 5, .size = SIZE};
    char *sent = malloc(SIZE), *got = malloc(SIZE);
    size_t out = 0, in = 0;

    cr_assert(sent && got);
    body_fill(&b, 0, sent, SIZE);
    while (in < SIZE) {
        struct pollfd fds[2] = {
            {.fd = p.program, .events = out < SIZE ? (short)POLLOUT : (short)0},
            {.fd = p.server, .events = POLLIN}};
        cr_assert(poll(fds, 2, SOON_MS) > 0);
        if (fds[0].revents & POLLOUT) {
            ssize_t n = send(p.program, sent + out, SIZE - out, MSG_NOSIGNAL);
            cr_assert(n > 0);
            out += (size_t)n;
        } else if (fds[1].revents) {
            ssize_t n = recv(p.server, got + in, SIZE - in, 0);
            cr_assert(n > 0);
            in += (size_t)n;
        }
    }
    cr_expect(memcmp(sent, got, SIZE) == 0);
    free(sent);
    free(got);
    link_down(p);
}

Test(proxy, an_end_is_passed_on_and_the_other_way_stays_open)
{
    struct pair p = link_up();
    char got[8];

    say(p.program, "bye", 3);
    cr_assert(not(shutdown(p.program, SHUT_WR)));
    hear_all(p.server, got, 3);
    cr_expect(eq(int, (int)hear(p.server, got, 1, SOON_MS), 0));
    say(p.server, "well", 4);
    hear_all(p.program, got, 4);
    link_down(p);
}

Test(proxy, a_reset_is_passed_on)
{
    struct pair p = link_up();
    char got[8];

    wire_reset(p.program);
    cr_expect(eq(int, (int)hear(p.server, got, 1, SOON_MS), -1));
    (void)close(p.server);
}

Test(proxy, unix_sockets_as_well)
{
    struct err e = ERR_INIT;
    struct proxy *second = NULL;
    struct wire_address a;
    char address[128];

    (void)snprintf(address, sizeof address, "unix:%s", tmpdir_file(&dir, "p").path);
    cr_assert(eq(int, proxy_open(address, proxy_address(proxy), &second, &e), ERR_OK),
              "%s", e.text);
    cr_assert(wire_parse_address(proxy_address(second), &a));
    int fd = wire_connect(&a, clock_mono_ms() + SOON_MS);
    cr_assert(fd >= 0);
    int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    char got[4];
    say(fd, "hey", 3);
    hear_all(server, got, 3);
    (void)close(fd);
    (void)close(server);
    proxy_close(second);
    cr_expect(access(tmpdir_file(&dir, "p").path, F_OK) != 0);
}

Test(proxy, delay_holds_each_byte_that_long)
{
    struct pair p = link_up();
    char got[8];
    int64_t start = clock_mono_ms();

    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.delay_ms = 150});
    say(p.program, "late", 4);
    hear_all(p.server, got, 4);
    cr_expect(clock_mono_ms() - start >= 150);
    say(p.server, "x", 1); /* the other way is free */
    cr_expect(eq(int, (int)hear(p.program, got, 1, SOON_MS), 1));
    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.delay_ms = 60000});
    say(p.program, "late", 4);
    cr_expect(eq(int, (int)hear(p.server, got, 4, NOTHING_MS), -2));
    proxy_heal(proxy);
    hear_all(p.server, got, 4);
    link_down(p);
}

Test(proxy, a_rate_is_kept)
{
    struct pair p = link_up();
    char bytes[4000] = {0};
    int64_t start = clock_mono_ms();

    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.rate = 20000});
    say(p.program, bytes, sizeof bytes);
    hear_all(p.server, bytes, sizeof bytes);
    int64_t took = clock_mono_ms() - start;
    cr_expect(took >= 140 && took < 2000, "%lld", (long long)took);
    link_down(p);
}

Test(proxy, slices_arrive_in_order)
{
    struct pair p = link_up();
    char bytes[1000], got[1000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.slice = true});
    say(p.program, bytes, sizeof bytes);
    hear_all(p.server, got, sizeof got);
    cr_expect(memcmp(bytes, got, sizeof got) == 0);
    link_down(p);
}

Test(proxy, what_is_held_is_there_when_it_heals)
{
    struct pair p = link_up();
    char got[8];

    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.hold = true});
    say(p.program, "held", 4);
    cr_expect(eq(int, (int)hear(p.server, got, 4, NOTHING_MS), -2));
    proxy_heal(proxy);
    hear_all(p.server, got, 4);
    cr_expect(memcmp(got, "held", 4) == 0);
    link_down(p);
}

Test(proxy, what_is_swallowed_is_gone_and_its_link_too)
{
    struct pair p = link_up(), other = link_up();
    char got[8];

    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.swallow = true});
    say(p.program, "gone", 4);
    cr_expect(WAIT_UNTIL(proxy_counts(proxy).swallowed_bytes == 4, SOON_MS));
    cr_expect(eq(int, (int)hear(p.server, got, 4, NOTHING_MS), -2));
    proxy_heal(proxy);
    cr_expect(eq(int, (int)hear(p.program, got, 1, SOON_MS), -1));
    cr_expect(eq(int, (int)hear(p.server, got, 1, SOON_MS), -1));
    say(other.program, "well", 4);
    hear_all(other.server, got, 4);
    link_down(p);
    link_down(other);
}

Test(proxy, a_cut_is_at_its_byte)
{
    char got[16];

    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.cut = true, .cut_at = 5});
    for (int i = 0; i < 2; i++) {
        struct pair p = link_up();
        say(p.program, "0123456789", 10);
        hear_all(p.server, got, 5);
        cr_expect(memcmp(got, "01234", 5) == 0);
        cr_expect(eq(int, (int)hear(p.server, got, 1, SOON_MS), -1));
        link_down(p);
    }
    cr_expect(WAIT_UNTIL(proxy_counts(proxy).cut == 2, SOON_MS));
}

Test(proxy, a_cut_at_0_lets_nothing_through)
{
    struct pair p = link_up();
    char got[16];

    proxy_set(proxy, PROXY_DOWN, &(struct proxy_fault){.cut = true});
    say(p.program, "ask", 3);
    hear_all(p.server, got, 3);
    say(p.server, "answer", 6);
    cr_expect(eq(int, (int)hear(p.program, got, 1, SOON_MS), -1));
    link_down(p);
}

Test(proxy, one_bit_of_one_byte_is_flipped_once)
{
    struct pair p = link_up();
    char got[16];

    say(p.program, "before", 6);
    hear_all(p.server, got, 6);
    proxy_set(
        proxy, PROXY_UP,
        &(struct proxy_fault){.flip = true, .flip_at = 3, .flip_bit = 1, .times = 1});
    say(p.program, "aa", 2);
    hear_all(p.server, got, 2);
    say(p.program, "aaaa", 4);
    hear_all(p.server, got + 2, 4);
    cr_expect(memcmp(got, "aaacaa", 6) == 0, "%.6s", got);
    struct pair other = link_up();
    say(other.program, "aaaaaa", 6);
    hear_all(other.server, got, 6);
    cr_expect(memcmp(got, "aaaaaa", 6) == 0, "%.6s", got);
    cr_expect(eq(i64, proxy_counts(proxy).flipped, 1));
    link_down(p);
    link_down(other);
}

/* Whether somebody who connects is turned away. */
static bool is_refused(void)
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

Test(proxy, refuses_and_takes_again)
{
    proxy_refuse(proxy, true);
    cr_expect(is_refused());
    proxy_heal(proxy);
    link_down(link_up());
    cr_expect(eq(i64, proxy_counts(proxy).refused, 1));
}

Test(proxy, all_links_are_reset_at_once)
{
    struct pair a = link_up(), b = link_up();
    char got[1];

    proxy_reset(proxy);
    cr_expect(eq(int, (int)hear(a.program, got, 1, SOON_MS), -1));
    cr_expect(eq(int, (int)hear(b.server, got, 1, SOON_MS), -1));
    link_down(a);
    link_down(b);
    link_down(link_up());
}

Test(proxy, a_server_that_is_away_is_a_reset)
{
    (void)close(listener);
    cr_expect(is_refused());
    listener = -1;
}

Test(proxy, many_links_do_not_mix)
{
    enum { LINKS = 200 };
    struct pair links[LINKS];
    int64_t got;

    for (int64_t i = 0; i < LINKS; i++)
        links[i] = link_up();
    for (int64_t i = 0; i < LINKS; i++)
        say(links[i].program, &i, sizeof i);
    for (int64_t i = 0; i < LINKS; i++) {
        hear_all(links[i].server, (char *)&got, sizeof got);
        cr_assert(eq(i64, got, i));
        link_down(links[i]);
    }
    cr_expect(WAIT_UNTIL(proxy_counts(proxy).links == 0, SOON_MS));
}

Test(proxy, what_cannot_be_listened_on_is_refused)
{
    struct proxy *p = NULL;
    struct err e = ERR_INIT;

    cr_expect(eq(int, proxy_open("nowhere", target, &p, &e), ERR_CONFIG));
    cr_expect(eq(int, proxy_open("127.0.0.1:0", "nowhere", &p, &e), ERR_CONFIG));
    cr_expect(eq(int, proxy_open("unix:/nonexistent/p", target, &p, &e), ERR_CONFIG));
    cr_expect(eq(int, proxy_open(target, target, &p, &e), ERR_CONFIG));
}
