/*
 * responder, bad input: each is refused with its status and problem type, and leaves nothing in the spool or in Redis.
 */
#include "tests/integration/responder_rig.h"

#include "tests/support/wait_until.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_bad, .init = responder_up, .fini = responder_down, .timeout = 120);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define TEN(s) s s s s s s s s s s

static const struct {
    const char *label;
    struct fcgi_request request;
    int status;
    const char *type; /* of the problem */
} rows[] = {
    {"empty raw body", PUT("/v1/uploads/a", ""), 400, "empty"},
    {"form without a file", FORM(FORM_FIELD("queue", "media") FORM_END), 400, "empty"},
    {"form without anything", FORM(FORM_END), 400, "empty"},
    {"empty form body", FORM(""), 400, "bad-form"},
    {"file input left empty", FORM(FORM_FILE("", "") FORM_END), 400, "empty"},
    {"no boundary",
     {.method = "POST",
      .uri = "/v1/uploads",
      .type = "multipart/form-data",
      .body = "x",
      .body_len = 1},
     400,
     "bad-form"},
    {"another boundary",
     {.method = "POST",
      .uri = "/v1/uploads",
      .type = "multipart/form-data; boundary=C",
      .body = FORM_FILE("a", "x") FORM_END,
      .body_len = sizeof(FORM_FILE("a", "x") FORM_END) - 1},
     400,
     "bad-form"},
    {"final boundary missing", FORM(FORM_FILE("a", "x")), 400, "bad-form"},
    {"an option behind the last file",
     FORM(FORM_FILE("a", "x") FORM_FIELD("priority", "1") FORM_END), 400, "bad-option"},
    {"an option behind the last file, and before it",
     FORM(FORM_FIELD("priority", "1") FORM_FILE("a", "x") FORM_FIELD("meta.a", "1")
              FORM_END),
     400, "bad-option"},
    {"second file broken", FORM(FORM_FILE("a", "x") "--B\r\nX\r\n\r\ny\r\n" FORM_END),
     400, "bad-form"},
    {"LF line ends",
     FORM("--B\nContent-Disposition: form-data; name=a; filename=b\n\nx\n--B--\n"), 400,
     "bad-form"},
    {"too many parts",
     FORM(FORM_FILE("a", "1") FORM_FILE("b", "2") FORM_FILE("c", "3")
              FORM_FILE("d", "4") FORM_FILE("e", "5") FORM_END),
     413, "too-large"},
    {"part headers too long", FORM("--B\r\nX: " TEN(TEN("0123456789")) "\r\n" FORM_END),
     413, "too-large"},
    {"field too long", FORM(FORM_FIELD("meta.a", TEN(TEN("0123456789"))) FORM_END), 413,
     "too-large"},
    {"unknown field", FORM(FORM_FIELD("submit", "Send") FORM_FILE("a", "x") FORM_END),
     400, "bad-option"},
    {"field after the file is wrong",
     FORM(FORM_FILE("a", "x") FORM_FIELD("queue", "nope") FORM_END), 422,
     "unknown-queue"},
    {"unknown option", PUT("/v1/uploads/a?quee=x", "x"), 400, "bad-option"},
    {"unknown queue", PUT("/v1/uploads/a?queue=nope", "x"), 422, "unknown-queue"},
    {"unknown destination", PUT("/v1/uploads/a?to=nope", "x"), 422,
     "unknown-destination"},
    {"callback", PUT("/v1/uploads/a?callback=x", "x"), 422, "callback-refused"},
    {"no converter", PUT("/v1/uploads/a?convert=x", "x"), 422, "unknown-converter"},
    {"key that leaves the prefix", PUT("/v1/uploads/a?key=../x", "x"), 400,
     "bad-option"},
    {"one key for two files",
     FORM(FORM_FIELD("key", "k") FORM_FILE("a", "x") FORM_FILE("b", "y") FORM_END), 400,
     "bad-option"},
    {"NUL in the name", PUT("/v1/uploads/a%00b", "x"), 400, "bad-request"},
    {"bad escape in the name", PUT("/v1/uploads/a%zz", "x"), 400, "bad-request"},
    {"no name in the path", PUT("/v1/uploads/", "x"), 404, "not-found"},
    {"unknown path", {.method = "GET", .uri = "/v2/uploads"}, 404, "not-found"},
    {"unknown method",
     {.method = "TRACE", .uri = "/v1/uploads"},
     405,
     "method-not-allowed"},
    {"wrong method",
     {.method = "GET", .uri = "/v1/uploads"},
     405,
     "method-not-allowed"},
    {"no method", {.uri = "/v1/uploads"}, 400, "bad-request"},
    {"path that is none", {.method = "GET", .uri = "*"}, 400, "bad-request"},
    {"Content-Length of words",
     {.method = "PUT",
      .uri = "/v1/uploads/a",
      .body = "x",
      .body_len = 1,
      .content_length = "one"},
     400,
     "bad-request"},
    {"negative Content-Length",
     {.method = "PUT",
      .uri = "/v1/uploads/a",
      .body = "x",
      .body_len = 1,
      .content_length = "-5"},
     400,
     "bad-request"},
    {"Content-Length twice",
     {.method = "PUT",
      .uri = "/v1/uploads/a",
      .body = "x",
      .body_len = 1,
      .param = "CONTENT_LENGTH=9"},
     400,
     "bad-request"},
    {"body shorter than said",
     {.method = "PUT",
      .uri = "/v1/uploads/a",
      .body = "hello",
      .body_len = 5,
      .content_length = "6"},
     400,
     "incomplete"},
    {"body longer than said",
     {.method = "PUT",
      .uri = "/v1/uploads/a",
      .body = "hello",
      .body_len = 5,
      .content_length = "4"},
     400,
     "incomplete"},
    {"form shorter than said",
     {.method = "POST",
      .uri = "/v1/uploads",
      .type = FORM_TYPE,
      .body = FORM_FILE("a", "x") FORM_END,
      .body_len = sizeof(FORM_FILE("a", "x") FORM_END) - 1,
      .content_length = "999"},
     400,
     "incomplete"},
    {"a part of a file",
     {.method = "PUT",
      .uri = "/v1/uploads/a",
      .body = "x",
      .body_len = 1,
      .param = "HTTP_CONTENT_RANGE=bytes 0-0/2"},
     400,
     "bad-request"},
    {"announced too large",
     {.method = "PUT",
      .uri = "/v1/uploads/a?queue=media",
      .body = "x",
      .body_len = 1,
      .content_length = "100001",
      .open_ended = true},
     413,
     "too-large"},
};

/* Nothing is left, on disk or in Redis. */
static void check_nothing_left(const char *label)
{
    cr_expect(WAIT_UNTIL(responder_count("tmp") == 0, 2000), "%s: tmp", label);
    cr_expect(eq(sz, responder_count("jobs"), 0), "%s: jobs", label);
    cr_expect(eq(i64,
                 redis_fixture_ask_int(&rig.redis, "EXISTS", "hoist:{default}:seq",
                                       "hoist:{media}:seq", NULL),
                 0),
              "%s: redis", label);
}

Test(responder_bad, is_refused_by_name_and_leaves_nothing)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fcgi_response r = responder_ask(&rows[i].request);
        char type[64];
        (void)snprintf(type, sizeof type, "\"type\":\"urn:hoist:problem:%s\"",
                       rows[i].type);
        cr_expect(eq(int, r.status, rows[i].status), "%s: %s", rows[i].label, r.text);
        cr_expect(strstr(r.body, type) != NULL, "%s: %s", rows[i].label, r.body);
        cr_expect(r.ended, "%s", rows[i].label);
        fcgi_response_release(&r);
        check_nothing_left(rows[i].label);
    }
}

/* PUT or form of 100,001 bytes where 100,000 are allowed, without a length. */
Test(responder_bad, a_file_over_the_limit_is_refused_while_it_comes)
{
    static char body[200000];
    struct fcgi_request put = {.method = "PUT",
                               .uri = "/v1/uploads/a?queue=media",
                               .body = body,
                               .body_len = 100001,
                               .content_length = ""};
    struct fcgi_request post = {.method = "POST",
                                .uri = "/v1/uploads?queue=media",
                                .type = FORM_TYPE,
                                .body = body,
                                .body_len = sizeof body};

    memset(body, 'x', sizeof body);
    cr_expect(eq(int, responder_status(&put), 413));
    memcpy(body, FORM_FILE("a", ""), sizeof(FORM_FILE("a", "")) - 3);
    cr_expect(eq(int, responder_status(&post), 413));
    check_nothing_left("too large");
    put.body_len = 100000;
    cr_expect(eq(int, responder_status(&put), 202), "exactly the limit is allowed");
}

/* The client goes away in the middle: abort, close, or silence until the time-out. */
Test(responder_bad, a_client_that_leaves_half_way_leaves_nothing)
{
    static char body[80000];
    struct fcgi_request put = {
        .method = "PUT", .uri = "/v1/uploads/a", .content_length = "90000"};

    memset(body, 'x', sizeof body);
    for (int way = 0; way < 6; way++) {
        put.content_length =
            way < 3 ? "90000" : ""; /* without one, only the empty record tells */
        struct fcgi_client c;
        fcgi_client_open(&c, rig.socket.path);
        fcgi_client_head(&c, &put);
        fcgi_client_body(&c, body, sizeof body);
        cr_assert(WAIT_UNTIL(responder_count("tmp") == 1, 5000), "it is being written");
        if (way % 3 == 0)
            fcgi_client_record(&c, FCGI_ABORT, NULL, 0);
        if (way % 3 == 1)
            fcgi_client_close(&c);
        cr_expect(WAIT_UNTIL(responder_count("tmp") == 0, 6000), "way %d", way);
        fcgi_client_close(&c);
        check_nothing_left("gone");
    }
}

Test(responder_bad, a_spool_that_cannot_be_written_is_503_and_not_ready)
{
    static char
        body[70000]; /* more than stands in one file, which would need jobs/ alone */
    struct fcgi_request put = {
        .method = "PUT", .uri = "/v1/uploads/a", .body = body, .body_len = sizeof body};
    struct fcgi_request ready = {.method = "GET", .uri = "/readyz"};
    struct tmpdir_file tmp = tmpdir_file(&rig.dir, "spool/tmp");

    cr_assert(rmdir(tmp.path) == 0);
    struct fcgi_response r = responder_ask(&put);
    cr_expect(r.status == 503 || r.status == 500, "%s", r.text);
    cr_expect(strstr(r.body, rig.dir.path) == NULL, "no detail of the file system: %s",
              r.body);
    fcgi_response_release(&r);
    cr_expect(eq(int, responder_status(&ready), 503));
}
