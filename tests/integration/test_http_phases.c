/* The deadline of each phase of a request counts in that phase alone: connecting, the body, the answer. */
#include "worker/http/http.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "tests/support/s3_faulty.h"

enum { LONG_MS = 60000, BIG = 16 << 20 };

static struct s3_faulty *s3;
static uv_loop_t loop;
static struct http *http;
static uv_timer_t gate;
static bool expects; /* of what put sends */
static bool dawdles;

static void up(void)
{
    struct err e = ERR_INIT;

    s3 = s3_faulty_start();
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    (void)uv_timer_init(&loop, &gate);
    cr_assert(http_open(&loop, &http, &e) == ERR_OK, "%s", e.text);
}

static void down(void)
{
    uv_close((uv_handle_t *)&gate, NULL);
    http_close(http);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0));
    s3_faulty_stop(s3);
}

TestSuite(http_phases, .init = up, .fini = down, .timeout = 120);

struct end {
    bool over, body_sent;
    enum retry_net net;
    int status;
    char error[160];
};

static void on_done(const struct http_result *r, void *ctx)
{
    struct end *end = ctx;

    *end = (struct end){.over = true,
                        .body_sent = r->body_sent,
                        .net = r->net,
                        .status = r->response->status};
    (void)snprintf(end->error, sizeof end->error, "%s", r->error);
}

static void on_gate(uv_timer_t *timer)
{
    (void)timer;
    s3_faulty_open_gate(s3);
}

/* Hashing the second piece takes long where a test says so. */
static bool dawdle(const void *data, size_t len, int64_t offset, void *ctx)
{
    (void)data, (void)len, (void)ctx;
    if (offset > 0 && dawdles) {
        dawdles = false;
        (void)usleep(50000);
    }
    return true;
}

struct deadlines {
    int64_t connect_ms, stall_ms, answer_ms;
};

/* PUT so many bytes to base; the gate opens after gate_ms (0: nobody touches it).  How long it took. */
static int64_t put(const char *base, int64_t size, struct deadlines d, uint64_t gate_ms,
                   struct end *ret)
{
    static char data[BIG];
    char url[128];
    struct http_body body = {.fd = -1, .data = data, .len = size, .pass = dawdle};
    int64_t began = clock_mono_ms();

    (void)snprintf(url, sizeof url, "%s/bucket/key", base);
    struct http_request r = {.method = "PUT",
                             .url = url,
                             .body = &body,
                             .expects = expects,
                             .connect_ms = d.connect_ms,
                             .stall_ms = d.stall_ms,
                             .answer_ms = d.answer_ms,
                             .done = on_done,
                             .ctx = ret};
    if (gate_ms > 0)
        (void)uv_timer_start(&gate, on_gate, gate_ms, 0);
    *ret = (struct end){0};
    cr_assert(http_send(http, &r) != NULL);
    while (!ret->over)
        (void)uv_run(&loop, UV_RUN_ONCE);
    return clock_mono_ms() - began;
}

Test(http_phases, a_body_that_stands_still_is_ended_by_its_own_deadline)
{
    struct end end;

    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_STALL_IN_BODY, .bytes = 10});
    int64_t took =
        put(s3_faulty_url(s3), BIG, (struct deadlines){500, 1000, LONG_MS}, 0, &end);
    cr_expect(eq(int, end.net, RETRY_NET_TIMEOUT));
    cr_expect(eq(str, end.error, "time-out: the upload stalled"));
    cr_expect(not(end.body_sent), "so nothing can have been stored");
    cr_expect(lt(i64, took, LONG_MS / 4));
}

Test(http_phases, the_deadline_of_the_answer_does_not_count_while_the_body_leaves)
{
    struct end end;

    /* The body stands at the gate for longer than an answer may take. */
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_GATE_IN_BODY, .bytes = 10});
    s3_faulty_close_gate(s3);
    int64_t took = put(s3_faulty_url(s3), BIG,
                       (struct deadlines){LONG_MS, LONG_MS, 2000}, 4500, &end);
    cr_expect(eq(int, end.status, 200), "%s", end.error);
    cr_expect(ge(i64, took, 4500));
}

Test(http_phases, an_answer_that_does_not_come_is_ended_by_its_own_deadline)
{
    struct end end;

    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_HANG});
    int64_t took =
        put(s3_faulty_url(s3), 100, (struct deadlines){1000, LONG_MS, 1000}, 0, &end);
    cr_expect(eq(int, end.net, RETRY_NET_TIMEOUT));
    cr_expect(eq(str, end.error, "time-out: no answer"));
    cr_expect(end.body_sent, "so something may have been");
    cr_expect(lt(i64, took, LONG_MS / 4));
}

Test(http_phases, a_store_that_never_says_continue_costs_a_second)
{
    struct end end;

    expects = true;
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_NO_CONTINUE});
    int64_t took = put(s3_faulty_url(s3), 2 << 20,
                       (struct deadlines){LONG_MS, LONG_MS, LONG_MS}, 0, &end);
    cr_expect(eq(int, end.status, 200), "%s", end.error);
    cr_expect(ge(i64, took, 900), "it is waited for");
    cr_expect(lt(i64, took, 6000));
    expects = false;
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_NO_CONTINUE});
    took = put(s3_faulty_url(s3), 2 << 20,
               (struct deadlines){LONG_MS, LONG_MS, LONG_MS}, 0, &end);
    cr_expect(lt(i64, took, 900), "who does not ask does not wait");
}

/* The store closes behind its answer, with all that is unread: the connection breaks while the body is being sent. */
Test(http_phases, an_answer_before_the_body_was_read_is_taken)
{
    static const char *const headers[] = {NULL, "Connection: close\r\n"};
    struct end end;

    for (int i = 0; i < 8; i++) {
        dawdles = true;
        s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_EARLY_STATUS,
                                             .status = 403,
                                             .code = "AccessDenied",
                                             .headers = headers[i % 2]});
        (void)put(s3_faulty_url(s3), BIG, (struct deadlines){LONG_MS, LONG_MS, LONG_MS},
                  0, &end);
        cr_expect(eq(int, end.status, 403), "%d: %s", i, end.error);
        cr_expect(eq(int, end.net, RETRY_NET_OK), "%d: %s", i, end.error);
        cr_expect(not(end.body_sent));
    }
}

/* The connection does not break, and libcurl does not stop by itself where the answer says that it closes. */
Test(http_phases, a_store_that_has_refused_and_goes_on_reading_is_sent_no_more)
{
    struct end end;

    for (int i = 0; i < 4; i++) {
        dawdles = true;
        s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_EARLY_STATUS,
                                             .status = 403,
                                             .code = "AccessDenied",
                                             .headers = "Connection: close\r\n",
                                             .bytes = BIG});
        (void)put(s3_faulty_url(s3), BIG, (struct deadlines){LONG_MS, LONG_MS, LONG_MS},
                  0, &end);
        cr_expect(eq(int, end.status, 403), "%d: %s", i, end.error);
        cr_expect(eq(int, end.net, RETRY_NET_OK), "%d: %s", i, end.error);
        cr_expect(not(end.body_sent), "%d", i);
    }
}

/* Where it listens is told in url; it answers nobody. */
static int listen_somewhere(const char *scheme, char url[static 64])
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(bind(listener, (struct sockaddr *)&at, len) == 0);
    cr_assert(listen(listener, 8) == 0);
    cr_assert(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    (void)snprintf(url, 64, "%s://127.0.0.1:%d", scheme, ntohs(at.sin_port));
    return listener;
}

Test(http_phases, connecting_has_its_own_deadline_and_TLS_is_part_of_it)
{
    char url[64];
    struct end end;
    int listener = listen_somewhere("https", url);

    int64_t took = put(url, 100, (struct deadlines){1000, LONG_MS, LONG_MS}, 0, &end);
    cr_expect(eq(int, end.net, RETRY_NET_TIMEOUT), "%s", end.error);
    cr_expect(not(end.body_sent));
    cr_expect(ge(i64, took, 900));
    cr_expect(lt(i64, took, LONG_MS / 4));
    (void)close(listener);
}

static void run_until_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, 1) != 1)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
}

static int small_peer = -1; /* of the connection, once there is one */
static bool head_left_first;

static bool look_for_head(const void *data, size_t len, int64_t offset, void *ctx)
{
    struct pollfd p = {.fd = small_peer, .events = POLLIN};

    (void)data, (void)len, (void)offset, (void)ctx;
    head_left_first = head_left_first || (small_peer >= 0 && poll(&p, 1, 0) == 1);
    return true;
}

Test(http_phases, head_and_body_of_a_small_upload_leave_in_one_piece)
{
    enum { SIZE = 4096 };
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static char data[SIZE], got[4 * SIZE];
    char url[64];
    struct end end = {0};
    int listener = listen_somewhere("http", url);
    struct http_body body = {
        .fd = -1, .data = memset(data, 'x', SIZE), .len = SIZE, .pass = look_for_head};
    struct http_request r = {.method = "PUT",
                             .url = url,
                             .body = &body,
                             .connect_ms = LONG_MS,
                             .stall_ms = LONG_MS,
                             .answer_ms = LONG_MS,
                             .done = on_done,
                             .ctx = &end};

    for (int i = 0; i < 2; i++) { /* the second on the kept connection */
        end.over = false;
        cr_assert(http_send(http, &r) != NULL);
        if (small_peer < 0) {
            run_until_readable(listener);
            small_peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        }
        run_until_readable(small_peer);
        ssize_t n = recv(small_peer, got, sizeof got, 0);
        const char *head_end = memmem(got, (size_t)n, "\r\n\r\n", 4);
        cr_assert(head_end != NULL);
        cr_expect(eq(i64, n - (head_end + 4 - got), SIZE), "all of the body is there");
        cr_expect(memcmp(got, "PUT / HTTP/1.1\r\n", 16) == 0);
        cr_expect(memmem(got, (size_t)n, "Content-Length: 4096\r\n", 22) != NULL);
        cr_expect(memmem(got, (size_t)n, "Content-Type", 12) == NULL, "none was given");
        cr_expect(not(head_left_first), "it waited for the body to have been read");
        cr_assert(send(small_peer, answer, sizeof answer - 1, 0) > 0);
        while (!end.over)
            (void)uv_run(&loop, UV_RUN_ONCE);
        cr_expect(eq(int, end.status, 200));
        cr_expect(end.body_sent);
        if (i == 1)
            (void)close(small_peer);
    }
    (void)close(listener);
}
