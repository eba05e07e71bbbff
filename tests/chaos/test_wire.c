#include "tests/chaos/wire.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(wire, .timeout = 60);

#define HEAD(rest) "HTTP/1.1 202 Accepted\r\n" rest "\r\n"

static const struct {
    const char *label, *text;
    bool ended;
    enum wire_result want;
    int status;
    size_t body_len;
    bool close;
} answers[] = {
    {"nothing", "", false, WIRE_BROKEN, 0, 0, false},
    {"half a version", "HTT", false, WIRE_BROKEN, 0, 0, false},
    {"half a head", "HTTP/1.1 202 Accepted\r\nA: b\r\n", false, WIRE_BROKEN, 0, 0,
     false},
    {"length", HEAD("Content-Length: 3\r\n") "abcdef", false, WIRE_OK, 202, 3, false},
    {"half a body", HEAD("content-length:3\r\n") "ab", true, WIRE_BROKEN, 0, 0, false},
    {"close", HEAD("Connection: close\r\nContent-Length: 0\r\n"), false, WIRE_OK, 202,
     0, true},
    {"to the end", HEAD("") "abc", true, WIRE_OK, 202, 3, true},
    {"not yet the end", HEAD("") "abc", false, WIRE_BROKEN, 0, 0, false},
    {"chunked", HEAD("Transfer-Encoding: chunked\r\n") "3\r\nabc\r\n0\r\n\r\nxx", false,
     WIRE_OK, 202, 13, false},
    {"half chunked", HEAD("Transfer-Encoding: chunked\r\n") "3\r\nabc\r\n0\r\n", false,
     WIRE_BROKEN, 0, 0, false},
    {"bad chunk", HEAD("Transfer-Encoding: chunked\r\n") "z\r\nabc\r\n", false,
     WIRE_BAD, 0, 0, false},
    {"bad length", HEAD("Content-Length: -3\r\n"), false, WIRE_BAD, 0, 0, false},
    {"no status", "HTTP/1.1 2x2 A\r\n\r\n", false, WIRE_BAD, 0, 0, false},
    {"other protocol", "SSH-2.0-x\r\n", false, WIRE_BAD, 0, 0, false},
    {"continue", "HTTP/1.1 100 Continue\r\n\r\n", false, WIRE_OK, 100, 0, false},
    {"no content", "HTTP/1.1 204 No Content\r\n\r\n", false, WIRE_OK, 204, 0, false},
};

Test(wire, an_answer_is_whole_or_not)
{
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct wire_answer a = {0};
        const char *label = answers[i].label;
        enum wire_result got = wire_parse_answer(
            answers[i].text, strlen(answers[i].text), answers[i].ended, &a);
        cr_expect(eq(int, (int)got, (int)answers[i].want), "%s", label);
        cr_expect(eq(int, a.status, answers[i].status), "%s", label);
        cr_expect(eq(sz, a.body_len, answers[i].body_len), "%s", label);
        cr_expect(a.close == answers[i].close, "%s", label);
    }
}

Test(wire, jobs_are_read_in_their_order)
{
    const char *at =
        "{\"batch\":\"x\",\"jobs\":["
        "{\"id\":\"q.0193c0de-7a1b-7c3d-9e4f-0123456789ab\",\"size\":7,\"sha256\":"
        "\"aa\"},"
        "{\"id\":\"q.0193c0de-7a1b-7c3d-9e4f-0123456789ac\",\"sha256\":\"bb\"}]}";
    struct wire_job job;

    cr_assert(wire_next_job(&at, &job));
    cr_expect(eq(str, job.id, "q.0193c0de-7a1b-7c3d-9e4f-0123456789ab"));
    cr_expect(eq(i64, job.size, 7));
    cr_expect(eq(str, job.sha256, "aa"));
    cr_assert(wire_next_job(&at, &job));
    cr_expect(eq(str, job.id, "q.0193c0de-7a1b-7c3d-9e4f-0123456789ac"));
    cr_expect(eq(i64, job.size, -1));
    cr_expect(eq(str, job.sha256, "bb"));
    cr_expect(not(wire_next_job(&at, &job)));
    at = "{\"id\":\"no id\"}";
    cr_expect(not(wire_next_job(&at, &job)));
}

Test(wire, addresses)
{
    struct wire_address a;

    cr_expect(wire_parse_address("127.0.0.1:80", &a));
    cr_expect(wire_parse_address("unix:/a/b", &a));
    cr_expect(not(wire_parse_address("127.0.0.1", &a)));
    cr_expect(not(wire_parse_address("127.0.0.1:", &a)));
    cr_expect(not(wire_parse_address("127.0.0.1:70000", &a)));
    cr_expect(not(wire_parse_address("localhost:80", &a)));
    cr_expect(not(wire_parse_address("unix:", &a)));
    cr_expect(not(wire_parse_address("", &a)));
}
