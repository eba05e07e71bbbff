/*
 * events: the text of events, how fast many are told, what waits for a slow listener, which jobs are watched, and requests that are
 * answered by and by.
 */
#include "fcgi-app/events/outbox.h"
#include "fcgi-app/events/pace.h"
#include "fcgi-app/events/sse.h"
#include "fcgi-app/events/watches.h"
#include "fcgi-app/fastcgi/fastcgi_later.h"
#include "shared/cleanup.h"
#include "tests/support/fcgi_client.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(events, .timeout = 60);

static const struct {
    const char *data, *want;
} texts[] = {
    {"{\"a\":1}", "event: e\nid: 7\ndata: {\"a\":1}\n\n"},
    {"{\"a\":1}\n", "event: e\nid: 7\ndata: {\"a\":1}\n\n"},
    {"", "event: e\nid: 7\ndata: \n\n"},
    {"one\ntwo\r\nthree\rfour",
     "event: e\nid: 7\ndata: one\ndata: two\ndata: three\ndata: four\n\n"},
    {"a\n\nb", "event: e\nid: 7\ndata: a\ndata: \ndata: b\n\n"},
};

Test(events, data_of_several_lines_stays_in_its_event)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(1024);
        sse_add_event(&b, "e", "7", texts[i].data, strlen(texts[i].data));
        cr_expect(eq(str, b.data, (char *)texts[i].want), "%zu", i);
    }
}

Test(events, an_id_is_that_of_the_bytes)
{
    char a[SSE_ID_SIZE], b[SSE_ID_SIZE];

    sse_make_id("abc", 3, a);
    cr_expect(eq(str, a, "e71fa2190541574b")); /* FNV-1a of "abc" */
    sse_make_id("abd", 3, b);
    cr_expect(ne(str, a, b));
}

Test(events, a_few_are_told_at_once_and_thousands_within_a_second)
{
    static const size_t counts[] = {1, PACE_AT_ONCE, PACE_AT_ONCE + 1, 500, 2000, 7200};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct pace p;
        size_t most = 0, sum = 0;
        int64_t now = 5000;
        pace_begin(&p, counts[i], now);
        for (; sum < counts[i] && now < 5000 + 2 * PACE_SPREAD_MS; now++) {
            bool is_time = pace_next_ms(&p) <= now;
            size_t due = pace_due(&p, now);
            cr_expect(eq(int, due > 0, is_time));
            cr_expect(eq(sz, pace_due(&p, now), 0), "once");
            most = due > most ? due : most;
            sum += due;
        }
        cr_expect(le(i64, now - 5000, counts[i] <= PACE_AT_ONCE ? 1 : PACE_SPREAD_MS),
                  "%zu", counts[i]);
        cr_expect(eq(sz, most, pace_slice(counts[i])));
        cr_expect(
            le(sz, most, counts[i] <= PACE_AT_ONCE ? PACE_AT_ONCE : PACE_SLICE_MAX));
    }
    cr_expect(eq(sz, pace_slice(2000), 5));
    cr_expect(eq(sz, pace_slice(PACE_AT_ONCE + 1), PACE_SLICE_MIN));
    cr_expect(eq(sz, pace_slice(1000000), PACE_SLICE_MAX));
}

Test(events, who_is_late_catches_up_with_a_few_slices_at_a_time)
{
    struct pace p;

    pace_begin(&p, 2000, 0);
    cr_expect(eq(sz, pace_due(&p, 0), 5));
    cr_expect(eq(sz, pace_due(&p, PACE_STEP_MS - 1), 0));
    cr_expect(eq(sz, pace_due(&p, 3 * PACE_STEP_MS + 1), 15), "of three steps");
    cr_expect(eq(i64, pace_next_ms(&p), 4 * PACE_STEP_MS),
              "no step is shifted by that");
    cr_expect(eq(sz, pace_due(&p, 500), PACE_BEHIND * 5),
              "the rest of them is no burst");
    cr_expect(eq(i64, pace_next_ms(&p), 500 + PACE_STEP_MS));
    cr_expect(eq(sz, pace_due(&p, 500 + PACE_STEP_MS), 5));
}

static struct message *make_message(char c, size_t len)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
    memset(buf_reserve(&b, len), c, len);
    buf_added(&b, len);
    struct message *m = message_new(&b);
    cr_assert(m != NULL);
    return m;
}

Test(events, an_outbox_holds_so_many_messages_and_goes_on_where_the_socket_was_full)
{
    static char got[OUTBOX_MAX * 100000];
    struct outbox o = {.count = 0};
    int ends[2];
    size_t sent, sum = 0, read_len = 0;
    enum outbox_state state;

    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    for (size_t i = 0; i < OUTBOX_MAX; i++) {
        struct message *m = make_message((char)('a' + i), 100000);
        cr_expect(outbox_add(&o, m));
        message_drop(m);
    }
    struct message *more = make_message('z', 1);
    cr_expect(not(outbox_add(&o, more)));
    message_drop(more);
    cr_expect(outbox_flush(&o, ends[0], &sent) == OUTBOX_WAITS);
    cr_expect(gt(sz, sent, 0));
    do {
        ssize_t n = recv(ends[1], got + read_len, sizeof got - read_len, MSG_DONTWAIT);
        read_len += n > 0 ? (size_t)n : 0;
        sum += sent;
        state = outbox_flush(&o, ends[0], &sent);
    } while (state == OUTBOX_WAITS || sent > 0);
    cr_expect(state == OUTBOX_EMPTY);
    while (read_len < sizeof got) {
        ssize_t n = recv(ends[1], got + read_len, sizeof got - read_len, 0);
        cr_assert(n > 0);
        read_len += (size_t)n;
    }
    cr_expect(eq(sz, sum, sizeof got));
    for (size_t i = 0; i < sizeof got; i++)
        cr_assert(got[i] == (char)('a' + i / 100000), "%zu", i);
    (void)close(ends[1]);
    more = make_message('z', 1);
    cr_expect(outbox_add(&o, more));
    message_drop(more);
    cr_expect(outbox_flush(&o, ends[0], &sent) == OUTBOX_BROKEN);
    outbox_release(&o);
    (void)close(ends[0]);
}

static struct watch *watch_of(struct watches *w, const char *queue, const char *uuid)
{
    struct job j = JOB_INIT;
    memcpy(j.id.queue, queue, strlen(queue) + 1);
    memcpy(j.id.uuid.text, uuid, ID_UUID_LEN + 1);
    struct watch *one = watches_get(w, &j);
    job_release(&j);
    return one;
}

Test(events, a_job_is_watched_once_and_looked_at_in_the_order_of_urgency)
{
    struct watches w;
    struct watch *list[200];
    static struct uuid ids[200];

    cr_assert(watches_init(&w, 200));
    for (size_t i = 0; i < 200; i++) {
        ids[i] = id_format_uuid((int64_t)i * 1000000, i);
        list[i] = watch_of(&w, "q", ids[i].text);
        cr_assert(list[i] != NULL);
    }
    cr_expect(watch_of(&w, "q", id_new().text) == NULL, "there are as many as may be");
    cr_expect(watch_of(&w, "q", ids[7].text) == list[7]);
    cr_expect(watches_find(&w, "r", ids[7].text) == NULL, "another queue's");
    watches_hurry(&w, list[3]); /* is already */
    watches_remove(&w, list[0]);
    watches_remove(&w, list[5]);
    watches_remove(&w, list[199]);
    cr_expect(watches_find(&w, "q", ids[5].text) == NULL);
    for (size_t i = 0; i < 199; i++)
        if (i != 0 && i != 5)
            cr_expect(watches_next(&w) == list[i], "%zu", i);
    cr_expect(watches_next(&w) == NULL);
    watches_hurry(&w, list[9]);
    watches_hurry(&w, list[8]);
    cr_expect(watches_next(&w) == list[9]);
    watches_remove(&w, list[8]);
    cr_expect(watches_next(&w) == NULL);
    struct job running = JOB_INIT;
    running.state = JOB_RUNNING;
    running.id = list[10]->job.id;
    watches_set_job(&w, list[10], &running);
    cr_expect(eq(sz, w.running, 1));
    watches_remove(&w, list[10]);
    cr_expect(eq(sz, w.running, 0));
    watches_release(&w);
}

static const struct {
    const char *label;
    unsigned char bytes[24];
    size_t len;
    enum fastcgi_news want;
} news[] = {
    {"nothing", {0}, 0, FASTCGI_NO_NEWS},
    {"abort", {1, FCGI_ABORT, 0, 9, 0, 0, 0, 0}, 8, FASTCGI_ABORTED},
    {"of another request", {1, FCGI_ABORT, 0, 8, 0, 0, 0, 0}, 8, FASTCGI_LEFT},
    {"half of it", {1, FCGI_ABORT, 0, 9}, 4, FASTCGI_LEFT},
    {"with content", {1, FCGI_ABORT, 0, 9, 0, 4, 0, 0, 1, 2, 3, 4}, 12, FASTCGI_LEFT},
    {"another request", {1, FCGI_BEGIN, 0, 2, 0, 8, 0, 0, 0, 1, 1}, 16, FASTCGI_LEFT},
    {"http", "GET / HTTP/1.1", 14, FASTCGI_LEFT},
};

Test(events, a_web_server_may_abort_or_leave_and_say_nothing_else)
{
    const struct fastcgi_later later = {.id = 9, .keep = true};
    int ends[2];

    for (size_t i = 0; i < sizeof news / sizeof news[0]; i++) {
        cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
        cr_assert(write(ends[1], news[i].bytes, news[i].len) == (ssize_t)news[i].len);
        cr_expect(fastcgi_later_look(&later, ends[0]) == news[i].want, "%s",
                  news[i].label);
        (void)close(ends[1]);
        if (news[i].len == 0)
            cr_expect(fastcgi_later_look(&later, ends[0]) == FASTCGI_LEFT);
        (void)close(ends[0]);
    }
}

Test(events, an_answer_that_comes_later_is_cut_into_records)
{
    CLEANUP(buf_release) struct buf out = BUF_INIT(1 << 20);
    static const char text[70000];
    const unsigned char *b;

    cr_expect(fastcgi_later_add(&out, 258, text, sizeof text));
    cr_expect(fastcgi_later_add_end(&out, 258));
    b = (const unsigned char *)out.data;
    cr_assert(eq(sz, out.len, 8 + 65535 + 8 + (70000 - 65535) + 8 + 16));
    cr_expect(memcmp(b, (const unsigned char[]){1, 6, 1, 2, 255, 255, 0, 0}, 8) == 0);
    b += 8 + 65535;
    cr_expect(memcmp(b, (const unsigned char[]){1, 6, 1, 2, 17, 113, 0, 0}, 8) == 0);
    b += 8 + 70000 - 65535;
    cr_expect(memcmp(b, (const unsigned char[]){1, 6, 1, 2, 0, 0, 0, 0}, 8) == 0);
    cr_expect(memcmp(b + 8, (const unsigned char[]){1, 3, 1, 2, 0, 8, 0, 0}, 8) == 0);
}
