/*
 * The manners of HTTP: each path answers HEAD and OPTIONS and says what it allows, each refusal is a problem, and what is
 * known already is not sent again.
 */
#include "fcgi-app/fastcgi/handlers.h"
#include "fcgi-app/http/router.h"
#include "fcgi-app/web/assets.h"
#include "shared/cleanup.h"
#include "tests/integration/responder_rig.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_manners, .init = responder_up, .fini = responder_down,
          .timeout = 120);

static struct fcgi_response ask(const char *method, const char *uri)
{
    struct fcgi_request r = {.method = method, .uri = uri};
    return responder_ask(&r);
}

static bool has_header(const struct fcgi_response *r, const char *name)
{
    char line[80];
    const char *head_end = strstr(r->text, "\r\n\r\n");

    (void)snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strncmp(r->text, line + 2, strlen(line + 2)) == 0
                         ? r->text
                         : strstr(r->text, line);
    return at && at < head_end;
}

/* The value of a header that stands behind another one; a static buffer. */
static const char *header(const struct fcgi_response *r, const char *name)
{
    static char value[512];
    char line[80];

    (void)snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strstr(r->text, line);
    at = at ? at + strlen(line) : "";
    (void)snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

static bool is_problem(const struct fcgi_response *r)
{
    char status[32];

    (void)snprintf(status, sizeof status, "\"status\":%d", r->status);
    return strstr(r->text, "Content-Type: application/problem+json\r\n") &&
           strncmp(r->body, "{\"type\":\"urn:hoist:problem:", 26) == 0 &&
           strstr(r->body, status);
}

/* --- Every route --- */

/* The path of a route with something that is there in place of {}. */
static const char *path_of(const struct route *route, const char *job,
                           const char *batch)
{
    static char path[256];
    const char *hole = strstr(route->pattern, "{}");
    const char *what = strncmp(route->pattern, "v1/jobs", 7) == 0       ? job
                       : strncmp(route->pattern, "v1/batches", 10) == 0 ? batch
                       : strncmp(route->pattern, "ui/", 3) == 0 ? "dashboard.css"
                                                                : "default";

    if (!hole)
        (void)snprintf(path, sizeof path, "/%s", route->pattern);
    else
        (void)snprintf(path, sizeof path, "/%.*s%s%s", (int)(hole - route->pattern),
                       route->pattern, what, hole + 2);
    return path;
}

/* Of GET and HEAD: the same headers, in the same order. */
static void expect_same_head(const struct fcgi_response *get,
                             const struct fcgi_response *head)
{
    const char *a = get->text, *b = head->text;

    while (strncmp(a, "\r\n", 2) != 0 && strncmp(b, "\r\n", 2) != 0) {
        size_t len = strcspn(a, ":");
        cr_expect(len == strcspn(b, ":") && strncmp(a, b, len) == 0, "%s\n%s",
                  get->text, head->text);
        a = strstr(a, "\r\n") + 2;
        b = strstr(b, "\r\n") + 2;
    }
    cr_expect(strncmp(a, "\r\n", 2) == 0 && strncmp(b, "\r\n", 2) == 0, "%s\n%s",
              get->text, head->text);
}

static void expect_head(const char *path)
{
    struct fcgi_response get = ask("GET", path), head = ask("HEAD", path);

    cr_expect(eq(int, get.status, 200), "%s: %s", path, get.text);
    cr_expect(eq(int, head.status, 200), "%s: %s", path, head.text);
    cr_expect(strlen(get.body) > 0 && strlen(head.body) == 0, "%s", path);
    cr_expect(strcmp(header(&head, "Content-Length"), "0") != 0, "%s", path);
    expect_same_head(&get, &head);
    fcgi_response_release(&get);
    fcgi_response_release(&head);
}

static const char *method_name(enum request_method method)
{
    CLEANUP(buf_release) struct buf name = BUF_INIT(16);
    static char text[16];

    router_format_allowed((unsigned)method, &name);
    (void)snprintf(text, sizeof text, "%s", name.data);
    return text;
}

Test(responder_manners, every_route_has_its_head_and_says_what_it_allows)
{
    char job[128], batch[64];

    (void)snprintf(job, sizeof job, "%s", responder_upload("/v1/uploads/a"));
    struct fcgi_response made =
        responder_json("POST", "/v1/batches", "{\"queue\":\"default\"}");
    cr_assert(eq(int, made.status, 201), "%s", made.text);
    (void)snprintf(batch, sizeof batch, "%.36s",
                   strstr(made.body, "/v1/batches/") + 12);
    fcgi_response_release(&made);
    for (size_t i = 0; i < handlers_route_count; i++) {
        const struct route *route = &handlers_routes[i];
        const char *path = path_of(route, job, batch);
        if (route->method == METHOD_GET)
            expect_head(path);
        struct fcgi_response options = ask("OPTIONS", path), trace = ask("TRACE", path);
        cr_expect(eq(int, options.status, 204), "%s: %s", path, options.text);
        cr_expect(strstr(header(&options, "Allow"), method_name(route->method)) != NULL,
                  "%s: %s", path, options.text);
        cr_expect(strstr(header(&options, "Allow"), "OPTIONS") != NULL, "%s", path);
        cr_expect(eq(int, strstr(header(&options, "Allow"), "HEAD") != NULL,
                     strstr(header(&options, "Allow"), "GET") != NULL),
                  "%s", path);
        cr_expect(trace.status == 405 && is_problem(&trace), "%s: %s", path,
                  trace.text);
        char allow[512];
        (void)snprintf(allow, sizeof allow, "%s", header(&trace, "Allow"));
        cr_expect(eq(str, allow, (char *)header(&options, "Allow")), "%s", path);
        fcgi_response_release(&options);
        fcgi_response_release(&trace);
    }
}

/* --- Every refusal --- */

#define JSON "application/json"

static const struct {
    struct fcgi_request request;
    int status;
    const char *type;
} refusals[] = {
    {{.method = "GET", .uri = "/v1/jobs/%zz"}, 400, "bad-request"},
    {{.method = "PUT",
      .uri = "/v1/uploads/a",
      .body = "x",
      .body_len = 1,
      .param = "HTTP_IDEMPOTENCY_KEY=a",
      .param2 = "HTTP_IDEMPOTENCY_KEY=b"},
     400,
     "bad-request"},
    {{.method = "PUT", .uri = "/v1/uploads/a"}, 400, "empty"},
    {{.method = "PUT", .uri = "/v1/uploads/a?x=1", .body = "x", .body_len = 1},
     400,
     "bad-option"},
    {{.method = "GET", .uri = "/v1/queues", .remote_addr = "192.0.2.1"},
     403,
     "forbidden"},
    {{.method = "GET", .uri = "/v1/nothing"}, 404, "not-found"},
    {{.method = "GET", .uri = "/v1/jobs/default.x"}, 404, "no-such-job"},
    {{.method = "GET", .uri = "/v1/queues/none"}, 404, "no-such-queue"},
    {{.method = "GET", .uri = "/v1/batches/x"}, 404, "no-such-batch"},
    {{.method = "GET", .uri = "/v1/uploads"}, 405, "method-not-allowed"},
    {{.method = "PUT",
      .uri = "/v1/uploads/a?queue=media",
      .body = "x",
      .body_len = 1,
      .content_length = "200000"},
     413,
     "too-large"},
    {{.method = "POST",
      .uri = "/v1/jobs",
      .type = "text/plain",
      .body = "{}",
      .body_len = 2},
     415,
     "unsupported-media-type"},
    {{.method = "POST",
      .uri = "/v1/queues/default/purge",
      .type = JSON,
      .body = "{}",
      .body_len = 2},
     422,
     "bad-value"},
};

Test(responder_manners, every_refusal_is_a_problem)
{
    char type[96];

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct fcgi_response r = responder_ask(&refusals[i].request);
        (void)snprintf(type, sizeof type, "\"urn:hoist:problem:%s\"", refusals[i].type);
        cr_expect(
            r.status == refusals[i].status && is_problem(&r) && strstr(r.body, type) &&
                has_header(&r, "X-Request-Id") && !has_header(&r, "Retry-After"),
            "%s %s: %s", refusals[i].request.method, refusals[i].request.uri, r.text);
        fcgi_response_release(&r);
    }
    redis_fixture_stop(&rig.redis);
    struct fcgi_response r = ask("GET", "/v1/queues");
    cr_expect(r.status == 503 && is_problem(&r) &&
                  strspn(header(&r, "Retry-After"), "123456789") == 1,
              "%s", r.text);
    fcgi_response_release(&r);
}

/* --- What is known, and where it belongs --- */

Test(responder_manners, queues_that_have_not_changed_are_not_sent_again)
{
    static const char *const paths[] = {"/v1/queues", "/v1/queues/default"};

    for (size_t i = 0; i < 2; i++) {
        char param[128];
        struct fcgi_response r = ask("GET", paths[i]);
        (void)snprintf(param, sizeof param, "HTTP_IF_NONE_MATCH=W/\"x\", %s",
                       header(&r, "ETag"));
        cr_expect(eq(int, r.status, 200));
        fcgi_response_release(&r);
        struct fcgi_request again = {.method = "GET", .uri = paths[i], .param = param};
        r = responder_ask(&again);
        cr_expect(r.status == 304 && !*r.body && has_header(&r, "ETag"), "%s", r.text);
        fcgi_response_release(&r);
    }
    struct fcgi_response before = ask("GET", paths[1]);
    char etag[128];
    (void)snprintf(etag, sizeof etag, "%s", header(&before, "ETag"));
    fcgi_response_release(&before);
    (void)responder_upload("/v1/uploads/a");
    struct fcgi_response after = ask("GET", paths[1]);
    cr_expect(ne(str, etag, (char *)header(&after, "ETag")), "%s", after.text);
    fcgi_response_release(&after);
}

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

Test(responder_manners, a_job_keeps_the_tracestate_of_a_traceparent)
{
    static const struct {
        const char *parent, *state, *want;
    } rows[] = {
        {"HTTP_TRACEPARENT=" PARENT, "HTTP_TRACESTATE=a=1,b@c=2", "a=1,b@c=2"},
        {"HTTP_TRACEPARENT=" PARENT, "HTTP_TRACESTATE=A=1", ""},
        {"HTTP_TRACEPARENT=00-x", "HTTP_TRACESTATE=a=1", ""},
        {NULL, "HTTP_TRACESTATE=a=1", ""},
    };
    struct fcgi_request put = PUT("/v1/uploads/a", "hello");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put.param = rows[i].parent;
        put.param2 = rows[i].state;
        struct fcgi_response r = responder_ask(&put);
        char id[128];
        (void)snprintf(id, sizeof id, "%s", responder_id(&r));
        cr_expect(WAIT_UNTIL(responder_field_is(id, "state", "waiting"), 5000));
        cr_expect(responder_field_is(id, "tracestate", rows[i].want), "%zu", i);
        fcgi_response_release(&r);
    }
}
