/*
 * responder: queues are paused, limited, retried and purged; jobs are given another priority.
 */
#include "tests/integration/responder_rig.h"
#include "tests/integration/responder_worker.h"

#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_queues, .init = responder_up, .fini = responder_down,
          .timeout = 120);

static int64_t size_of(const char *key)
{
    return redis_fixture_ask_int(&rig.redis, "ZCARD", key, NULL);
}

static bool conf_is(const char *field, const char *want)
{
    char *got =
        redis_fixture_ask(&rig.redis, "HGET", "hoist:{default}:conf", field, NULL);
    bool same = strcmp(got, want) == 0;

    free(got);
    return same;
}

/* The cursor of an answer, in a static buffer; "" for null. */
static const char *cursor_of(const struct fcgi_response *r)
{
    static char cursor[256];
    const char *start = strstr(r->body, "\"cursor\":");

    cr_assert(start != NULL, "%s", r->text);
    start += strlen("\"cursor\":");
    snprintf(cursor, sizeof cursor, "%.*s",
             *start == '"' ? (int)strcspn(start + 1, "\"") : 0, start + 1);
    return cursor;
}

static void upload_many(const char *uri, int count)
{
    for (int i = 0; i < count; i++)
        (void)responder_put(uri);
    cr_assert(WAIT_UNTIL(size_of("hoist:{default}:ready") >= count ||
                             size_of("hoist:{default}:later") >= count,
                         5000));
}

static void bury_many(int count)
{
    upload_many("/v1/uploads/a", count);
    for (int i = 0; i < count; i++) {
        struct queue_lease l = worker_take("default");
        worker_bury(&l);
    }
    cr_assert(eq(i64, size_of("hoist:{default}:dead"), count));
}

Test(responder_queues, a_queue_is_paused_and_resumed)
{
    cr_expect(responder_says("POST", "/v1/queues/default/pause", NULL, 200,
                             "{\"name\":\"default\",\"ready\":0"));
    cr_expect(conf_is("paused", "1"));
    cr_expect(eq(i64, size_of("hoist:{default}:wake"), 1), "who is idle looks again");
    cr_expect(
        responder_says("GET", "/v1/queues/default", NULL, 200, "\"paused\":true"));
    cr_expect(responder_says("POST", "/v1/queues/default/resume", NULL, 200,
                             "\"paused\":false"));
    cr_expect(conf_is("paused", ""));
    cr_expect(
        responder_says("POST", "/v1/queues/nope/pause", NULL, 404, "no-such-queue"));
    redis_fixture_kill(&rig.redis);
    cr_expect(
        responder_says("POST", "/v1/queues/default/pause", NULL, 503, "unavailable"));
}

Test(responder_queues, limits_are_set_shown_and_removed)
{
    cr_expect(responder_says(
        "PATCH", "/v1/queues/default",
        "{\"rate\":0.5,\"burst\":3,\"max_inflight\":4,\"max_length\":1000,"
        "\"max_bytes\":5000000000,\"group_max_inflight\":2,\"group_rate\":1.25,"
        "\"group_burst\":9,\"retry_place\":\"tail\",\"group_rate:tenant-7\":8}",
        200,
        "\"limits\":{\"rate\":0.5,\"burst\":3,\"max_inflight\":4,\"max_length\":1000,"
        "\"max_bytes\":5000000000,\"group_max_inflight\":2,\"group_rate\":1.25,"
        "\"group_burst\":9,\"retry_place\":\"tail\"}}"));
    cr_expect(conf_is("rate", "0.5"));
    cr_expect(conf_is("group_rate:tenant-7", "8"));
    cr_expect(responder_says("PATCH", "/v1/queues/default",
                             "{\"rate\":null,\"max_bytes\":0,\"burst\":null}", 200,
                             "\"limits\":{\"max_inflight\":4,\"max_length\":1000,"
                             "\"max_bytes\":0,"));
    cr_expect(conf_is("rate", ""));
    cr_expect(
        responder_says("PATCH", "/v1/queues/default", "{}", 200, "\"max_inflight\":4"));
    cr_expect(responder_says("GET", "/v1/queues", NULL, 200, "\"max_inflight\":4"));
}

static const struct {
    const char *json;
    int status;
    const char *part;
} refused[] = {
    {"{\"rate\":\"1\"}", 422, "rate: a number"},
    {"{\"rate\":-1}", 422, "rate"},
    {"{\"rate\":1e3}", 422, "rate"},
    {"{\"rate\":0.0001}", 422, "three digits"},
    {"{\"max_length\":1.5}", 422, "max_length: a whole number"},
    {"{\"max_length\":true}", 422, "max_length"},
    {"{\"max_bytes\":1000000000000000}", 422, "max_bytes"},
    {"{\"retry_place\":\"head\"}", 422, "retry_place"},
    {"{\"paused\":true}", 422, "paused: no such limit"},
    {"{\"rate:tenant\":1}", 422, "no such limit"},
    {"{\"group_rate:\":1}", 422, "no such limit"},
    {"{\"group_rate:a b\":1}", 422, "no such limit"},
    {"{\"max_inflight\":3,\"nope\":1}", 422, "nope"},
    {"{\"max_inflight\":3", 400, "bad-request"},
    {"{\"max_inflight\":{}}", 400, "bad-request"},
};

Test(responder_queues, a_wrong_limit_changes_nothing)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        cr_expect(responder_says("PATCH", "/v1/queues/default", refused[i].json,
                                 refused[i].status, refused[i].part));
    cr_expect(eq(
        i64, redis_fixture_ask_int(&rig.redis, "EXISTS", "hoist:{default}:conf", NULL),
        0));
}

Test(responder_queues, a_body_that_is_not_json_is_415_and_one_too_long_413)
{
    static char huge[9000];
    struct fcgi_request patch = {.method = "PATCH",
                                 .uri = "/v1/queues/default",
                                 .type = "text/plain",
                                 .body = "{}",
                                 .body_len = 2};

    cr_expect(eq(int, responder_status(&patch), 415));
    memset(huge, ' ', sizeof huge);
    patch.type = "application/json; charset=utf-8";
    cr_expect(eq(int, responder_status(&patch), 200));
    patch.body = huge;
    patch.body_len = sizeof huge;
    cr_expect(eq(int, responder_status(&patch), 413));
    patch.content_length = "";
    cr_expect(eq(int, responder_status(&patch), 413));
}

/* Of five jobs two, two and one; then none is left.  cursor: how it begins. */
static void expect_pages(const char *action, const char *done, const char *cursor)
{
    char uri[512], says[64];
    snprintf(uri, sizeof uri, "/v1/queues/default/%s?limit=2", action);
    struct fcgi_response r = responder_json("POST", uri, NULL);
    snprintf(says, sizeof says, "{\"%s\":2,\"cursor\":\"%s", done, cursor);
    cr_expect(strstr(r.body, says) != NULL, "%s", r.text);
    snprintf(uri, sizeof uri, "/v1/queues/default/%s?limit=2&after=%s", action,
             cursor_of(&r));
    fcgi_response_release(&r);
    snprintf(says, sizeof says, "{\"%s\":2,", done);
    cr_expect(responder_says("POST", uri, NULL, 200, says));
    snprintf(uri, sizeof uri, "/v1/queues/default/%s", action);
    for (int left = 1; left >= 0; left--) {
        snprintf(says, sizeof says, "{\"%s\":%d,\"cursor\":null}", done, left);
        cr_expect(responder_says("POST", uri, NULL, 200, says));
    }
    cr_expect(eq(i64, size_of("hoist:{default}:ready"), 5));
}

Test(responder_queues, all_dead_run_again_a_page_at_a_time)
{
    bury_many(5);
    expect_pages("retry", "retried", "d.");
    cr_expect(eq(i64, size_of("hoist:{default}:dead"), 0));
}

Test(responder_queues, a_dead_job_that_cannot_run_again_does_not_hold_up_the_others)
{
    char uri[512];

    (void)responder_put("/v1/uploads/a?unique=u");
    struct queue_lease l = worker_take("default");
    worker_bury(&l);
    (void)responder_upload("/v1/uploads/b");
    l = worker_take("default");
    worker_bury(&l);
    (void)responder_put("/v1/uploads/c?unique=u"); /* it has the key now */
    struct fcgi_response r =
        responder_json("POST", "/v1/queues/default/retry?limit=1", NULL);
    cr_expect(strstr(r.body, "{\"retried\":0,") != NULL, "%s", r.text);
    snprintf(uri, sizeof uri, "/v1/queues/default/retry?limit=1&after=%s",
             cursor_of(&r));
    fcgi_response_release(&r);
    cr_expect(responder_says("POST", uri, NULL, 200, "{\"retried\":1,"));
    cr_expect(eq(i64, size_of("hoist:{default}:dead"), 1));
}

Test(responder_queues, all_scheduled_run_now_a_page_at_a_time)
{
    upload_many("/v1/uploads/a?delay=3600", 5);
    expect_pages("promote", "promoted", "l.");
    cr_expect(
        responder_says("POST", "/v1/queues/nope/promote", NULL, 404, "no-such-queue"));
}

Test(responder_queues, a_scheduled_job_runs_now)
{
    char uri[256];

    snprintf(uri, sizeof uri, "%s",
             responder_job_uri(responder_upload("/v1/uploads/a?delay=3600&priority=4"),
                               "/promote"));
    cr_expect(
        responder_says("POST", uri, NULL, 200, "\"state\":\"waiting\",\"priority\":4"));
    cr_expect(responder_says("POST", uri, NULL, 409,
                             "a job that is waiting cannot be run before its time"));
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    cr_expect(responder_says("POST", uri, NULL, 200, "\"state\":\"waiting\""),
              "accepted: enqueued first");
    struct queue_lease l = worker_take("default");
    cr_expect(responder_says("POST", uri, NULL, 409, "is running"));
    worker_done(&l);
    cr_expect(responder_says("POST", uri, NULL, 409, "is done"));
    cr_expect(responder_says(
        "POST", "/v1/jobs/default.01a203d3-6eb4-7917-a21f-6d22207c6968/promote", NULL,
        404, "no-such-job"));
    (void)responder_upload("/v1/uploads/b?group=g");
    snprintf(uri, sizeof uri, "%s",
             responder_job_uri(responder_upload("/v1/uploads/b?group=g"), "/promote"));
    cr_expect(responder_says("POST", uri, NULL, 409, "is waiting for its group"));
    redis_fixture_kill(&rig.redis);
    cr_expect(responder_says("POST", uri, NULL, 503, "unavailable"));
}

Test(responder_queues, purging_wants_the_name_and_takes_the_bytes_along)
{
    upload_many("/v1/uploads/a", 3);
    cr_expect(responder_says("POST", "/v1/queues/default/purge",
                             "{\"state\":\"waiting\"}", 422, "confirm"));
    cr_expect(responder_says("POST", "/v1/queues/default/purge",
                             "{\"state\":\"waiting\",\"confirm\":\"media\"}", 422,
                             "confirm"));
    cr_expect(responder_says("POST", "/v1/queues/default/purge",
                             "{\"state\":\"running\",\"confirm\":\"default\"}", 422,
                             "state"));
    cr_expect(responder_says("POST", "/v1/queues/default/purge", NULL, 422, "confirm"));
    cr_expect(eq(sz, responder_count("jobs"), 6));
    struct fcgi_response r =
        responder_json("POST", "/v1/queues/default/purge?limit=2",
                       "{\"state\":\"waiting\",\"confirm\":\"default\"}");
    cr_expect(strstr(r.body, "{\"cancelled\":2,\"stopping\":0,\"cursor\":\"r.") != NULL,
              "%s", r.text);
    fcgi_response_release(&r);
    cr_expect(eq(sz, responder_count("jobs"), 2));
    cr_expect(responder_says("POST", "/v1/queues/default/purge",
                             "{\"state\":\"waiting\",\"confirm\":\"default\"}", 200,
                             "{\"cancelled\":1,\"stopping\":0,\"cursor\":null}"));
    cr_expect(eq(sz, responder_count("jobs"), 0));
    cr_expect(eq(i64, size_of("hoist:{default}:done"), 3), "cancelled, not forgotten");
}

Test(responder_queues, purging_one_state_leaves_the_others)
{
    bury_many(1);
    upload_many("/v1/uploads/a?delay=3600", 1);
    (void)responder_upload("/v1/uploads/a?group=g");
    (void)responder_upload("/v1/uploads/a?group=g");
    cr_expect(responder_says("POST", "/v1/queues/default/purge",
                             "{\"state\":\"dead\",\"confirm\":\"default\"}", 200,
                             "{\"cancelled\":1,"));
    cr_expect(eq(sz, responder_count("jobs"), 6));
    cr_expect(responder_says("POST", "/v1/queues/default/purge",
                             "{\"state\":\"scheduled\",\"confirm\":\"default\"}", 200,
                             "{\"cancelled\":1,"));
    cr_expect(eq(sz, responder_count("jobs"), 4));
    cr_expect(responder_says("POST", "/v1/queues/default/purge",
                             "{\"state\":\"waiting\",\"confirm\":\"default\"}", 200,
                             "{\"cancelled\":2,"),
              "the one that waits for its group, too");
    cr_expect(eq(sz, responder_count("jobs"), 0));
}

Test(responder_queues, a_job_is_given_another_priority)
{
    (void)responder_upload("/v1/uploads/a");
    const char *second = responder_upload("/v1/uploads/b");
    char uri[256];

    snprintf(uri, sizeof uri, "%s", responder_job_uri(second, "/priority"));
    cr_expect(responder_says("POST", uri, "{\"priority\":0}", 200, "\"priority\":0"));
    struct queue_lease l = worker_take("default");
    cr_expect(eq(str, l.id.uuid.text, (char *)strchr(second, '.') + 1));
    cr_expect(responder_says("POST", uri, "{\"priority\":10}", 422, "0 to 9"));
    cr_expect(responder_says("POST", uri, "{\"priority\":\"1\"}", 422, "0 to 9"));
    cr_expect(responder_says("POST", uri, NULL, 422, "0 to 9"));
    worker_done(&l);
    cr_expect(responder_says("POST", uri, "{\"priority\":1}", 409, "done"));
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    cr_expect(responder_says("POST", uri, "{\"priority\":1}", 200, "\"priority\":1"),
              "accepted: enqueued first");
    cr_expect(responder_says(
        "POST", "/v1/jobs/default.01a203d3-6eb4-7917-a21f-6d22207c6968/priority",
        "{\"priority\":1}", 404, "no-such-job"));
}

/* The tag of an answer, in a static buffer. */
static const char *tag_of(const char *uri)
{
    static char tag[80];
    struct fcgi_response r = responder_json("GET", uri, NULL);
    const char *at = strstr(r.text, "ETag: ");

    cr_assert(at != NULL, "%s", r.text);
    (void)snprintf(tag, sizeof tag, "HTTP_IF_NONE_MATCH=%.*s",
                   (int)strcspn(at + 6, "\r\n"), at + 6);
    fcgi_response_release(&r);
    return tag;
}

static bool is_unchanged(const char *uri, const char *tag)
{
    struct fcgi_request get = responder_get(uri);

    get.param = tag;
    return responder_status(&get) == 304;
}

Test(responder_queues, time_that_passes_is_no_change_and_the_last_hour_is_told)
{
    static const char *const uris[] = {"/v1/queues", "/v1/queues?history=1",
                                       "/v1/queues/default"};

    upload_many("/v1/uploads/a", 2);
    for (size_t i = 0; i < 3; i++) /* but for the one moment when a minute ends */
        cr_expect(is_unchanged(uris[i], tag_of(uris[i])) ||
                      is_unchanged(uris[i], tag_of(uris[i])),
                  "%s", uris[i]);
    const char *tag = tag_of("/v1/queues/default");
    cr_expect(responder_says("POST", "/v1/queues/default/pause", NULL, 200, "true"));
    cr_expect_not(is_unchanged("/v1/queues/default", tag));
    cr_expect(
        responder_says("GET", "/v1/queues/default", NULL, 200, ",2],\"done\":[0,") ||
        responder_says("GET", "/v1/queues/default", NULL, 200, ",2,0],\"done\":["));
    cr_expect(responder_says("GET", "/v1/queues/default", NULL, 200, "\"oldest\":\"2"));
    cr_expect(
        responder_says("GET", "/v1/queues", NULL, 200, "\"rates\":{\"enqueued\":0."));
    struct fcgi_response r = responder_json("GET", "/v1/queues", NULL);
    cr_expect(strstr(r.body, "history") == NULL, "only where it is asked for");
    fcgi_response_release(&r);
}
