/*
 * POST /v1/jobs: jobs whose bytes are at a URL or come from a command; who may ask for them, and that they are promises.
 */
#include "tests/integration/responder_rig.h"

#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void up(void)
{
    responder_up_with("[fetch]\nenabled = yes\nallow = 127.0.0.1:8123\n"
                      "deny = *.denied.example\n"
                      "[command dump]\nrun = true\nhttp = yes\ntype = text/plain\n"
                      "[command secret]\nrun = true\n");
}

static void up_without(void)
{
    responder_up_with("[command secret]\nrun = true\n");
}

TestSuite(responder_create, .init = up, .fini = responder_down, .timeout = 120);
TestSuite(responder_create_off, .init = up_without, .fini = responder_down,
          .timeout = 120);

/* Its id, in a buffer of its own. */
static char *create(const char *json)
{
    struct fcgi_response r = responder_json("POST", "/v1/jobs", json);
    char *id = NULL;

    cr_expect(r.status == 202, "%s: %d %s", json, r.status, r.text);
    if (r.status == 202)
        id = strdup(responder_id(&r));
    fcgi_response_release(&r);
    cr_assert(ne(ptr, id, NULL));
    return id;
}

static void expect_field(const char *id, const char *name, const char *want)
{
    cr_expect(WAIT_UNTIL(responder_field_is(id, name, want), 5000), "%s is not %s",
              name, want);
}

Test(responder_create, a_url_becomes_a_job_with_its_options)
{
    char *id = create("{\"url\":\"https://files.example.com/a/b%20c.PDF?sig=s3cret\","
                      "\"queue\":\"media\",\"priority\":2,\"delay\":\"60\","
                      "\"meta.who\":\"me\",\"group\":\"g\",\"key\":null}");

    expect_field(id, "source", "url");
    expect_field(id, "source_url", "https://files.example.com/a/b%20c.PDF?sig=s3cret");
    expect_field(id, "name", "b c.PDF");
    expect_field(id, "priority", "2");
    expect_field(id, "state", "scheduled");
    expect_field(id, "meta.who", "me");
    expect_field(id, "group", "g");
    expect_field(id, "bytes", "");
    expect_field(id, "sha256", "");
    cr_expect(strncmp(id, "media.", 6) == 0);
    cr_expect(eq(sz, responder_count("jobs"), 1), "a manifest alone");
    cr_expect(eq(sz, responder_count("tmp"), 0));
    free(id);
}

Test(responder_create, the_answer_has_the_shape_of_an_uploads)
{
    struct fcgi_response r = responder_json(
        "POST", "/v1/jobs", "{\"url\":\"http://a.example/x\",\"name\":\"n.txt\"}");
    char location[128];

    cr_assert(eq(int, r.status, 202));
    (void)snprintf(location, sizeof location, "\r\nLocation: /v1/jobs/%s\r\n",
                   responder_id(&r));
    cr_expect(strstr(r.text, location) != NULL, "%s", r.text);
    cr_expect(strstr(r.text,
                     "\"name\":\"n.txt\",\"state\":\"waiting\",\"url\":\"/v1/") != NULL,
              "%s", r.text);
    cr_expect(strstr(r.text, "\"durable\":") != NULL, "%s", r.text);
    fcgi_response_release(&r);
}

Test(responder_create, its_status_shows_the_address_without_the_query)
{
    char *id = create("{\"url\":\"https://a.example/x?sig=s3cret#y\"}");
    struct fcgi_request get = responder_get(responder_job_uri(id, ""));

    for (int i = 0; i < 2; i++) { /* from Redis, and from the manifest */
        struct fcgi_response r = responder_ask(&get);
        cr_expect(eq(int, r.status, 200));
        cr_expect(strstr(r.text, "\"source_url\":\"https://a.example/x\"") != NULL,
                  "%s", r.text);
        cr_expect(strstr(r.text, "s3cret") == NULL, "%s", r.text);
        fcgi_response_release(&r);
        redis_fixture_kill(&rig.redis);
    }
    free(id);
}

Test(responder_create, a_command_that_may_be_asked_for_becomes_a_job)
{
    char *id = create("{\"command\":\"dump\"}");
    char *other =
        create("{\"command\":\"dump\",\"type\":\"text/csv\",\"name\":\"d.csv\"}");

    expect_field(id, "source", "command:dump");
    expect_field(id, "type", "text/plain");
    expect_field(id, "name", "dump");
    expect_field(id, "schedule", "");
    expect_field(other, "type", "text/csv");
    expect_field(other, "name", "d.csv");
    free(id);
    free(other);
}

Test(responder_create, it_is_a_promise_while_redis_is_away_and_after_it_forgot)
{
    redis_fixture_kill(&rig.redis);
    char *id = create("{\"url\":\"https://a.example/x\"}");
    cr_expect(eq(sz, responder_count("jobs"), 1));
    redis_fixture_restart(&rig.redis);
    expect_field(id, "source_url", "https://a.example/x");
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    struct fcgi_request get = responder_get(responder_job_uri(id, ""));
    struct fcgi_response r = responder_ask(&get);
    cr_expect(r.status == 200 && strstr(r.text, "\"accepted\"") != NULL, "%d %s",
              r.status, r.text);
    fcgi_response_release(&r);
    free(id);
}

Test(responder_create, it_can_be_cancelled_and_moved_like_any_other)
{
    char *id = create("{\"url\":\"https://a.example/x\"}"), uri[128];

    expect_field(id, "state", "waiting");
    (void)snprintf(uri, sizeof uri, "/v1/jobs/%s/move", id);
    struct fcgi_response r = responder_json("POST", uri, "{\"queue\":\"media\"}");
    cr_expect(r.status == 202, "%d %s", r.status, r.text);
    char *moved = strdup(responder_id(&r));
    fcgi_response_release(&r);
    cr_expect(strncmp(moved, "media.", 6) == 0);
    expect_field(moved, "source_url", "https://a.example/x");
    cr_expect(eq(sz, responder_count("jobs"), 1), "the old manifest is gone");
    (void)snprintf(uri, sizeof uri, "/v1/jobs/%s", moved);
    cr_expect(responder_says("DELETE", uri, NULL, 200, ""));
    cr_expect(eq(sz, responder_count("jobs"), 0));
    free(id);
    free(moved);
}

static const struct {
    const char *json;
    int status;
    const char *part;
} refused[] = {
    {"{}", 422, "one of url and command"},
    {"", 422, "one of url and command"},
    {"{\"url\":\"http://a/\",\"command\":\"dump\"}", 422, "one of url and command"},
    {"{\"url\":null}", 422, "one of url and command"},
    {"{\"url\":7}", 422, "url: a text is wanted"},
    {"{\"url\":\"ftp://a/\"}", 422, "bad-value"},
    {"{\"url\":\"file:///etc/passwd\"}", 422, "bad-value"},
    {"{\"url\":\"http://u:p@a/\"}", 422, "user or password"},
    {"{\"url\":\"http://a/ b\"}", 422, "bad-value"},
    {"{\"url\":\"http://2130706433/\"}", 422, "IPv4"},
    {"{\"url\":\"http://127.0.0.1/\"}", 422, "source-refused"},
    {"{\"url\":\"http://127.0.0.1:8124/\"}", 422, "source-refused"},
    {"{\"url\":\"http://[::1]/\"}", 422, "source-refused"},
    {"{\"url\":\"http://169.254.169.254/latest/\"}", 422, "metadata"},
    {"{\"url\":\"http://a.denied.example/\"}", 422, "deny list"},
    {"{\"url\":\"http://a.example:25/\"}", 422, "its port"},
    {"{\"command\":\"secret\"}", 422, "source-refused"},
    {"{\"command\":\"nobody\"}", 422, "source-refused"},
    {"{\"command\":\"../dump\"}", 422, "source-refused"},
    {"{\"url\":\"http://a/\",\"to\":\"nobody\"}", 422, "unknown-destination"},
    {"{\"url\":\"http://a/\",\"queue\":\"nobody\"}", 422, "unknown-queue"},
    {"{\"url\":\"http://a/\",\"key\":\"../x\"}", 400, "bad-option"},
    {"{\"url\":\"http://a/\",\"nonsense\":1}", 400, "bad-option"},
    {"{\"url\":\"http://a/\",\"priority\":true}", 422, "a text or a number"},
    {"{\"url\":\"http://a/\",\"priority\":1.5}", 400, "bad-option"},
    {"{\"url\":\"http://a/\",\"delay\":1,\"at\":\"2026-01-01T00:00:00Z\"}", 400,
     "not together"},
    {"{\"url\":\"http://a/\",\"type\":\"none\"}", 400, "bad-request"},
    {"{\"url\":{}}", 400, "bad-request"},
    {"[]", 400, "bad-request"},
};

Test(responder_create, what_may_not_be_is_refused_and_leaves_nothing)
{
    for (size_t i = 0; i < COUNT(refused); i++)
        cr_expect(responder_says("POST", "/v1/jobs", refused[i].json, refused[i].status,
                                 refused[i].part),
                  "%s", refused[i].json);
    cr_expect(eq(sz, responder_count("jobs"), 0));
    cr_expect(eq(sz, responder_count("tmp"), 0));
}

Test(responder_create, a_body_that_is_not_json_or_too_long_is_refused)
{
    static const char form[] = "url=http://a/";
    char *large = malloc(9000);
    struct fcgi_request r = {.method = "POST",
                             .uri = "/v1/jobs",
                             .type = "application/x-www-form-urlencoded",
                             .body = form,
                             .body_len = sizeof form - 1};

    cr_expect(eq(int, responder_status(&r), 415));
    memset(large, ' ', 9000);
    r.type = "application/json";
    r.body = large;
    r.body_len = 9000;
    cr_expect(eq(int, responder_status(&r), 413));
    free(large);
}

Test(responder_create, an_option_may_stand_in_the_query_but_not_twice)
{
    cr_expect(responder_says("POST", "/v1/jobs?priority=3", "{\"url\":\"http://a/\"}",
                             202, "waiting"));
    cr_expect(responder_says("POST", "/v1/jobs?priority=3",
                             "{\"url\":\"http://a/\",\"priority\":3}", 400, "twice"));
}

Test(responder_create, a_unique_key_holds_here_too)
{
    const char *json = "{\"url\":\"http://a/\",\"unique\":\"u1\"}";

    cr_expect(responder_says("POST", "/v1/jobs", json, 202, "waiting"));
    cr_expect(responder_says("POST", "/v1/jobs", json, 409, "duplicate"));
    cr_expect(eq(sz, responder_count("jobs"), 1));
}

Test(responder_create_off, nothing_is_fetched_or_run_unless_the_operator_wants_it)
{
    cr_expect(responder_says("POST", "/v1/jobs", "{\"url\":\"https://a.example/\"}",
                             422, "enabled = yes"));
    cr_expect(responder_says("POST", "/v1/jobs", "{\"command\":\"secret\"}", 422,
                             "source-refused"));
    cr_expect(eq(sz, responder_count("jobs"), 0));
}
