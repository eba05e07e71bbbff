/*
 * responder: groups, parents, unique keys and full queues, as an upload meets them.
 */
#include "fcgi-app/publish/publisher.h"
#include "tests/integration/responder_rig.h"
#include "tests/integration/responder_worker.h"

#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_ties, .init = responder_up, .fini = responder_down, .timeout = 120);

#define NOBODY "01a203d3-6eb4-7917-a21f-6d22207c6968"

static char *copy_id(const char *id)
{
    char *copy = strdup(id);

    cr_assert(copy != NULL);
    return copy;
}

/* PUT "hello": status and a part of the answer. */
static bool put_says(const char *uri, int status, const char *part)
{
    struct fcgi_request put = {
        .method = "PUT", .uri = uri, .body = "hello", .body_len = 5};
    struct fcgi_response r = responder_ask(&put);
    bool yes = r.status == status && strstr(r.text, part) != NULL;

    if (!yes)
        fprintf(stderr, "%s: %s\n", uri, r.text);
    fcgi_response_release(&r);
    return yes;
}

/* The same for waiting, without a word. */
static bool put_is(const char *uri, int status)
{
    struct fcgi_request put = {
        .method = "PUT", .uri = uri, .body = "hello", .body_len = 5};

    return responder_status(&put) == status;
}

static void configure(const char *field, const char *value)
{
    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:{default}:conf", field, value,
                           NULL));
}

Test(responder_ties, the_second_of_a_group_waits_for_its_turn)
{
    const char *id = responder_upload("/v1/uploads/a?group=tenant-7");
    cr_expect(responder_field_is(id, "group", "tenant-7"));
    (void)responder_upload("/v1/uploads/b?group=tenant-7");
    cr_expect(responder_says("GET", "/v1/queues/default", NULL, 200,
                             "\"ready\":1,\"scheduled\":0,\"running\":0,"
                             "\"dead\":0,\"done\":0,\"grouped\":1,\"behind\":0"));
    struct queue_lease l = worker_take("default");
    worker_done(&l);
    cr_expect(responder_says("GET", "/v1/queues/default", NULL, 200,
                             "\"ready\":1,\"scheduled\":0,\"running\":0,"
                             "\"dead\":0,\"done\":1,\"grouped\":0"));
}

Test(responder_ties, a_child_waits_for_its_parent_and_shows_its_whole_id)
{
    char uri[256], part[256];
    char *parent = copy_id(responder_upload("/v1/uploads/a"));

    snprintf(uri, sizeof uri, "/v1/uploads/b?after=%s&after_failure=run", parent);
    const char *child = responder_upload(uri);
    snprintf(part, sizeof part, "\"after\":\"%s\",\"after_failure\":\"run\"", parent);
    cr_expect(responder_says("GET", responder_job_uri(child, ""), NULL, 200, part));
    cr_expect(responder_says("GET", "/v1/queues/default", NULL, 200, "\"behind\":1"));
    struct queue_lease l = worker_take("default");
    worker_bury(&l);
    worker_promote("default");
    l = worker_take("default");
    cr_expect(eq(str, l.id.uuid.text, (char *)strchr(child, '.') + 1));
    free(parent);
}

Test(responder_ties, a_parent_that_nobody_has_is_refused)
{
    cr_expect(put_says("/v1/uploads/a?after=default." NOBODY, 422,
                       "after: no job has the id default." NOBODY));
    cr_expect(put_says("/v1/uploads/a?after=media." NOBODY, 422, "same queue"));
    cr_expect(put_says("/v1/uploads/a?group=a:b", 422, "urn:hoist:problem:bad-value"));
    cr_expect(eq(sz, responder_count("jobs") + responder_count("tmp"), 0));
}

Test(responder_ties, a_parent_that_only_the_spool_has_is_waited_for)
{
    char uri[256];
    char *first = copy_id(responder_upload("/v1/uploads/a"));

    snprintf(uri, sizeof uri, "/v1/uploads/b?after=%s", first);
    char *second = copy_id(responder_upload(uri));
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    snprintf(uri, sizeof uri, "/v1/uploads/c?after=%s", second);
    cr_expect(put_says(uri, 202, "\"state\":\"waiting\""));
    cr_expect(WAIT_UNTIL(redis_fixture_ask_int(&rig.redis, "ZCARD",
                                               "hoist:{default}:behind", NULL) == 2,
                         5000),
              "it behind its parent, and that behind its own");
    struct queue_lease l = worker_take("default");
    cr_expect(eq(str, l.id.uuid.text, strchr(first, '.') + 1));
    free(first);
    free(second);
}

Test(responder_ties, while_redis_is_away_any_parent_and_any_key_is_accepted)
{
    redis_fixture_kill(&rig.redis);
    cr_expect(put_says("/v1/uploads/a?after=default." NOBODY, 202, "jobs"));
    cr_expect(put_says("/v1/uploads/b?unique=u", 202, "jobs"));
    cr_expect(put_says("/v1/uploads/c?unique=u", 202, "jobs"));
    cr_expect(put_says("/v1/uploads/c?batch=" NOBODY, 202, NOBODY));
    redis_fixture_restart(&rig.redis);
    cr_expect(WAIT_UNTIL(redis_fixture_ask_int(&rig.redis, "ZCARD",
                                               "hoist:{default}:done", NULL) == 1,
                         10000),
              "of the two with one key the second is cancelled");
}

Test(responder_ties, a_duplicate_is_told_who_has_its_key_and_leaves_nothing)
{
    char location[256];
    const char *id = responder_put("/v1/uploads/a?unique=order-7&unique_window=60");

    cr_expect(responder_field_is(id, "unique", "order-7"), "before the 202");
    cr_expect(responder_says("GET", responder_job_uri(id, ""), NULL, 200,
                             "\"unique\":\"order-7\",\"unique_window\":60"));
    snprintf(location, sizeof location, "\r\nLocation: /v1/jobs/%s\r\n", id);
    cr_expect(put_says("/v1/uploads/b?unique=order-7", 409, location));
    cr_expect(
        put_says("/v1/uploads/b?unique=order-7", 409, "urn:hoist:problem:duplicate"));
    cr_expect(eq(sz, responder_count("jobs"), 2), "the first one's files");
    cr_expect(put_says("/v1/uploads/b?unique=order-8", 202, "jobs"));
}

Test(responder_ties, what_redis_says_of_a_unique_key_ends_the_wait_for_it)
{
    bool is_soon = false;

    /* One of many is not held up by anything else, however slow the machine. */
    for (int i = 0; i < 50 && !is_soon; i++) {
        char uri[sizeof "/v1/uploads/a?unique=" + 12];
        (void)snprintf(uri, sizeof uri, "/v1/uploads/a?unique=%d", i);
        int64_t start_ms = wait_now_ms();
        cr_assert(put_is(uri, 202));
        is_soon = wait_now_ms() - start_ms < PUBLISHER_ANSWER_MS;
    }
    cr_expect(is_soon, "each took as long as if nothing had been said");
}

Test(responder_ties, a_form_with_a_unique_key_has_one_file)
{
    struct fcgi_request two = FORM(FORM_FIELD("unique", "u") FORM_FILE("a", "x")
                                       FORM_FILE("b", "y") FORM_END),
                        one = FORM(FORM_FIELD("unique", "u") FORM_FILE("a", "x")
                                       FORM_END);

    cr_expect(eq(int, responder_status(&two), 422));
    cr_expect(eq(sz, responder_count("jobs") + responder_count("tmp"), 0));
    cr_expect(eq(int, responder_status(&one), 202));
    cr_expect(eq(int, responder_status(&one), 409));
}

Test(responder_ties, a_full_queue_is_told_before_the_body_is_read)
{
    struct fcgi_client c;
    struct fcgi_request put = {
        .method = "PUT", .uri = "/v1/uploads/b", .content_length = "50000000"};

    configure("max_length", "1");
    (void)responder_upload("/v1/uploads/a");
    cr_expect(WAIT_UNTIL(put_is("/v1/uploads/b", 503), 5000));
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &put); /* and nothing of the body */
    struct fcgi_response r = fcgi_client_response(&c, 1500);
    cr_expect(eq(int, r.status, 503), "%s", r.text);
    cr_expect(strstr(r.text, "\r\nRetry-After: ") != NULL, "%s", r.text);
    fcgi_response_release(&r);
    fcgi_client_close(&c);
    cr_expect(put_says("/v1/uploads/b", 503, "urn:hoist:problem:queue-full"));
    cr_expect(put_says("/v1/uploads/b?queue=media", 202, "media."), "that one is not");
    struct queue_lease l = worker_take("default");
    worker_done(&l);
    cr_expect(WAIT_UNTIL(put_is("/v1/uploads/b", 202), 5000));
}

Test(responder_ties, a_full_queue_is_told_to_a_form_that_names_it)
{
    struct fcgi_request post =
        FORM(FORM_FIELD("queue", "media") FORM_FILE("a", "hello") FORM_END);

    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:{media}:conf", "max_bytes", "8",
                           NULL));
    cr_expect(eq(int, responder_status(&post), 202));
    cr_expect(eq(int, responder_status(&post), 202), "seen less than a second ago");
    cr_expect(WAIT_UNTIL(redis_fixture_ask_int(&rig.redis, "ZCARD",
                                               "hoist:{media}:ready", NULL) == 1,
                         5000),
              "one of two fitted");
    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:{media}:conf", "max_bytes", "5",
                           NULL));
    cr_expect(WAIT_UNTIL(responder_status(&post) == 503, 5000));
    cr_expect(put_says("/v1/uploads/a?queue=media", 503, "queue-full"));
}

/* Without a word where it does not yet: the whole page, each time. */
static bool metrics_say(const char *part)
{
    struct fcgi_request get = responder_get("/metrics");
    struct fcgi_response r = responder_ask(&get);
    bool said = r.status == 200 && strstr(r.text, part);

    fcgi_response_release(&r);
    return said;
}

Test(responder_ties, what_a_full_queue_refused_stays_in_the_spool)
{
    const char counted[] = "hoist_publish_jobs_total{result=\"refused\"} 1";

    configure("max_length", "1");
    cr_expect(put_says("/v1/uploads/a", 202, "jobs"));
    const char *second = responder_put("/v1/uploads/b"); /* Redis says FULL to it */

    cr_expect(WAIT_UNTIL(
        redis_fixture_ask_int(&rig.redis, "ZCARD", "hoist:{default}:ready", NULL) == 1,
        5000));
    cr_expect(responder_says("GET", responder_job_uri(second, ""), NULL, 200,
                             "\"state\":\"accepted\""));
    cr_expect(eq(sz, responder_count("jobs"), 4));
    cr_expect(WAIT_UNTIL(metrics_say(counted), 10000));
}

Test(responder_ties, a_unique_upload_into_a_full_queue_leaves_nothing)
{
    (void)responder_upload("/v1/uploads/a"); /* and the room is looked at */
    configure("max_length", "1");
    cr_expect(put_says("/v1/uploads/b?unique=u", 503, "queue-full"));
    cr_expect(eq(sz, responder_count("jobs"), 2));
}

Test(responder_ties, a_file_larger_than_the_queue_may_hold_is_never_tried)
{
    configure("max_bytes", "4");
    cr_expect(put_says("/v1/uploads/a", 413, "too-large"));
}
