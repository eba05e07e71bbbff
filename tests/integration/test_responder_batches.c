/*
 * responder: batches: opened, joined, closed, looked at; and the one that every request is.
 */
#include "tests/integration/responder_rig.h"
#include "tests/integration/responder_worker.h"

#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_batches, .init = responder_up, .fini = responder_down,
          .timeout = 120);

#define NOBODY "01a203d3-6eb4-7917-a21f-6d22207c6968"

/* The batch in an answer, in a static buffer. */
static const char *batch_of(const struct fcgi_response *r)
{
    static char batch[64];
    const char *start = strstr(r->body, "\"batch\":\"");

    cr_assert(start != NULL, "%s", r->text);
    snprintf(batch, sizeof batch, "%.*s", (int)strcspn(start + 9, "\""), start + 9);
    return batch;
}

static const char *batch_uri(const char *batch, const char *rest)
{
    static char uri[256];

    snprintf(uri, sizeof uri, "/v1/batches/%s%s", batch, rest);
    return uri;
}

static bool shows(const char *batch, const char *part)
{
    return responder_says("GET", batch_uri(batch, ""), NULL, 200, part);
}

/* The same without a word on standard error, for waiting. */
static bool is_shown(const char *batch, const char *part)
{
    struct fcgi_response r = responder_json("GET", batch_uri(batch, ""), NULL);
    bool yes = r.status == 200 && strstr(r.body, part) != NULL;

    fcgi_response_release(&r);
    return yes;
}

static const char *open_batch(const char *json)
{
    struct fcgi_response r = responder_json("POST", "/v1/batches", json);

    cr_assert(eq(int, r.status, 201), "%s", r.text);
    const char *batch = batch_of(&r);
    cr_expect(strstr(r.text, batch_uri(batch, "")) != NULL, "%s", r.text);
    fcgi_response_release(&r);
    return batch;
}

static void upload_into(const char *batch, const char *rest)
{
    char uri[256];

    snprintf(uri, sizeof uri, "/v1/uploads/a?batch=%s%s", batch, rest);
    cr_expect(responder_field_is(responder_upload(uri), "batch", batch));
}

Test(responder_batches, one_that_was_opened_ends_when_it_is_closed_and_its_jobs_have)
{
    const char *batch = open_batch(NULL);

    cr_expect(shows(batch,
                    "\"open\":true,\"total\":0,\"waiting_or_running\":0,\"done\":"
                    "0,\"dead\":0,\"cancelled\":0,\"state\":\"open\""));
    upload_into(batch, "");
    upload_into(batch, "&queue=media");
    cr_expect(shows(batch, "\"total\":2,\"waiting_or_running\":2"), "in two queues");
    struct queue_lease l = worker_take("default");
    worker_done(&l);
    cr_expect(shows(batch, "\"waiting_or_running\":1,\"done\":1"));
    cr_expect(responder_says("POST", batch_uri(batch, "/close"), NULL, 200,
                             "\"open\":false,\"total\":2,\"waiting_or_running\":1,"
                             "\"done\":1,\"dead\":0,\"cancelled\":0,\"state\":"
                             "\"running\""));
    l = worker_take("media");
    worker_bury(&l);
    cr_expect(
        shows(batch, "\"done\":1,\"dead\":1,\"cancelled\":0,\"state\":\"ended\""));
    cr_expect(responder_says("POST", batch_uri(batch, "/close"), NULL, 200, "ended"),
              "again: the same");
}

Test(responder_batches, no_upload_joins_one_that_is_closed_or_was_never_opened)
{
    char uri[256];
    const char *batch = open_batch("{\"queue\":\"media\"}");
    struct fcgi_request put = {.method = "PUT", .uri = uri, .body = "x", .body_len = 1};

    cr_expect(responder_says("POST", batch_uri(batch, "/close"), NULL, 200, "ended"));
    snprintf(uri, sizeof uri, "/v1/uploads/a?batch=%s", batch);
    cr_expect(eq(int, responder_status(&put), 422));
    snprintf(uri, sizeof uri, "/v1/uploads/a?batch=" NOBODY);
    cr_expect(eq(int, responder_status(&put), 422));
    cr_expect(eq(sz, responder_count("jobs") + responder_count("tmp"), 0));
}

Test(responder_batches, what_is_none_is_404_and_a_bad_body_is_refused)
{
    cr_expect(responder_says("GET", "/v1/batches/" NOBODY, NULL, 404, "no-such-batch"));
    cr_expect(responder_says("GET", "/v1/batches/x", NULL, 404, "no-such-batch"));
    cr_expect(responder_says("POST", "/v1/batches/" NOBODY "/close", NULL, 404,
                             "no-such-batch"));
    cr_expect(responder_says("POST", "/v1/batches", "{\"queue\":\"nope\"}", 422,
                             "unknown-queue"));
    cr_expect(responder_says("POST", "/v1/batches", "{\"queue\":1}", 422, "bad-value"));
    cr_expect(responder_says("POST", "/v1/batches", "{\"que\":1}", 422, "bad-value"));
    cr_expect(responder_says("POST", "/v1/batches", "[]", 400, "bad-request"));
    redis_fixture_kill(&rig.redis);
    cr_expect(responder_says("POST", "/v1/batches", NULL, 503, "unavailable"));
    cr_expect(responder_says("GET", "/v1/batches/" NOBODY, NULL, 503, "unavailable"));
}

Test(responder_batches, one_file_is_a_batch_without_a_field_in_its_record)
{
    struct fcgi_request put = PUT("/v1/uploads/a?queue=media", "hello");
    struct fcgi_response r = responder_ask(&put);
    const char *batch = batch_of(&r), *id = responder_id(&r);

    cr_expect(eq(str, (char *)batch, (char *)strchr(id, '.') + 1));
    cr_assert(WAIT_UNTIL(responder_field_is(id, "bytes", "5"), 5000));
    cr_expect(responder_field_is(id, "batch", ""));
    cr_expect(shows(batch, "\"total\":1,\"waiting_or_running\":1,\"done\":0,\"dead\":0,"
                           "\"cancelled\":0,\"state\":\"running\""));
    struct queue_lease l = worker_take("media");
    worker_done(&l);
    cr_expect(shows(batch, "\"waiting_or_running\":0,\"done\":1,\"dead\":0,"
                           "\"cancelled\":0,\"state\":\"ended\""));
    fcgi_response_release(&r);
}

/* How many calls of scripts had this last argument, as the log of slow ones has it: all are, from slow_log_all on. */
static int64_t count_calls(const char *last)
{
    return redis_fixture_ask_int(
        &rig.redis, "EVAL",
        "local n = 0 for _, entry in ipairs(redis.call('SLOWLOG', 'GET', 500)) do "
        "local args = entry[4] if string.lower(args[1]) == 'evalsha' and "
        "args[#args] == ARGV[1] then n = n + 1 end end "
        "return n",
        "0", last, NULL);
}

static void slow_log_all(void)
{
    free(
        redis_fixture_ask(&rig.redis, "CONFIG", "SET", "slowlog-max-len", "500", NULL));
    free(redis_fixture_ask(&rig.redis, "CONFIG", "SET", "slowlog-log-slower-than", "0",
                           NULL));
}

Test(responder_batches, several_files_are_one_batch_that_knows_them_all_at_once)
{
    struct fcgi_request post =
        FORM(FORM_FILE("a", "1") FORM_FILE("b", "2") FORM_FILE("c", "3") FORM_END);
    struct fcgi_response r = responder_ask(&post);
    const char *batch = batch_of(&r);

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(strstr(responder_id(&r), batch) != NULL, "named by its first job");
    cr_expect(WAIT_UNTIL(is_shown(batch, "\"state\":\"running\""), 5000));
    cr_expect(shows(batch, "\"total\":3"), "one call: never a part of it");
    for (int i = 0; i < 3; i++) {
        struct queue_lease l = worker_take("default");
        cr_expect(shows(batch, "\"state\":\"running\""));
        worker_done(&l);
    }
    cr_expect(
        shows(batch, "\"done\":3,\"dead\":0,\"cancelled\":0,\"state\":\"ended\""));
    fcgi_response_release(&r);
}

Test(responder_batches, files_in_several_queues_are_one_batch_closed_when_all_are_in)
{
    struct fcgi_request post = FORM(FORM_FILE("a", "1") FORM_FIELD("queue", "media")
                                        FORM_FILE("b", "2") FORM_END);
    slow_log_all();
    struct fcgi_response r = responder_ask(&post);
    const char *batch = batch_of(&r);

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(WAIT_UNTIL(is_shown(batch, "\"open\":false,\"total\":2"), 5000));
    cr_expect(count_calls("open") > 0, "it could not end before");
    cr_expect(count_calls("close") > 0);
    fcgi_response_release(&r);
}

Test(responder_batches, what_redis_does_not_know_yet_is_accepted)
{
    struct fcgi_request put = PUT("/v1/uploads/a", "hello"),
                        post = FORM(FORM_FILE("a", "1") FORM_FILE("b", "2") FORM_END);
    redis_fixture_kill(&rig.redis);
    struct fcgi_response one = responder_ask(&put), two = responder_ask(&post);

    cr_expect(shows(batch_of(&one), "\"state\":\"accepted\""));
    cr_expect(shows(batch_of(&two), "\"state\":\"accepted\""));
    redis_fixture_restart(&rig.redis);
    cr_expect(WAIT_UNTIL(is_shown(batch_of(&two), "\"total\":2"), 10000));
    fcgi_response_release(&one);
    fcgi_response_release(&two);
}

Test(responder_batches, the_files_of_one_request_are_of_one_batch)
{
    char text[1024];
    char *first = strdup(open_batch(NULL));
    const char *second = open_batch(NULL);
    struct fcgi_request post = {
        .method = "POST", .uri = "/v1/uploads", .type = FORM_TYPE, .body = text};

    cr_assert(first != NULL);
    int n = snprintf(text, sizeof text,
                     FORM_FIELD("batch", "%s") FORM_FILE("a", "1")
                         FORM_FIELD("batch", "%s") FORM_FILE("b", "2") FORM_END,
                     first, second);
    post.body_len = (size_t)n;
    cr_expect(eq(int, responder_status(&post), 422));
    n = snprintf(text, sizeof text,
                 FORM_FIELD("batch", "%s") FORM_FILE("a", "1") FORM_FILE("b", "2")
                     FORM_END,
                 first);
    post.body_len = (size_t)n;
    cr_expect(eq(int, responder_status(&post), 202));
    cr_expect(WAIT_UNTIL(is_shown(first, "\"open\":true,\"total\":2"), 5000),
              "and it stays open");
    free(first);
}

Test(responder_batches, closing_one_counts_all_that_was_accepted_for_it_before)
{
    char uri[256];
    const char *batch = open_batch(NULL);

    for (int i = 1; i <= 20; i++) {
        snprintf(uri, sizeof uri, "/v1/uploads/a?batch=%s", batch);
        (void)responder_put(uri);
        cr_expect(responder_says("POST", batch_uri(batch, "/close"), NULL, 200,
                                 "\"open\":false,\"total\":1,"),
                  "the %dth", i);
        batch = open_batch(NULL);
    }
}

/* --- A callback of its own --- */

static void up_with_callbacks(void)
{
    responder_up_with(
        "[webhook callback]\nsecret = 0123456789abcdef0123456789abcdef\n");
}

TestSuite(responder_callbacks, .init = up_with_callbacks, .fini = responder_down,
          .timeout = 120);

Test(responder_callbacks, a_callback_goes_into_its_jobs_and_is_shown_without_its_query)
{
    static const char url[] = "https://shop.example/end?k=hush";
    const char *batch =
        open_batch("{\"callback\":\"https://shop.example/end?k=hush\"}");
    char uri[256];

    cr_expect(
        shows(batch, "\"state\":\"open\",\"callback\":\"https://shop.example/end\"}"));
    snprintf(uri, sizeof uri, "/v1/uploads/a?queue=media&batch=%s", batch);
    const char *id = responder_upload(uri);
    cr_expect(responder_field_is(id, "batch_callback", url), "in another queue, too");
    struct fcgi_response r = responder_json("GET", responder_job_uri(id, ""), NULL);
    cr_expect(strstr(r.text, "shop.example") == NULL, "it is not the job's: %s",
              r.text);
    fcgi_response_release(&r);
    cr_expect(responder_says("POST", batch_uri(batch, "/close"), NULL, 200,
                             "\"callback\":\"https://shop.example/end\""));
}

Test(responder_callbacks, a_callback_that_may_not_be_opens_nothing)
{
    static const char *const bad[] = {"http://shop.example/", "https://127.0.0.1/",
                                      "https://[::1]/", "no address"};
    char json[128];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(json, sizeof json, "{\"callback\":\"%s\"}", bad[i]);
        cr_expect(responder_says("POST", "/v1/batches", json, 422, "callback-refused"));
    }
    cr_expect(
        responder_says("POST", "/v1/batches", "{\"callback\":1}", 422, "bad-value"));
    cr_expect(eq(int,
                 (int)redis_fixture_ask_int(&rig.redis, "EXISTS",
                                            "hoist:{default}:batches", NULL),
                 0));
    cr_expect(
        responder_says("POST", "/v1/batches", "{\"callback\":\"\"}", 201, "batch"),
        "nobody");
}

Test(responder_callbacks, a_callback_belongs_to_what_an_idempotency_key_stands_for)
{
    struct fcgi_request post = {.method = "POST",
                                .uri = "/v1/batches",
                                .type = "application/json",
                                .param = "HTTP_IDEMPOTENCY_KEY=k"};
    static const struct {
        const char *json;
        int status;
    } rows[] = {{"{\"callback\":\"https://a.example/1\"}", 201},
                {"{\"callback\":\"https://a.example/1\"}", 201},
                {"{\"callback\":\"https://a.example/2\"}", 422},
                {"{}", 422}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        post.body = rows[i].json;
        post.body_len = strlen(rows[i].json);
        cr_expect(eq(int, responder_status(&post), rows[i].status), "%s", rows[i].json);
    }
    cr_expect(eq(int,
                 (int)redis_fixture_ask_int(&rig.redis, "HLEN",
                                            "hoist:{default}:batches", NULL),
                 2),
              "one batch and its callback");
}

Test(responder_batches, without_a_webhook_for_callbacks_there_are_none)
{
    cr_expect(responder_says("POST", "/v1/batches",
                             "{\"callback\":\"https://shop.example/\"}", 422,
                             "callback-refused"));
}
