/*
 * Idempotency-Key: many copies at once, and requests that bring no file.
 */
#include "tests/integration/responder_rig.h"

#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static void up_fetch(void)
{
    responder_up_with("[fetch]\nenabled = yes\n");
}

TestSuite(responder_idempotency_more, .init = up_fetch, .fini = responder_down,
          .timeout = 120);

#define KEY(text) "HTTP_IDEMPOTENCY_KEY=" text
#define URI "/v1/uploads/a?queue=media"

/* --- Many at once, through two responders --- */

enum { COPIES = 50 };

static void start_second(struct spawn *second, const char *socket)
{
    char listen[300];

    snprintf(listen, sizeof listen, "HOIST_HTTP_LISTEN=%s", socket);
    spawn_start(second, &(struct spawn_options){
                            .argv = (const char *[]){HOIST_FCGI_BIN, "--config",
                                                     rig.config.path, NULL},
                            .env = (const char *[]){listen, NULL},
                            .log_path = rig.log.path});
}

/* Of all copies one makes jobs; the others are told of these, or that it is under way. */
static void check_copies(struct fcgi_client clients[COPIES])
{
    char id[128] = "";
    int made = 0;

    for (int i = 0; i < COPIES; i++) {
        struct fcgi_response r = fcgi_client_response(&clients[i], 20000);
        cr_expect(r.status == 202 || (r.status == 409 && strstr(r.text, "Retry-After")),
                  "%s", r.text);
        if (r.status == 202 && !id[0])
            snprintf(id, sizeof id, "%s", responder_id(&r));
        if (r.status == 202)
            cr_expect(eq(str, (char *)responder_id(&r), id));
        made += r.status == 202 && !strstr(r.text, "Idempotent-Replayed");
        fcgi_response_release(&r);
        fcgi_client_close(&clients[i]);
    }
    cr_expect(eq(int, made, 1));
}

static void send_copies(struct fcgi_client clients[COPIES],
                        const struct fcgi_request *r, const char *second)
{
    for (int i = 0; i < COPIES; i++)
        fcgi_client_open(&clients[i], i % 2 ? rig.socket.path : second);
    for (int i = 0; i < COPIES; i++)
        fcgi_client_request(&clients[i], r);
}

#define JSON(target, text)                                                             \
    {                                                                                  \
        .method = "POST", .uri = (target), .type = "application/json", .body = (text), \
        .body_len = sizeof(text) - 1                                                   \
    }

Test(responder_idempotency_more, fifty_copies_through_two_responders_are_made_once)
{
    struct {
        struct fcgi_request request;
        const char *key;
        size_t files; /* in jobs/ */
    } rows[] = {
        {PUT(URI, "hello"), KEY("put"), 2},
        {FORM(FORM_FILE("a", "hello") FORM_FILE("b", "world") FORM_END), KEY("form"),
         4},
        {JSON("/v1/jobs", "{\"url\":\"https://files.example.com/a\"}"), KEY("url"), 1},
        {JSON("/v1/jobs/default.x/move", "{\"queue\":\"media\"}"), KEY("move"), 0},
    };
    struct fcgi_client clients[COPIES], probe;
    struct spawn second;
    char other[256], move[256];
    size_t files = 0;

    snprintf(other, sizeof other, "%s/g.sock", rig.dir.path);
    start_second(&second, other);
    cr_assert(WAIT_UNTIL(fcgi_client_try_open(&probe, other), 10000));
    fcgi_client_close(&probe);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].files == 0) { /* its own two, as those it is moved to */
            snprintf(move, sizeof move, "%s",
                     responder_job_uri(responder_upload("/v1/uploads/m"), "/move"));
            rows[i].request.uri = move;
            files += 2;
        }
        rows[i].request.param = rows[i].key;
        send_copies(clients, &rows[i].request, other);
        check_copies(clients);
        files += rows[i].files;
        cr_expect(eq(sz, responder_count("jobs"), files), "%s", rows[i].key);
    }
    cr_expect(spawn_stop(&second, 10000));
}

/* --- What has no body of its own --- */

static struct fcgi_response post(const char *uri, const char *json, const char *key)
{
    struct fcgi_request r = {.method = "POST",
                             .uri = uri,
                             .type = "application/json",
                             .body = json,
                             .body_len = strlen(json),
                             .param = key};
    return responder_ask(&r);
}

Test(responder_idempotency_more, a_batch_is_opened_once_and_again_where_redis_forgot_it)
{
    struct fcgi_response first = post("/v1/batches", "{\"queue\":\"media\"}", KEY("k"));

    cr_assert(eq(int, first.status, 201), "%s", first.text);
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    struct fcgi_response again = post("/v1/batches", "{\"queue\":\"media\"}", KEY("k"));
    responder_expect_replay(&first, &again);
    fcgi_response_release(&again);
    char *uri = strndup(strstr(first.body, "/v1/batches/"), 48);
    cr_expect(responder_says("GET", uri, NULL, 200, "\"open\":true"));
    again = post("/v1/batches", "{}", KEY("k"));
    cr_expect(eq(int, again.status, 422), "%s", again.text);
    fcgi_response_release(&again);
    struct fcgi_request put = PUT(URI, "hello");
    put.param = KEY("k");
    again = responder_ask(&put);
    cr_expect(eq(int, again.status, 422), "%s", again.text);
    fcgi_response_release(&again);
    fcgi_response_release(&first);
    free(uri);
}

Test(responder_idempotency_more, a_job_of_a_url_is_made_once)
{
    const char *json = "{\"url\":\"https://files.example.com/a\",\"priority\":1}";
    struct fcgi_response first = post("/v1/jobs", json, KEY("k"));

    cr_assert(eq(int, first.status, 202), "%s", first.text);
    struct fcgi_response again = post("/v1/jobs", json, KEY("k"));
    responder_expect_replay(&first, &again);
    fcgi_response_release(&again);
    again = post("/v1/jobs", "{\"url\":\"https://files.example.com/b\",\"priority\":1}",
                 KEY("k"));
    cr_expect(eq(int, again.status, 422), "%s", again.text);
    fcgi_response_release(&again);
    cr_expect(eq(sz, responder_count("jobs"), 1));
    fcgi_response_release(&first);
}

/* --- What every answer says of its request --- */

static struct fcgi_response ask(const char *method, const char *uri, const char *param)
{
    struct fcgi_request r = {.method = method, .uri = uri, .param = param};
    return responder_ask(&r);
}

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

Test(responder_idempotency_more, a_request_has_an_id_in_answer_problem_log_and_job)
{
    struct fcgi_request put = PUT(URI, "hello");
    put.param = "HTTP_X_REQUEST_ID=abc-1";
    struct fcgi_response r = responder_ask(&put);

    cr_expect(strstr(r.text, "\r\nX-Request-Id: abc-1\r\n") != NULL, "%s", r.text);
    cr_expect(
        WAIT_UNTIL(responder_field_is(responder_id(&r), "request_id", "abc-1"), 5000));
    fcgi_response_release(&r);
    put.param = "HTTP_TRACEPARENT=" PARENT;
    r = responder_ask(&put);
    cr_expect(
        WAIT_UNTIL(responder_field_is(responder_id(&r), "traceparent", PARENT), 5000));
    cr_expect(responder_field_is(responder_id(&r), "request_id", ""), "none was given");
    const char *batch = strstr(r.body, "\"batch\":\"") + 9;
    char made[64];
    snprintf(made, sizeof made, "\r\nX-Request-Id: %.36s\r\n", batch);
    cr_expect(strstr(r.text, made) != NULL, "%s", r.text);
    fcgi_response_release(&r);
    r = ask("GET", "/v1/nothing", "HTTP_X_REQUEST_ID=abc-2");
    cr_expect(strstr(r.body, "\"request_id\":\"abc-2\"") != NULL, "%s", r.text);
    fcgi_response_release(&r);
    r = ask("GET", "/v1/nothing", "HTTP_X_REQUEST_ID=a\"b");
    cr_expect(strstr(r.body, "\"request_id\":\"") && !strstr(r.text, "a\"b"), "%s",
              r.text);
    fcgi_response_release(&r);
}

Test(responder_idempotency_more, a_status_that_is_known_is_not_sent_again)
{
    const char *id = responder_upload(URI);
    char uri[256], param[128];

    snprintf(uri, sizeof uri, "%s", responder_job_uri(id, ""));
    struct fcgi_response r = ask("GET", uri, NULL);
    const char *etag = strstr(r.text, "\r\nETag: ");
    cr_assert(ne(ptr, (void *)etag, NULL), "%s", r.text);
    snprintf(param, sizeof param, "HTTP_IF_NONE_MATCH=%.18s", etag + 8);
    struct fcgi_response same = ask("GET", uri, param);
    cr_expect(eq(int, same.status, 304), "%s", same.text);
    cr_expect(eq(str, (char *)same.body, ""));
    fcgi_response_release(&same);
    struct fcgi_response other = ask("GET", uri, "HTTP_IF_NONE_MATCH=\"x\"");
    cr_expect(eq(int, other.status, 200));
    fcgi_response_release(&other);
    struct fcgi_response waited = ask("GET", uri, "HTTP_PREFER=wait=1");
    cr_expect(strstr(waited.text, "\r\nPreference-Applied: wait\r\n") != NULL, "%s",
              waited.text);
    fcgi_response_release(&waited);
    fcgi_response_release(&r);
}

Test(responder_idempotency_more, what_an_upload_prefers_and_what_it_may_not_say)
{
    static const struct {
        const char *param;
        int status;
    } rows[] = {{"HTTP_CONTENT_ENCODING=gzip", 415},
                {"HTTP_CONTENT_ENCODING=identity", 202},
                {"HTTP_RANGE=bytes=0-1", 400},
                {"HTTP_CONTENT_RANGE=bytes 0-1/2", 400}};
    struct fcgi_request put = PUT(URI, "hello");
    static char uri[17000] = "/v1/uploads/";

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put.param = rows[i].param;
        cr_expect(responder_status(&put) == rows[i].status, "%s", rows[i].param);
    }
    put.param = "HTTP_PREFER=return=minimal";
    struct fcgi_response r = responder_ask(&put);
    cr_expect(r.status == 202 && !*r.body &&
                  strstr(r.text, "\r\nLocation: /v1/jobs/") &&
                  strstr(r.text, "\r\nPreference-Applied: return=minimal\r\n"),
              "%s", r.text);
    fcgi_response_release(&r);
    memset(uri + strlen(uri), 'x', sizeof uri - 1 - strlen(uri));
    put = (struct fcgi_request){.method = "GET", .uri = uri};
    cr_expect(eq(int, responder_status(&put), 414));
}
