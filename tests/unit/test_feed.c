/*
 * feed: who is told what is new, and when: listeners over pairs of sockets, without Redis, and with the time as an argument.
 */
#include "fcgi-app/events/listeners_internal.h"
#include "fcgi-app/fastcgi/gate_internal.h"
#include "tests/support/fcgi_client.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALL = 200, START_MS = 1000000, NEVER_MS = 1 << 30 };

static struct config config;
static struct listeners l;
static struct listener list[ALL];
static struct gate_conn conns[ALL];
static int ends[ALL];
static char got[ALL][4096];

static void begin(void)
{
    l.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    buf_init(&l.status, 1 << 20);
    buf_init(&l.text, 1 << 20);
    buf_init(&l.wire, 1 << 20);
    cr_assert(feed_init(&l.feed, &config));
    l.feed.has_pictures = true;
    l.feed.next_ms = l.feed.probe_ms = l.feed.redraw_ms = NEVER_MS;
}

static void join(int i)
{
    struct epoll_event event = {.events = EPOLLIN};
    int pair[2];
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0));
    conns[i].fd = pair[0];
    ends[i] = pair[1];
    list[i].kind = LISTENER_FEED;
    list[i].conn = &conns[i];
    list[i].later.id = 1;
    event.data.ptr = &list[i];
    cr_assert(eq(int, epoll_ctl(l.epoll_fd, EPOLL_CTL_ADD, pair[0], &event), 0));
    feed_join(&l, &list[i]);
    l.feed.next_ms = NEVER_MS; /* there is nothing to look at */
}

static void leave(int i)
{
    feed_leave(&l, &list[i]);
    outbox_release(&list[i].out);
    (void)close(conns[i].fd);
    (void)close(ends[i]);
}

static void end(int first, int count)
{
    for (int i = first; i < count; i++)
        leave(i);
    feed_release(&l.feed);
    buf_release(&l.status);
    buf_release(&l.text);
    buf_release(&l.wire);
    (void)close(l.epoll_fd);
}

/* Whether this came since the last time it was asked, and nothing else of the kind. */
static bool was_told(int i, const char *part)
{
    ssize_t n = recv(ends[i], got[i], sizeof got[i], MSG_DONTWAIT);
    return n > 0 && memmem(got[i], (size_t)n, part, strlen(part));
}

static int count_told(int count, const char *part)
{
    int told = 0;
    for (int i = 0; i < count; i++)
        told += was_told(i, part);
    return told;
}

static void tell_all(const char *text, int64_t now)
{
    feed_text_clear(&l.feed.classes[0].news);
    buf_puts(&l.feed.classes[0].news.text, text);
    feed_begin_round(&l.feed, now);
}

/* All of them join, and know what there is to know. */
static void greet_all(int count)
{
    for (int i = 0; i < count; i++)
        join(i);
    for (int64_t now = START_MS; now < START_MS + 1000; now++)
        feed_send(&l, now);
    cr_assert(eq(int, count_told(count, "event: workers"), count));
}

TestSuite(feed, .init = begin, .timeout = 60);

Test(feed, a_few_are_told_in_one_turn)
{
    for (int i = 0; i < PACE_AT_ONCE; i++)
        join(i);
    feed_send(&l, START_MS);
    cr_expect(eq(int, count_told(PACE_AT_ONCE, "event: workers"), PACE_AT_ONCE));
    tell_all("new", START_MS + 2000);
    cr_expect(feed_send_ms(&l.feed) == START_MS + 2000);
    feed_send(&l, START_MS + 2000);
    cr_expect(eq(int, count_told(PACE_AT_ONCE, "new"), PACE_AT_ONCE));
    cr_expect(not(feed_in_round(&l.feed)));
    cr_expect(feed_send_ms(&l.feed) == INT64_MAX, "there is nothing to wait for");
    end(0, PACE_AT_ONCE);
}

Test(feed, many_are_told_a_slice_at_a_time_each_once_and_in_their_order)
{
    int64_t now = START_MS + 2000;
    int told = 0;

    greet_all(ALL);
    for (int round = 0; round < 2; round++, now = START_MS + 4000) {
        int64_t until_ms = now + PACE_SPREAD_MS;
        tell_all("new", now);
        for (told = 0; feed_in_round(&l.feed) && now < until_ms; now++) {
            bool is_due = feed_send_ms(&l.feed) <= now;
            feed_send(&l, now);
            int slice = 0;
            while (told + slice < ALL && was_told(told + slice, "new"))
                slice++;
            told += slice;
            cr_assert(le(int, slice, PACE_SLICE_MIN));
            cr_assert(eq(int, slice > 0, is_due), "he who waits is woken in time");
        }
        cr_expect(eq(int, told, ALL));
        cr_expect(not(feed_in_round(&l.feed)));
        cr_expect(eq(int, count_told(ALL, "new"), 0));
    }
    end(0, ALL);
}

Test(feed, nobody_is_told_twice_within_a_second)
{
    int64_t told_ms[ALL] = {0}, now = START_MS + 2000;
    int told = 0;

    greet_all(ALL);
    for (; told < 3 * ALL && now < START_MS + 10000; now++) {
        if (!feed_in_round(&l.feed))
            tell_all("new", now);
        if (feed_send_ms(&l.feed) > now)
            continue;
        feed_send(&l, now);
        for (int i = 0; i < ALL; i++) {
            if (!was_told(i, "new"))
                continue;
            cr_assert(ge(i64, now - told_ms[i], FEED_ACTIVE_MS), "%d", i);
            told_ms[i] = now;
            told++;
        }
    }
    cr_expect(eq(int, told, 3 * ALL));
    cr_expect(lt(i64, now, START_MS + 2000 + 3 * (FEED_ACTIVE_MS + PACE_SPREAD_MS)));
    end(0, ALL);
}

/* A message that the socket does not take at once. */
static void fill(int i)
{
    struct buf b = BUF_INIT(4 << 20);
    memset(buf_reserve(&b, 2 << 20), 'x', 2 << 20);
    buf_added(&b, 2 << 20);
    struct message *m = message_new(&b);
    cr_assert(m != NULL);
    listeners_send(&l, &list[i], m);
    message_drop(m);
    buf_release(&b);
    cr_assert(gt(sz, list[i].out.count, 0));
}

Test(feed,
     who_is_slow_is_left_out_and_told_all_of_it_once_he_has_taken_what_came_before)
{
    static char text[65536];
    int64_t now = START_MS + 2000;

    greet_all(40);
    fill(7);
    tell_all("new", now);
    for (; now < START_MS + 4000; now++)
        feed_send(&l, now);
    cr_expect(not(feed_in_round(&l.feed)), "the others do not wait for him");
    l.feed.away = true; /* what is to be told changes meanwhile */
    l.feed.classes[0].has_hello = false;
    while (list[7].out.count > 0) {
        (void)recv(ends[7], text, sizeof text, MSG_DONTWAIT);
        listeners_flush(&l, &list[7]);
    }
    for (size_t n = 1; n > 0;) { /* the rest of it, and no byte more */
        ssize_t have = recv(ends[7], text, sizeof text, MSG_PEEK | MSG_DONTWAIT);
        for (n = 0; have > (ssize_t)n && text[n] == 'x';)
            n++;
        (void)recv(ends[7], text, n, MSG_DONTWAIT);
    }
    feed_send(&l, now);
    cr_expect(was_told(7, "event: redis\ndata: {\"away\":true}"));
    cr_expect(memmem(got[7], sizeof got[7], "new", 3) == NULL);
    cr_expect(eq(int, count_told(40, "new"), 39));
    tell_all("more", now + 1000);
    for (; now < START_MS + 6000; now++)
        feed_send(&l, now);
    cr_expect(eq(int, count_told(40, "more"), 40), "and from then on like all of them");
    end(0, 40);
}

Test(feed, who_comes_meanwhile_is_told_all_at_once_and_who_leaves_keeps_nobody)
{
    int64_t now = START_MS + 2000;

    greet_all(ALL - 1);
    tell_all("new", now);
    feed_send(&l, now);
    join(ALL - 1);
    feed_send(&l, now + 1);
    cr_expect(was_told(ALL - 1, "event: workers"));
    cr_expect(feed_in_round(&l.feed), "the others are still being told");
    leave(0); /* told already; the next one in the line; one in the middle */
    leave(PACE_SLICE_MIN);
    leave(ALL / 2);
    for (int i = 0; i < PACE_SPREAD_MS; i++)
        feed_send(&l, now + i);
    int told = count_told(PACE_SLICE_MIN, "new");
    for (int i = PACE_SLICE_MIN + 1; i < ALL; i++)
        told += i != ALL / 2 && was_told(i, "new");
    cr_expect(eq(int, told, ALL - 1 - 3), "each but the three, and who was told all");
    cr_expect(not(feed_in_round(&l.feed)));
    for (int i = 1; i < ALL; i++)
        if (i != PACE_SLICE_MIN && i != ALL / 2)
            leave(i);
    cr_expect(eq(sz, l.feed.count, 0));
    cr_expect(l.feed.told.first == NULL && l.feed.fresh.first == NULL);
    end(0, 0);
}

Test(feed, nobody_is_greeted_before_there_is_something_to_tell)
{
    l.feed.has_pictures = false;
    join(0);
    feed_send(&l, START_MS);
    cr_expect(not(was_told(0, "event")));
    cr_expect(feed_send_ms(&l.feed) == INT64_MAX);
    l.feed.has_pictures = true;
    feed_send(&l, START_MS + 1);
    cr_expect(was_told(0, "event: workers"));
    end(0, 1);
}
