/* What a proxy is without a fault. */
#include "tests/chaos/proxy_rig.h"

#include "tests/chaos/body.h"

TestSuite(proxy, .init = rig_up, .fini = rig_down, .timeout = 60);

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
