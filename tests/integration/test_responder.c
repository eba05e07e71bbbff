/*
 * responder: uploads become jobs on disk and in Redis, whatever Redis does meanwhile; it is live, ready, and ends.
 */
#include "tests/integration/responder_rig.h"

#include "shared/id.h"
#include "tests/support/wait_until.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder, .init = responder_up, .fini = responder_down, .timeout = 120);

#define HELLO_SHA256 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

Test(responder, a_raw_body_is_one_job)
{
    struct fcgi_request put =
        PUT("/v1/uploads/a%20b.txt?queue=media&priority=3", "hello");
    struct fcgi_response r = responder_ask(&put);
    char location[256];

    put.type = "text/plain";
    cr_assert(eq(int, r.status, 202), "%s", r.text);
    const char *id = responder_id(&r);
    snprintf(location, sizeof location, "\r\nLocation: /v1/jobs/%s\r\n", id);
    cr_expect(strstr(r.text, location) != NULL, "%s", r.text);
    cr_expect(strstr(r.body,
                     "\"name\":\"a b.txt\",\"size\":5,\"sha256\":\"" HELLO_SHA256
                     "\",\"state\":\"waiting\"") != NULL,
              "%s", r.body);
    cr_expect(strncmp(id, "media.", 6) == 0);
    cr_assert(WAIT_UNTIL(responder_field_is(id, "state", "waiting"), 5000));
    cr_expect(responder_field_is(id, "priority", "3"));
    cr_expect(eq(sz, responder_count("jobs"), 2));
    cr_expect(eq(sz, responder_count("tmp"), 0));
    fcgi_response_release(&r);
}

Test(responder, every_file_of_a_form_is_a_job_and_fields_are_for_those_after_them)
{
    struct fcgi_request post = FORM(FORM_FIELD("queue", "media") FORM_FILE(
        "a.txt", "hello") FORM_FIELD("priority", "1") FORM_FILE("b", "") FORM_END);
    struct fcgi_response r = responder_ask(&post);

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(strstr(r.text, "Location:") == NULL);
    cr_expect(strstr(r.body, "\"name\":\"a.txt\",\"size\":5,") != NULL);
    cr_expect(strstr(r.body, "\"name\":\"b\",\"size\":0,") != NULL);
    cr_assert(WAIT_UNTIL(
        redis_fixture_ask_int(&rig.redis, "ZCARD", "hoist:{media}:ready", NULL) == 2,
        5000));
    char *first =
        redis_fixture_ask(&rig.redis, "ZRANGE", "hoist:{media}:ready", "0", "0", NULL);
    cr_expect(strstr(r.body, first) > strstr(r.body, "\"name\":\"a.txt\""),
              "the second has the better priority");
    free(first);
    cr_expect(eq(sz, responder_count("jobs"), 4));
    fcgi_response_release(&r);
}

/* The value of the first "batch":"..." in a text; the caller frees. */
static char *batch_in(const char *text)
{
    const char *start = strstr(text, "\"batch\":\"");

    cr_assert(start != NULL, "no batch in: %s", text);
    return strndup(start + 9, strcspn(start + 9, "\""));
}

/* The batch in the manifest of a job; the caller frees. */
static char *batch_on_disk(const char *id)
{
    const char *path = responder_job_file(id, ".json");
    char text[4096];
    FILE *f = fopen(path, "re");
    cr_assert(f != NULL, "%s", path);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return batch_in(text);
}

Test(responder, the_jobs_of_one_request_share_its_batch_everywhere)
{
    struct fcgi_request post =
        FORM(FORM_FILE("a", "hello") FORM_FILE("b", "") FORM_END);
    struct fcgi_response r = responder_ask(&post), other = responder_ask(&post);
    const char *rest = r.body;

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    char *batch = batch_in(r.body), *next = batch_in(other.body);
    cr_expect(id_is_uuid(batch, strlen(batch)), "%s", batch);
    cr_expect(ne(str, batch, next), "another request is another batch");
    for (int i = 0; i < 2; i++) {
        struct fcgi_response at = r;
        at.body = strstr(rest, "\"id\":\"");
        cr_assert(at.body != NULL);
        rest = at.body + 1;
        const char *id = responder_id(&at);
        char *disk = batch_on_disk(id);
        cr_expect(eq(str, disk, batch), "manifest of job %d", i);
        cr_assert(WAIT_UNTIL(responder_field_is(id, "max_attempts", "10"), 5000));
        cr_expect(responder_field_is(id, "batch", batch), "record of job %d", i);
        struct fcgi_request show = responder_get(responder_job_uri(id, ""));
        struct fcgi_response status = responder_ask(&show);
        char *shown = batch_in(status.body);
        cr_expect(eq(str, shown, batch), "status of job %d", i);
        free(disk);
        free(shown);
        fcgi_response_release(&status);
    }
    free(batch);
    free(next);
    fcgi_response_release(&r);
    fcgi_response_release(&other);
}

Test(responder, a_file_input_left_empty_is_no_file)
{
    struct fcgi_request post = FORM(FORM_FILE("", "") FORM_FILE("a", "x") FORM_END);
    struct fcgi_response r = responder_ask(&post);

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(eq(sz, responder_count("jobs"), 2));
    fcgi_response_release(&r);
}

Test(responder, a_body_without_a_content_length_is_read_to_its_end)
{
    struct fcgi_request put = PUT("/v1/uploads/a", "hello");
    put.content_length = "";
    struct fcgi_response r = responder_ask(&put);

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(strstr(r.body, HELLO_SHA256) != NULL);
    fcgi_response_release(&r);
}

Test(responder, names_are_kept_as_sanitised_metadata)
{
    static const struct {
        const char *uri, *name;
    } rows[] = {
        {"/v1/uploads/..%2f..%2fetc%2fpasswd", "\"name\":\"passwd\""},
        {"/v1/uploads/..", "\"name\":\"file\""},
        {"/v1/uploads/a%0d%0aSet-Cookie:x", "\"name\":\"a__Set-Cookie:x\""},
        {"/v1/uploads/%ff%fe.txt", "\"name\":\"\xEF\xBF\xBD\xEF\xBF\xBD.txt\""},
        {"/v1/uploads/%e2%80%aegpj.exe", "\"name\":\"_gpj.exe\""},
        {"/v1/uploads/%C3%BC.png", "\"name\":\"\xC3\xBC.png\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fcgi_request put = PUT(rows[i].uri, "x");
        struct fcgi_response r = responder_ask(&put);
        cr_assert(eq(int, r.status, 202), "%s: %s", rows[i].uri, r.text);
        cr_expect(strstr(r.body, rows[i].name) != NULL, "%s: %s", rows[i].uri, r.body);
        fcgi_response_release(&r);
    }
}

Test(responder, a_long_name_is_cut_not_refused)
{
    static char uri[6000] = "/v1/uploads/";
    memset(uri + strlen(uri), 'x', 5000);
    struct fcgi_request put = PUT(uri, "x");
    cr_expect(eq(int, responder_status(&put), 202));
}

Test(responder, a_post_of_any_type_is_a_raw_body_with_its_name_from_a_header)
{
    struct fcgi_request post = {
        .method = "POST",
        .uri = "/v1/uploads",
        .type = "image/png",
        .body = "hello",
        .body_len = 5,
        .param = "HTTP_CONTENT_DISPOSITION=attachment; filename=\"p.png\""};
    struct fcgi_response r = responder_ask(&post);

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(strstr(r.body, "\"name\":\"p.png\"") != NULL, "%s", r.body);
    cr_assert(
        WAIT_UNTIL(responder_field_is(responder_id(&r), "type", "image/png"), 5000));
    fcgi_response_release(&r);
}

Test(responder, a_delayed_upload_is_scheduled)
{
    struct fcgi_request put = PUT("/v1/uploads/a?delay=3600", "hello");
    struct fcgi_response r = responder_ask(&put);

    cr_expect(strstr(r.body, "\"state\":\"scheduled\"") != NULL, "%s", r.text);
    cr_expect(
        WAIT_UNTIL(responder_field_is(responder_id(&r), "state", "scheduled"), 5000));
    fcgi_response_release(&r);
}

Test(responder, it_is_live_and_ready)
{
    struct fcgi_request live = responder_get("/healthz"),
                        ready = responder_get("/readyz");
    struct fcgi_response r = responder_ask(&ready);

    cr_expect(eq(int, responder_status(&live), 200));
    cr_expect(eq(int, r.status, 200));
    cr_expect(eq(str, (char *)r.body, "{\"spool\":\"ok\",\"redis\":\"up\"}\n"));
    fcgi_response_release(&r);
}

Test(responder, head_has_no_body_and_options_says_what_is_allowed)
{
    struct fcgi_request head = {.method = "HEAD", .uri = "/healthz"};
    struct fcgi_request options = {.method = "OPTIONS", .uri = "/v1/uploads"};
    struct fcgi_response r = responder_ask(&head);

    cr_expect(eq(int, r.status, 200));
    cr_expect(eq(str, (char *)r.body, ""));
    fcgi_response_release(&r);
    r = responder_ask(&options);
    cr_expect(eq(int, r.status, 204));
    cr_expect(strstr(r.text, "\r\nAllow: POST, OPTIONS\r\n") != NULL, "%s", r.text);
    fcgi_response_release(&r);
}

Test(responder, uploads_are_accepted_while_redis_does_not_answer)
{
    struct fcgi_request put = PUT("/v1/uploads/a", "hello"),
                        list = responder_get("/v1/queues");
    struct fcgi_request ready = responder_get("/readyz");

    redis_fixture_pause(&rig.redis);
    int64_t start_ms = wait_now_ms();
    struct fcgi_response r = responder_ask(&put);
    cr_expect(eq(int, r.status, 202), "%s", r.text);
    cr_expect(lt(i64, wait_now_ms() - start_ms, 1000), "as long as redis may take");
    struct fcgi_request show = responder_get(responder_job_uri(responder_id(&r), ""));
    fcgi_response_release(&r);
    r = responder_ask(&show);
    cr_expect(strstr(r.body, "\"state\":\"accepted\"") != NULL, "%s", r.text);
    fcgi_response_release(&r);
    r = responder_ask(&list);
    cr_expect(eq(int, r.status, 503));
    cr_expect(strstr(r.text, "\r\nRetry-After: ") != NULL);
    fcgi_response_release(&r);
    r = responder_ask(&ready);
    cr_expect(eq(int, r.status, 200));
    cr_expect(strstr(r.body, "\"redis\":\"down\"") != NULL, "%s", r.body);
    fcgi_response_release(&r);
    redis_fixture_resume(&rig.redis);
    cr_expect(WAIT_UNTIL(redis_fixture_ask_int(&rig.redis, "ZCARD",
                                               "hoist:{default}:ready", NULL) == 1,
                         10000),
              "published once redis is back");
}

Test(responder, sigterm_answers_what_is_under_way_and_publishes)
{
    struct fcgi_client c;
    static char body[70000];
    struct fcgi_request put = {
        .method = "PUT", .uri = "/v1/uploads/a", .content_length = "70005"};
    int status = -1;

    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &put);
    memset(body, 'x', sizeof body);
    fcgi_client_body(&c, body, sizeof body);
    cr_assert(WAIT_UNTIL(responder_count("tmp") == 1, 5000), "it is under way");
    spawn_signal(&rig.process, SIGTERM);
    fcgi_client_record(&c, FCGI_STDIN, "hello", 5);
    fcgi_client_record(&c, FCGI_STDIN, NULL, 0);
    struct fcgi_response r = fcgi_client_response(&c, 5000);
    cr_expect(eq(int, r.status, 202), "%s", r.text);
    cr_assert(spawn_wait(&rig.process, 5000, &status));
    cr_expect(eq(int, status, 0));
    cr_expect(responder_field_is(responder_id(&r), "state", "waiting"));
    cr_expect(access(rig.socket.path, F_OK) != 0, "its socket is removed");
    fcgi_response_release(&r);
    fcgi_client_close(&c);
}
