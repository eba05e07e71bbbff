/*
 * responder, connections: kept, idle, half-open, hostile; and what is left of a body never becomes a request.
 */
#include "tests/integration/responder_rig.h"

#include <string.h>
#include <sys/socket.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_gate, .init = responder_up, .fini = responder_down, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct fcgi_request live = {
    .method = "GET", .uri = "/healthz", .keep = true};

Test(responder_gate, a_kept_connection_serves_request_after_request)
{
    struct fcgi_client c;
    struct fcgi_request put = PUT("/v1/uploads/a", "hello");

    put.keep = true;
    fcgi_client_open(&c, rig.socket.path);
    for (int i = 0; i < 20; i++) {
        fcgi_client_request(&c, i % 2 ? &put : &live);
        struct fcgi_response r = fcgi_client_response(&c, 5000);
        cr_assert(eq(int, r.status, i % 2 ? 202 : 200), "%d: %s", i, r.text);
        cr_assert(r.ended);
        fcgi_response_release(&r);
    }
    fcgi_client_close(&c);
}

Test(responder_gate, a_connection_that_is_not_to_be_kept_is_closed)
{
    struct fcgi_client c;
    struct fcgi_request once = live;

    once.keep = false;
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_request(&c, &once);
    struct fcgi_response r = fcgi_client_response(&c, 5000);
    cr_expect(eq(int, r.status, 200));
    cr_expect(fcgi_client_is_closed(&c, 5000));
    fcgi_response_release(&r);
    fcgi_client_close(&c);
}

#define SMUGGLED                                                                       \
    "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"                                                \
    "\1\4\0\1\0\63\0\0\16\6REQUEST_METHODDELETE\13\20REQUEST_URI/v1/jobs/smuggle"      \
    "\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0"

/* An upload that is refused before it is read, full of requests that begin `shift` bytes later. */
static void check_smuggling(size_t shift)
{
    static char body[70000];
    struct fcgi_client c;
    struct fcgi_request put = {.method = "PUT",
                               .uri = "/v1/uploads/a?queue=media",
                               .keep = true,
                               .content_length = "2000000"};

    memset(body, 'x', sizeof body);
    for (size_t at = shift; at + sizeof SMUGGLED <= sizeof body;
         at += sizeof SMUGGLED - 1)
        memcpy(body + at, SMUGGLED, sizeof SMUGGLED - 1);
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &put);
    for (size_t at = 0; at < sizeof body; at += 35000)
        fcgi_client_record(&c, FCGI_STDIN, body + at, 35000);
    struct fcgi_response r = fcgi_client_response(&c, 5000);
    cr_assert(eq(int, r.status, 413), "%s", r.text);
    fcgi_response_release(&r);
    /* The rest is taken, so that no EPIPE hides the answer, but it is nobody's request. */
    fcgi_client_body(&c, body, sizeof body);
    fcgi_client_record(&c, FCGI_STDIN, NULL, 0);
    fcgi_client_request(&c, &live);
    (void)shutdown(c.fd, SHUT_WR);
    r = fcgi_client_response(&c, 5000);
    cr_assert(eq(sz, r.len, 0), "shift %zu, answered: %s", shift, r.text);
    cr_assert(not(r.ended));
    cr_assert(r.closed);
    fcgi_response_release(&r);
    fcgi_client_close(&c);
}

/* Where libfcgi stopped reading is not known here: every alignment is tried, one of them is the attacker's. */
Test(responder_gate, what_is_unread_of_a_body_is_never_a_request)
{
    for (size_t shift = 0; shift < sizeof SMUGGLED - 1; shift++)
        check_smuggling(shift);
}

/* Like the above, for refusals of every other kind: small bodies are read, and then the connection goes on. */
Test(responder_gate, a_small_body_of_a_refused_request_is_read_and_the_connection_kept)
{
    struct fcgi_client c;
    struct fcgi_request put = PUT("/v1/uploads/a?queue=nope", "hello");

    put.keep = true;
    fcgi_client_open(&c, rig.socket.path);
    for (int i = 0; i < 4; i++) {
        fcgi_client_request(&c, i % 2 ? &live : &put);
        struct fcgi_response r = fcgi_client_response(&c, 5000);
        cr_assert(eq(int, r.status, i % 2 ? 200 : 422), "%d: %s", i, r.text);
        fcgi_response_release(&r);
    }
    fcgi_client_close(&c);
}

Test(responder_gate, idle_connections_cost_no_thread)
{
    static struct fcgi_client idle[256];

    for (size_t i = 0; i < COUNT(idle); i++) {
        fcgi_client_open(&idle[i], rig.socket.path);
        if (i % 2) {
            fcgi_client_request(&idle[i], &live);
            struct fcgi_response r = fcgi_client_response(&idle[i], 5000);
            cr_assert(eq(int, r.status, 200));
            fcgi_response_release(&r);
        }
    }
    cr_expect(eq(int, responder_status(&live), 200));
    for (size_t i = 0; i < COUNT(idle); i++)
        fcgi_client_close(&idle[i]);
}

Test(responder_gate, half_a_head_costs_no_thread_and_is_closed_in_time)
{
    struct fcgi_client half[16];
    static const unsigned char begin[8] = {0, 1, 1};

    for (size_t i = 0; i < COUNT(half); i++) {
        fcgi_client_open(&half[i], rig.socket.path);
        fcgi_client_record(&half[i], FCGI_BEGIN, begin, sizeof begin);
        fcgi_client_raw(&half[i], "\1\4\0\1\0\4\0", 7);
    }
    cr_expect(eq(int, responder_status(&live), 200));
    for (size_t i = 0; i < COUNT(half); i++) {
        cr_expect(fcgi_client_is_closed(&half[i], 6000), "%zu", i);
        fcgi_client_close(&half[i]);
    }
}

Test(responder_gate, a_head_in_many_small_pieces_is_a_head)
{
    static const unsigned char head[] =
        "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
        "\1\4\0\1\0\50\0\0\16\3REQUEST_METHODGET\13\10REQUEST_URI/healthz"
        "\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0";
    struct fcgi_client c;

    fcgi_client_open(&c, rig.socket.path);
    for (size_t i = 0; i < sizeof head - 1; i += 2)
        fcgi_client_raw(&c, head + i, 2);
    struct fcgi_response r = fcgi_client_response(&c, 5000);
    cr_expect(eq(int, r.status, 200), "%s", r.text);
    fcgi_response_release(&r);
    fcgi_client_close(&c);
}

#define BEGIN "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
#define RAW(s)                                                                         \
    {                                                                                  \
        s, sizeof(s) - 1                                                               \
    }

static const struct {
    const char *s;
    size_t len;
} hostile[] = {
    RAW("GET / HTTP/1.1\r\n\r\n"),
    RAW("\2\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"),
    RAW("\1\1\0\0\0\10\0\0\0\1\1\0\0\0\0\0"),
    RAW("\1\1\0\1\0\10\0\0\0\2\1\0\0\0\0\0"),
    RAW("\1\11\0\0\0\20\0\0\16\0FCGI_MAX_CONNS"),
    RAW(BEGIN "\1\11\0\0\0\20\0\0\16\0FCGI_MAX_CONNS"),
    RAW(BEGIN BEGIN),
    RAW(BEGIN "\1\5\0\1\0\1\0\0x"),
    RAW(BEGIN "\1\4\0\1\0\0\1\0x"),
    RAW(BEGIN "\1\4\0\1\0\4\0\0\1\1A\0"),
};

Test(responder_gate, what_is_not_a_request_is_closed_and_hurts_nobody)
{
    for (size_t i = 0; i < COUNT(hostile); i++) {
        struct fcgi_client c;
        fcgi_client_open(&c, rig.socket.path);
        fcgi_client_raw(&c, hostile[i].s, hostile[i].len);
        cr_expect(fcgi_client_is_closed(&c, 1500), "row %zu", i);
        fcgi_client_close(&c);
        cr_expect(eq(int, responder_status(&live), 200), "row %zu", i);
    }
}

Test(responder_gate, a_head_over_the_limits_is_431)
{
    static char value[100000] = "HTTP_X=";
    struct fcgi_client c;
    struct fcgi_request big = live;

    memset(value + 7, 'x', sizeof value - 8);
    big.param = value;
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_request(&c, &big);
    struct fcgi_response r = fcgi_client_response(&c, 5000);
    cr_expect(eq(int, r.status, 431), "%s", r.text);
    cr_expect(r.ended);
    fcgi_response_release(&r);
    fcgi_client_raw(&c, "\1\1\0\1\0\10\0\0", 8);
    cr_expect(fcgi_client_is_closed(&c, 5000));
    fcgi_client_close(&c);
}
