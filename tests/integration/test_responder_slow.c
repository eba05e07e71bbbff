/*
 * responder, slow clients: they hold up nobody but themselves, and there is always a thread that answers.
 */
#include "tests/integration/responder_rig.h"

#include "tests/support/wait_until.h"

#include <poll.h>
#include <stdio.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_slow, .init = responder_up, .fini = responder_down, .timeout = 120);

static const struct fcgi_request live = {.method = "GET", .uri = "/healthz"};

static bool has_answer(const struct fcgi_client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

Test(responder_slow, slow_clients_hold_up_nobody_but_themselves)
{
    enum { SLOW = 40 }; /* ten times the threads */
    static struct fcgi_client slow[SLOW];
    static const struct fcgi_request put = {
        .method = "PUT", .uri = "/v1/uploads/slow", .content_length = "10"};
    const struct fcgi_request quick = PUT("/v1/uploads/quick", "hello");

    for (int i = 0; i < SLOW; i++) {
        fcgi_client_open(&slow[i], rig.socket.path);
        fcgi_client_head(&slow[i], &put);
        fcgi_client_record(&slow[i], FCGI_STDIN, "slow ", 5);
    }
    for (int i = 0; i < 20; i++)
        cr_assert(eq(int, responder_status(&quick), 202));
    for (int i = 0; i < SLOW; i++)
        cr_assert(not(has_answer(&slow[i])),
                  "%d: it was given up, and only then others served", i);
    for (int i = 0; i < SLOW; i++) {
        fcgi_client_record(&slow[i], FCGI_STDIN, "snail", 5);
        fcgi_client_record(&slow[i], FCGI_STDIN, "", 0);
        struct fcgi_response r = fcgi_client_response(&slow[i], 5000);
        cr_expect(eq(int, r.status, 202), "%d: %s", i, r.text);
        fcgi_response_release(&r);
        fcgi_client_close(&slow[i]);
    }
}

Test(responder_slow,
     when_no_more_uploads_can_be_waited_for_they_are_refused_and_others_answered)
{
    enum { SLOW = 100, PLACES = 60 };
    static struct fcgi_client slow[SLOW];
    static const struct fcgi_request put = {
        .method = "PUT", .uri = "/v1/uploads/slow", .content_length = "10"};
    int refused = 0;

    for (int i = 0; i < SLOW; i++) {
        fcgi_client_open(&slow[i], rig.socket.path);
        fcgi_client_head(&slow[i], &put);
    }
    for (int i = 0; i < 20; i++)
        cr_assert(eq(int, responder_status(&live), 200));
    for (int i = 0; i < SLOW; i++) {
        if (has_answer(&slow[i])) {
            struct fcgi_response r = fcgi_client_response(&slow[i], 5000);
            cr_expect(eq(int, r.status, 503), "%s", r.text);
            refused++;
            fcgi_response_release(&r);
        }
        fcgi_client_close(&slow[i]);
    }
    cr_expect(eq(int, refused, SLOW - PLACES));
    const struct fcgi_request quick = PUT("/v1/uploads/quick", "hello");
    cr_expect(WAIT_UNTIL(responder_status(&quick) == 202, 10000));
}

Test(responder_slow, a_waiting_request_without_its_end_holds_up_no_other_one)
{
    const struct fcgi_request put = PUT("/v1/uploads/a?delay=3600", "hello");
    struct fcgi_client hanging;
    char uri[256];

    struct fcgi_response r = responder_ask(&put);
    cr_assert(eq(int, r.status, 202), "%s", r.text);
    (void)snprintf(uri, sizeof uri, "/v1/jobs/%s?wait=1", responder_id(&r));
    fcgi_response_release(&r);
    const struct fcgi_request wait = {.method = "GET", .uri = uri};
    fcgi_client_open(&hanging, rig.socket.path);
    fcgi_client_head(&hanging, &wait);
    cr_expect(eq(int, responder_status(&wait), 200));
    cr_expect(not(has_answer(&hanging)),
              "it was given up, and only then the other answered");
    fcgi_client_close(&hanging);
}
