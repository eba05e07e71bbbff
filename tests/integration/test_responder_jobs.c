/*
 * responder: jobs can be looked at, waited for and cancelled, and queues show their depth.
 */
#include "tests/integration/responder_rig.h"

#include "shared/cleanup.h"
#include "shared/parts_journal.h"
#include "tests/support/wait_until.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_jobs, .init = responder_up, .fini = responder_down, .timeout = 120);

Test(responder_jobs, a_job_can_be_looked_at_and_cancelled)
{
    const char *id = responder_upload("/v1/uploads/a");
    struct fcgi_request show = responder_get(responder_job_uri(id, ""));
    struct fcgi_response r = responder_ask(&show);

    cr_expect(eq(int, r.status, 200));
    cr_expect(strstr(r.body, "\"state\":\"waiting\"") != NULL, "%s", r.body);
    cr_expect(strstr(r.body, "spool") == NULL, "no detail of the file system");
    fcgi_response_release(&r);
    show.method = "DELETE";
    r = responder_ask(&show);
    cr_expect(eq(int, r.status, 200));
    cr_expect(strstr(r.body, "\"state\":\"cancelled\"") != NULL, "%s", r.body);
    cr_expect(eq(sz, responder_count("jobs"), 0), "its bytes are gone");
    fcgi_response_release(&r);
    cr_expect(eq(int, responder_status(&show), 409));
    struct fcgi_request retry = {.method = "POST",
                                 .uri = responder_job_uri(id, "/retry")};
    cr_expect(eq(int, responder_status(&retry), 409));
}

/* A journal of this job's upload to a destination, with its first part there, and perhaps ended. */
static void write_journal(const char *id, const char *destination, bool gone)
{
    struct parts_journal_part part = {.etag = (char *)"\"e1\"", .crc32c = 1};
    CLEANUP(buf_release) struct buf text = BUF_INIT(PARTS_JOURNAL_MAX);
    char path[512];

    parts_journal_add_head(&text,
                           &(struct parts_journal_head){.destination = destination,
                                                        .bucket = "bucket",
                                                        .key = "key",
                                                        .size = 20971520,
                                                        .part_size = 8388608,
                                                        .checksum = "crc32c",
                                                        .sha256 = ""});
    parts_journal_add_create(&text);
    parts_journal_add_upload(&text, "id-of-the-upload");
    parts_journal_add_part(&text, "id-of-the-upload", 1, &part);
    if (gone)
        parts_journal_add_gone(&text, "id-of-the-upload");
    (void)snprintf(path, sizeof path, "%s/spool/parts", rig.dir.path);
    cr_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
    (void)snprintf(path, sizeof path, "%s/spool/parts/%s.%s.parts", rig.dir.path, id,
                   destination);
    FILE *f = fopen(path, "w");
    cr_assert(f && fwrite(text.data, 1, text.len, f) == text.len && fclose(f) == 0);
}

Test(responder_jobs, a_job_in_parts_shows_what_its_store_has_and_not_the_uploads_id)
{
    const char *id = responder_upload("/v1/uploads/a");

    cr_expect_not(
        responder_says("GET", responder_job_uri(id, ""), NULL, 200, "multipart"));
    write_journal(id, "elsewhere", false);
    write_journal(id, "default", false);
    struct fcgi_request show = responder_get(responder_job_uri(id, ""));
    struct fcgi_response r = responder_ask(&show);
    cr_expect(strstr(r.body, ",\"multipart\":[{\"to\":\"default\",\"size\":20971520,"
                             "\"part_size\":8388608,\"total\":3,\"done\":1,"
                             "\"done_bytes\":8388608,\"parts\":[{\"number\":1,"
                             "\"size\":8388608,\"state\":\"done\",\"etag\":"
                             "\"\\\"e1\\\"\"},{\"number\":2,\"size\":8388608,"
                             "\"state\":\"missing\"},{\"number\":3,\"size\":4194304,"
                             "\"state\":\"missing\"}]}]}\n") != NULL,
              "%s", r.body);
    cr_expect(strstr(r.body, "id-of-the-upload") == NULL, "%s", r.body);
    fcgi_response_release(&r);
    write_journal(id, "default", true);
    r = responder_ask(&show);
    cr_expect(r.status == 200 && strstr(r.body, "multipart") == NULL, "it is ended: %s",
              r.body);
    fcgi_response_release(&r);
}

Test(responder_jobs, a_job_that_redis_lost_is_accepted_and_can_be_cancelled)
{
    const char *id = responder_upload("/v1/uploads/a");
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    struct fcgi_request show = responder_get(responder_job_uri(id, ""));
    struct fcgi_response r = responder_ask(&show);

    cr_expect(strstr(r.body, "\"state\":\"accepted\"") != NULL, "%s", r.text);
    fcgi_response_release(&r);
    show.method = "DELETE";
    cr_expect(eq(int, responder_status(&show), 200));
    cr_expect(eq(sz, responder_count("jobs"), 0));
    show.method = "GET";
    r = responder_ask(&show);
    cr_expect(strstr(r.body, "\"state\":\"cancelled\"") != NULL, "%s", r.text);
    fcgi_response_release(&r);
}

Test(responder_jobs, while_redis_cannot_be_asked_a_job_on_disk_is_accepted)
{
    const char *id = responder_upload("/v1/uploads/a");
    struct fcgi_request show = responder_get(responder_job_uri(id, ""));
    struct fcgi_response r = responder_ask(&show);

    cr_expect(strstr(r.body, "\"state\":\"waiting\"") != NULL, "%s", r.text);
    fcgi_response_release(&r);
    redis_fixture_kill(&rig.redis);
    r = responder_ask(&show);
    cr_expect(eq(int, r.status, 200), "its manifest is all that is known");
    cr_expect(strstr(r.body, "\"state\":\"accepted\"") != NULL, "%s", r.text);
    fcgi_response_release(&r);
    show.uri = "/v1/jobs/default.01a203d3-6eb4-7917-a21f-6d22207c6968";
    cr_expect(eq(int, responder_status(&show), 503), "Redis would know");
}

/* Overwrite the manifest of a job with what is none. */
static void damage_manifest(const char *id)
{
    const char *path = responder_job_file(id, ".json");
    FILE *f = fopen(path, "we");
    cr_assert(f != NULL, "%s", path);
    fputs("{}", f);
    fclose(f);
}

Test(responder_jobs, cancelling_what_cannot_be_enqueued_first_says_why)
{
    const char *id = responder_upload("/v1/uploads/a");
    struct fcgi_request cancel = {.method = "DELETE", .uri = responder_job_uri(id, "")};

    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    damage_manifest(id);
    struct fcgi_response r = responder_ask(&cancel);
    cr_expect(eq(int, r.status, 500), "it exists: 404 would be a lie");
    cr_expect(strstr(r.body, "the job's manifest cannot be read") != NULL, "%s",
              r.body);
    fcgi_response_release(&r);
    cancel.uri = "/v1/jobs/default.01a203d3-6eb4-7917-a21f-6d22207c6968";
    r = responder_ask(&cancel);
    cr_expect(eq(int, r.status, 404));
    cr_expect(strstr(r.body, "no job has this id") != NULL, "%s", r.body);
    fcgi_response_release(&r);
}

Test(responder_jobs, running_again_what_cannot_be_read_says_why)
{
    const char *id = responder_upload("/v1/uploads/a");
    struct fcgi_request retry = {.method = "POST",
                                 .uri = responder_job_uri(id, "/retry")};

    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    damage_manifest(id);
    struct fcgi_response r = responder_ask(&retry);
    cr_expect(eq(int, r.status, 500));
    cr_expect(strstr(r.body, "the job's manifest cannot be read") != NULL, "%s",
              r.body);
    fcgi_response_release(&r);
}

Test(responder_jobs, ids_that_are_none_and_ids_of_nobody_are_the_same_404)
{
    static const char *const ids[] = {"x",
                                      "default.",
                                      "default.01a203d3-6eb4-7917-a21f-6d22207c6968",
                                      "DEFAULT.01a203d3-6eb4-7917-a21f-6d22207c6968",
                                      "..%2fx.01a203d3-6eb4-7917-a21f-6d22207c6968",
                                      "%7B%7D"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct fcgi_request show = responder_get(responder_job_uri(ids[i], ""));
        struct fcgi_response r = responder_ask(&show);
        cr_expect(eq(int, r.status, 404), "%s", ids[i]);
        cr_expect(strstr(r.body, "urn:hoist:problem:no-such-job") != NULL, "%s",
                  r.body);
        fcgi_response_release(&r);
    }
}

Test(responder_jobs, queues_show_their_depth)
{
    (void)responder_upload("/v1/uploads/a?queue=media");
    struct fcgi_request list = responder_get("/v1/queues");
    struct fcgi_response r = responder_ask(&list);

    cr_expect(eq(int, r.status, 200));
    cr_expect(strstr(r.body,
                     "{\"name\":\"media\",\"ready\":1,\"scheduled\":0,\"running\":0") !=
                  NULL,
              "%s", r.body);
    cr_expect(strstr(r.body, "{\"name\":\"default\",\"ready\":0") != NULL, "%s",
              r.body);
    fcgi_response_release(&r);
}

/* Mark the job as done, as a worker's finish would. */
static void finish(const char *id)
{
    char key[256];
    const char *uuid = strchr(id, '.') + 1;

    snprintf(key, sizeof key, "hoist:{default}:job:%s", uuid);
    free(redis_fixture_ask(&rig.redis, "HSET", key, "state", "done", "ended",
                           "1700000000000", "url", "file:///x", NULL));
    free(redis_fixture_ask(&rig.redis, "XADD", "hoist:{default}:events", "*", uuid,
                           "done", NULL));
}

enum { CLIENTS = 12, PARKED = 8 /* max_waiters; there are four threads */ };

/* How many of the clients have something to read. */
static int count_answered(const struct fcgi_client *clients)
{
    struct pollfd fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
    return poll(fds, CLIENTS, 0);
}

Test(responder_jobs, waiting_ends_when_the_job_does_and_costs_no_thread)
{
    struct fcgi_client clients[CLIENTS];
    const char *id = responder_upload("/v1/uploads/a");
    struct fcgi_request wait = responder_get(responder_job_uri(id, "?wait=30")),
                        live = responder_get("/healthz");
    int waiting = 0, done = 0;

    wait.keep = true;
    for (int i = 0; i < CLIENTS; i++) {
        fcgi_client_open(&clients[i], rig.socket.path);
        fcgi_client_request(&clients[i], &wait);
    }
    /* Those over max_waiters are answered at once, the others when the job ends. */
    cr_assert(WAIT_UNTIL(count_answered(clients) == CLIENTS - PARKED, 5000));
    cr_expect(eq(int, responder_status(&live), 200));
    finish(id);
    for (int i = 0; i < CLIENTS; i++) {
        struct fcgi_response r = fcgi_client_response(&clients[i], 4000);
        waiting += strstr(r.body, "\"state\":\"waiting\"") != NULL;
        done += strstr(r.body, "\"state\":\"done\"") != NULL;
        fcgi_response_release(&r);
        fcgi_client_request(&clients[i], &live); /* the connection goes on */
        r = fcgi_client_response(&clients[i], 5000);
        cr_expect(eq(int, r.status, 200), "%d", i);
        fcgi_response_release(&r);
        fcgi_client_close(&clients[i]);
    }
    cr_expect(eq(int, waiting, CLIENTS - PARKED));
    cr_expect(eq(int, done, PARKED));
}

Test(responder_jobs, waiting_ends_with_its_time_and_with_its_client)
{
    struct fcgi_client clients[8];
    const char *id = responder_upload("/v1/uploads/a");
    struct fcgi_request brief = responder_get(responder_job_uri(id, "?wait=1"));
    int64_t start_ms = wait_now_ms();
    struct fcgi_response r = responder_ask(&brief);

    cr_expect(strstr(r.body, "\"state\":\"waiting\"") != NULL, "%s", r.text);
    cr_expect(ge(i64, wait_now_ms() - start_ms, 900));
    fcgi_response_release(&r);
    struct fcgi_request wait = responder_get(responder_job_uri(id, "?wait=30"));
    for (int i = 0; i < 8; i++) {
        fcgi_client_open(&clients[i], rig.socket.path);
        fcgi_client_request(&clients[i], &wait);
        fcgi_client_close(&clients[i]);
    }
    /* Their places are free again: this one is parked, not answered at once. */
    cr_expect(WAIT_UNTIL((start_ms = wait_now_ms(), r = responder_ask(&brief),
                          fcgi_response_release(&r), wait_now_ms() - start_ms >= 900),
                         10000));
    struct fcgi_request bad = responder_get(responder_job_uri(id, "?wait=x"));
    cr_expect(eq(int, responder_status(&bad), 400));
}

static bool is_at_once(const struct fcgi_request *r)
{
    struct fcgi_response a = responder_ask(r);
    bool yes = a.status == 202 && strstr(a.body, "\"batch\":") &&
               !strstr(a.text, "Preference-Applied");
    if (!yes)
        fputs(a.text, stderr);
    fcgi_response_release(&a);
    return yes;
}

Test(responder_jobs, an_upload_that_prefers_to_wait_is_answered_with_its_jobs_status)
{
    struct fcgi_client c;
    struct fcgi_request put = PUT("/v1/uploads/a", "hello");
    struct fcgi_request list = responder_get("/v1/jobs?queue=default&state=waiting");

    put.param = "HTTP_PREFER=respond-async, wait=30";
    put.param2 = "HTTP_IDEMPOTENCY_KEY=k";
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_request(&c, &put);
    cr_assert(WAIT_UNTIL(
        responder_says("GET", "/v1/queues/default", NULL, 200, "\"ready\":1,"), 5000));
    struct fcgi_response r = responder_ask(&list);
    const char *id = responder_id(&r);
    char location[200];
    snprintf(location, sizeof location, "\r\nLocation: /v1/jobs/%s\r\n", id);
    fcgi_response_release(&r);
    finish(id);
    r = fcgi_client_response(&c, 10000);
    cr_expect(eq(int, r.status, 200), "%s", r.text);
    cr_expect(strstr(r.body, "\"state\":\"done\"") != NULL, "%s", r.text);
    cr_expect(strstr(r.text, location) != NULL, "%s", r.text);
    cr_expect(strstr(r.text, "\r\nPreference-Applied: wait\r\n") != NULL, "%s", r.text);
    cr_expect(strstr(r.text, "ETag") == NULL, "it is not what was asked for");
    fcgi_response_release(&r);
    fcgi_client_close(&c);
    cr_expect(is_at_once(&put),
              "a replay is the answer of a request that did not wait");
}

Test(responder_jobs, an_upload_whose_wait_is_over_or_that_cannot_wait_is_a_202)
{
    struct fcgi_client clients[PARKED];
    struct fcgi_request put = PUT("/v1/uploads/a", "hello");
    struct fcgi_request form = FORM(FORM_FILE("a", "x") FORM_FILE("b", "y") FORM_END);
    int64_t start_ms = wait_now_ms();

    put.param = "HTTP_PREFER=wait=1";
    struct fcgi_response r = responder_ask(&put);
    cr_expect(ge(i64, wait_now_ms() - start_ms, 900));
    cr_expect(eq(int, r.status, 202), "%s", r.text);
    cr_expect(strstr(r.body, "\"state\":\"waiting\"") != NULL, "%s", r.text);
    cr_expect(strstr(r.text, "\r\nLocation: /v1/jobs/") != NULL, "%s", r.text);
    cr_expect(strstr(r.text, "\r\nPreference-Applied: wait\r\n") != NULL, "%s", r.text);
    fcgi_response_release(&r);
    form.param = put.param = "HTTP_PREFER=wait=30";
    cr_expect(is_at_once(&form), "several jobs");
    for (int i = 0; i < PARKED; i++) {
        fcgi_client_open(&clients[i], rig.socket.path);
        fcgi_client_request(&clients[i], &put);
    }
    cr_assert(WAIT_UNTIL(
        responder_says("GET", "/v1/queues/default", NULL, 200, "\"ready\":11,"),
        10000));
    put.param = "HTTP_PREFER=wait=1";
    cr_expect(WAIT_UNTIL(is_at_once(&put), 10000), "too many wait");
    for (int i = 0; i < PARKED; i++)
        fcgi_client_close(&clients[i]);
    put.param = "HTTP_PREFER=wait=0";
    cr_expect(is_at_once(&put));
}

Test(responder_jobs,
     a_record_edited_to_something_impossible_can_still_be_seen_and_cancelled)
{
    const char *id = responder_upload("/v1/uploads/a");
    char key[128];
    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", strchr(id, '.') + 1);
    free(redis_fixture_ask(&rig.redis, "HSET", key, "key", "../x", "attempts", "-1",
                           NULL));
    struct fcgi_request show = responder_get(responder_job_uri(id, ""));
    struct fcgi_response r = responder_ask(&show);

    cr_expect(eq(int, r.status, 200), "%s", r.text);
    cr_expect(strstr(r.body, "\"state\":\"waiting\"") != NULL, "%s", r.body);
    cr_expect(strstr(r.body, "../x") == NULL, "%s", r.body);
    fcgi_response_release(&r);
    show.method = "DELETE";
    r = responder_ask(&show);
    cr_expect(eq(int, r.status, 200), "%s", r.text);
    cr_expect(strstr(r.body, "\"state\":\"cancelled\"") != NULL, "%s", r.body);
    cr_expect(eq(sz, responder_count("jobs"), 0));
    fcgi_response_release(&r);
}
