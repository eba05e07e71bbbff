/*
 * responder, /status: what it says, to whom, and that it says it while every thread is busy.
 */
#include "tests/integration/responder_rig.h"

#include "tests/support/wait_until.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static const struct fcgi_request live = {.method = "GET", .uri = "/healthz"};

/* One thread, which one slow client holds up; each request is slow. */
static void up(void)
{
    const char *argv[] = {"sh",
                          "-c",
                          "HOIST_HTTP_THREADS=1 HOIST_HTTP_MAX_THREADS=1 "
                          "HOIST_HTTP_SLOW_MS=50 exec \"$0\" --config \"$1\"",
                          HOIST_FCGI_BIN,
                          NULL,
                          NULL};
    struct fcgi_client c;

    responder_up();
    (void)spawn_stop(&rig.process, 10000);
    argv[4] = rig.config.path;
    spawn_start(&rig.process,
                &(struct spawn_options){.argv = argv, .log_path = rig.log.path});
    cr_assert(WAIT_UNTIL(fcgi_client_try_open(&c, rig.socket.path), 10000));
    fcgi_client_close(&c);
}

TestSuite(responder_status, .init = up, .fini = responder_down, .timeout = 120);

static bool says(const char *uri, const char *part)
{
    const struct fcgi_request ask = responder_get(uri);
    struct fcgi_response r = responder_ask(&ask);
    bool found = r.status == 200 && strstr(r.body, part) != NULL;

    fcgi_response_release(&r);
    return found;
}

/* A line with both. */
static bool log_has(const char *one, const char *two)
{
    char line[4200];
    bool found = false;
    FILE *f = fopen(rig.log.path, "re");

    while (f && !found && fgets(line, sizeof line, f))
        found = strstr(line, one) && strstr(line, two);
    if (f)
        (void)fclose(f);
    return found;
}

static bool has_answer(const struct fcgi_client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static void check_answer(struct fcgi_client *c, int status)
{
    struct fcgi_response r = fcgi_client_response(c, 10000);

    cr_expect(eq(int, r.status, status), "%s", r.text);
    fcgi_response_release(&r);
    fcgi_client_close(c);
}

Test(responder_status,
     it_is_answered_while_every_thread_is_busy_and_others_wait_for_one)
{
    enum { WAIT = 5 };
    static const struct fcgi_request put = {.method = "PUT",
                                            .uri = "/v1/uploads/secret-name",
                                            .content_length = "10",
                                            .param = "HTTP_X_REQUEST_ID=snail-1",
                                            .param2 = "HTTP_TRACEPARENT=" PARENT};
    const struct fcgi_request quick = PUT("/v1/uploads/quick", "hello");
    struct fcgi_client slow, waits[WAIT];

    fcgi_client_open(&slow, rig.socket.path);
    fcgi_client_head(&slow, &put);
    fcgi_client_record(&slow, FCGI_STDIN, "slow ", 5);
    cr_assert(WAIT_UNTIL(says("/status", "\nactive processes:     1\n"), 10000));
    for (int i = 0; i < WAIT; i++) {
        fcgi_client_open(&waits[i], rig.socket.path);
        fcgi_client_request(&waits[i], &quick);
    }
    for (int i = 0; i < 20; i++) {
        cr_assert(says("/status?json&full", "\"state\":\"Running\""));
        cr_assert(eq(int, responder_status(&live), 200));
        cr_assert(says("/metrics", "\nhoist_handlers{state=\"busy\"} 1\n"));
    }
    cr_expect(says("/status?full", "\nrequest uri:          v1/uploads/{}\n"));
    cr_expect(says("/status?full", "\nrequest method:       PUT\n"));
    cr_expect(not(says("/status?full", "secret-name")));
    cr_expect(says("/status", "\nmax children reached: 1\n"));
    for (int i = 0; i < WAIT; i++)
        cr_expect(not(has_answer(&waits[i])), "there is no thread for it");
    fcgi_client_record(&slow, FCGI_STDIN, "snail", 5);
    fcgi_client_record(&slow, FCGI_STDIN, NULL, 0);
    check_answer(&slow, 202);
    for (int i = 0; i < WAIT; i++)
        check_answer(&waits[i], 202);
    cr_expect(WAIT_UNTIL(!says("/status", "\nslow requests:        0\n"), 5000));
    cr_expect(log_has("msg=\"slow request\" ms=", "v1/uploads/{}"));
    cr_expect(
        log_has("msg=\"slow request\"", " request=snail-1 traceparent=" PARENT "\n"));
    cr_expect(says("/status?json", "\"idle processes\":0,\"active processes\":1,"),
              "the one that says it");
}

Test(responder_status, stopping_ends_who_waits_for_a_thread_in_time)
{
    static const struct fcgi_request put = {
        .method = "PUT", .uri = "/v1/uploads/a", .content_length = "10"};
    const struct fcgi_request quick = PUT("/v1/uploads/quick", "hello");
    struct fcgi_client slow, waits;

    fcgi_client_open(&slow, rig.socket.path);
    fcgi_client_head(&slow, &put);
    cr_assert(WAIT_UNTIL(says("/status", "\nactive processes:     1\n"), 10000));
    fcgi_client_open(&waits, rig.socket.path);
    fcgi_client_request(&waits, &quick);
    cr_assert(says("/status", "\nactive processes:     1\n"));
    spawn_signal(&rig.process, SIGTERM);
    fcgi_client_record(&slow, FCGI_STDIN, "slow snail", 10);
    fcgi_client_record(&slow, FCGI_STDIN, NULL, 0);
    check_answer(&slow, 202);
    check_answer(&waits, 202);
    int status = -1;
    cr_expect(spawn_wait(&rig.process, 10000, &status));
    cr_expect(eq(int, status, 0));
}

Test(responder_status, it_is_for_whoever_may)
{
    const struct fcgi_request far = {
        .method = "GET", .uri = "/status", .remote_addr = "192.0.2.1"};

    cr_expect(eq(int, responder_status(&far), 403));
    cr_expect(says("/status", "\naccepted conn:        3\n"));
}
