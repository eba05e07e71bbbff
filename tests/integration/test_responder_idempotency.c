/*
 * Idempotency-Key: a request makes its jobs once, however often, through however many responders, it is sent, and
 * whatever dies or is forgotten in between.
 */
#include "tests/integration/responder_rig.h"

#include "shared/clock.h"
#include "shared/key_record.h"
#include "tests/support/wait_until.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_idempotency, .init = responder_up, .fini = responder_down,
          .timeout = 120);

#define KEY(text) "HTTP_IDEMPOTENCY_KEY=" text
#define URI "/v1/uploads/a?queue=media"

static struct fcgi_response put_at(const char *uri, const char *body, const char *key)
{
    struct fcgi_request r = {.method = "PUT",
                             .uri = uri,
                             .body = body,
                             .body_len = strlen(body),
                             .param = key};
    return responder_ask(&r);
}

/* Send it again and expect the answer of then. */
static void expect_again(const struct fcgi_request *r,
                         const struct fcgi_response *first)
{
    struct fcgi_response again = responder_ask(r);
    responder_expect_replay(first, &again);
    fcgi_response_release(&again);
}

static void expect_status(const struct fcgi_request *r, int status, const char *part)
{
    struct fcgi_response a = responder_ask(r);
    cr_expect(a.status == status && strstr(a.text, part), "%s: %s", r->param, a.text);
    fcgi_response_release(&a);
}

/* A file in spool/keys/, and how many there are. */
static int find_key_file(char *ret, size_t size)
{
    char path[256];
    int count = 0;

    snprintf(path, sizeof path, "%s/spool/keys", rig.dir.path);
    ret[0] = '\0';
    DIR *keys = opendir(path);
    for (struct dirent *d; keys && (d = readdir(keys));) {
        char below[600];
        if (d->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%s/%s", path, d->d_name);
        DIR *dir = opendir(below);
        for (struct dirent *f; dir && (f = readdir(dir));)
            if (f->d_name[0] != '.') {
                snprintf(ret, size, "%s/%s", below, f->d_name);
                count++;
            }
        closedir(dir);
    }
    if (keys)
        closedir(keys);
    return count;
}

Test(responder_idempotency, the_same_request_is_answered_as_it_was_and_makes_no_job)
{
    struct fcgi_request put = PUT(URI, "hello");
    put.param = KEY("8e03978e");
    struct fcgi_response first = responder_ask(&put);
    char location[256];

    cr_assert(eq(int, first.status, 202), "%s", first.text);
    for (int i = 0; i < 3; i++)
        expect_again(&put, &first);
    put.param = KEY("\"8e03978e\""); /* the same, as the draft writes it */
    struct fcgi_response again = responder_ask(&put);
    responder_expect_replay(&first, &again);
    snprintf(location, sizeof location, "\r\nLocation: /v1/jobs/%s\r\n",
             responder_id(&first));
    cr_expect(strstr(again.text, location) != NULL, "%s", again.text);
    cr_expect(eq(sz, responder_count("jobs"), 2));
    cr_expect(eq(sz, responder_count("tmp"), 0));
    fcgi_response_release(&again);

    struct { /* ... and without it, or with another one, it is another request */
        const char *key;
    } others[] = {{NULL}, {KEY("other")}};
    for (size_t i = 0; i < 2; i++) {
        put.param = others[i].key;
        again = responder_ask(&put);
        cr_expect(eq(int, again.status, 202));
        cr_expect(ne(str, (char *)again.body, (char *)first.body));
        fcgi_response_release(&again);
    }
    fcgi_response_release(&first);
}

Test(responder_idempotency, another_request_with_the_key_is_refused)
{
    struct fcgi_request form =
        FORM(FORM_FIELD("priority", "1") FORM_FILE("a", "hello") FORM_END);
    struct fcgi_request others[] = {
        FORM(FORM_FIELD("priority", "2") FORM_FILE("a", "hello") FORM_END),
        FORM(FORM_FIELD("priority", "1") FORM_FILE("b", "hello") FORM_END),
        FORM(FORM_FIELD("priority", "1") FORM_FILE("a", "hellO") FORM_END),
        FORM(FORM_FILE("a", "hello") FORM_FIELD("priority", "1") FORM_FILE("", "")
                 FORM_END),
        FORM(FORM_FIELD("priority", "1") FORM_FILE("a", "hello") FORM_FILE("c", "x")
                 FORM_END),
        PUT("/v1/uploads/a?priority=1", "hello"),
    };
    struct fcgi_request boundary = {.method = "POST",
                                    .uri = "/v1/uploads",
                                    .type = "multipart/form-data; boundary=other"};
    form.param = boundary.param = KEY("k");
    boundary.body =
        "--other\r\nContent-Disposition: form-data; name=\"priority\"\r\n\r\n1"
        "\r\n--other\r\nContent-Disposition: form-data; name=\"f\"; "
        "filename=\"a\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        "--other--\r\n";
    boundary.body_len = strlen(boundary.body);
    struct fcgi_response first = responder_ask(&form);

    cr_assert(eq(int, first.status, 202), "%s", first.text);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        others[i].param = KEY("k");
        expect_status(&others[i], 422, "urn:hoist:problem:key-reused");
    }
    expect_again(&form, &first);
    expect_again(&boundary, &first);
    cr_expect(eq(sz, responder_count("jobs"), 2));
    cr_expect(eq(sz, responder_count("tmp"), 0));
    fcgi_response_release(&first);
}

Test(responder_idempotency, what_is_no_key_is_a_400)
{
    static char longer[sizeof KEY("") + 256];
    static const char *const bad[] = {
        KEY(""),         KEY("\"\""),         KEY("\"a"),       KEY("a b"),
        KEY("a, b"),     KEY("\"a\", \"b\""), KEY("a\tb"),      KEY("\"a\\b\""),
        KEY("\xC3\xBC"), KEY("\"a\x01\""),    KEY("\"a\";p=1"),
    };
    struct fcgi_request put = PUT(URI, "hello");

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put.param = bad[i];
        expect_status(&put, 400, "Idempotency-Key");
    }
    memset(longer, 'x', sizeof longer - 1);
    memcpy(longer, KEY(""), sizeof KEY("") - 1);
    put.param = longer;
    expect_status(&put, 400, "longer than 255");
    longer[sizeof longer - 2] = '\0';
    expect_status(&put, 202, "\"id\"");
    cr_expect(eq(sz, responder_count("jobs"), 2));
}

Test(responder_idempotency, a_request_that_was_refused_leaves_its_key_free)
{
    static const struct {
        const char *uri, *body;
        int status;
    } bad[] = {
        {"/v1/uploads/a?queue=none", "hello", 422},
        {"/v1/uploads/a?priority=77", "hello", 400},
        {URI, "", 400},
        {"/v1/uploads/a?after=media.01932d2f-3d5e-7000-8000-000000000000", "x", 422}};
    char file[1200];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fcgi_response r = put_at(bad[i].uri, bad[i].body, KEY("k"));
        cr_expect(r.status == bad[i].status, "%s: %s", bad[i].uri, r.text);
        fcgi_response_release(&r);
    }
    (void)find_key_file(file, sizeof file);
    cr_expect(eq(str, file, ""), "and nothing is left of it");
    struct fcgi_response r = put_at(URI, "hello", KEY("k"));
    cr_expect(eq(int, r.status, 202), "%s", r.text);
    fcgi_response_release(&r);
}

Test(responder_idempotency, a_duplicate_of_a_unique_key_leaves_its_key_free)
{
    const char *uri = "/v1/uploads/a?queue=media&unique=u";
    struct fcgi_response first = put_at(uri, "hello", KEY("a"));

    cr_assert(eq(int, first.status, 202), "%s", first.text);
    for (int i = 0; i < 2; i++) {
        struct fcgi_response r = put_at(uri, "hello", KEY("b"));
        cr_expect(r.status == 409 && strstr(r.text, "duplicate"), "%s", r.text);
        fcgi_response_release(&r);
    }
    struct fcgi_response again = put_at(uri, "hello", KEY("a"));
    responder_expect_replay(&first, &again);
    fcgi_response_release(&again);
    fcgi_response_release(&first);
}

Test(responder_idempotency, one_that_is_under_way_is_a_409_until_its_process_is_gone)
{
    struct fcgi_request put = PUT(URI, "hello");
    struct fcgi_request slow = {.method = "PUT",
                                .uri = URI,
                                .content_length = "5",
                                .param = KEY("k"),
                                .open_ended = true};
    struct fcgi_client c;
    char file[1200];

    put.param = KEY("k");
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &slow);
    fcgi_client_body(&c, "hel", 3);
    cr_assert(WAIT_UNTIL(find_key_file(file, sizeof file) == 1, 5000));
    struct fcgi_response r = responder_ask(&put);
    cr_expect(r.status == 409 && strstr(r.text, "key-in-flight") &&
                  strstr(r.text, "\r\nRetry-After: 1\r\n"),
              "%s", r.text);
    fcgi_response_release(&r);
    fcgi_client_body(&c, "lo", 2);
    fcgi_client_record(&c, FCGI_STDIN, "", 0);
    struct fcgi_response first = fcgi_client_response(&c, 10000);
    cr_assert(eq(int, first.status, 202), "%s", first.text);
    expect_again(&put, &first);
    fcgi_response_release(&first);
    fcgi_client_close(&c);

    put.param = slow.param = KEY("dead");
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &slow);
    fcgi_client_body(&c, "hel", 3);
    cr_assert(WAIT_UNTIL(find_key_file(file, sizeof file) == 2, 5000));
    cr_assert(eq(int, responder_status(&put), 409));
    spawn_kill(&rig.process);
    responder_start();
    expect_status(&put, 202, "\"id\"");
    fcgi_client_close(&c);
}

/* --- What dies and forgets --- */

Test(responder_idempotency,
     it_holds_when_redis_is_wiped_or_away_and_the_responder_killed)
{
    struct fcgi_request put = PUT(URI, "hello");
    put.param = KEY("k");
    redis_fixture_pause(&rig.redis); /* so that the job cannot have been pushed */
    struct fcgi_response first = responder_ask(&put);

    cr_assert(eq(int, first.status, 202), "%s", first.text);
    expect_again(&put, &first);
    spawn_kill(&rig.process);
    responder_start();
    expect_again(&put, &first);
    redis_fixture_resume(&rig.redis);
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    expect_again(&put, &first);
    cr_expect(eq(sz, responder_count("jobs"), 2));
    fcgi_response_release(&first);
}

static void move(const char *id, const char *suffix, bool to_tmp)
{
    char in_jobs[512], in_tmp[512];

    snprintf(in_jobs, sizeof in_jobs, "%s/spool/jobs/%s%s", rig.dir.path, id, suffix);
    snprintf(in_tmp, sizeof in_tmp, "%s/spool/tmp/%s%s", rig.dir.path,
             strchr(id, '.') + 1, suffix);
    cr_assert(eq(int, rename(to_tmp ? in_jobs : in_tmp, to_tmp ? in_tmp : in_jobs), 0));
}

Test(responder_idempotency, a_record_whose_promise_was_not_made_does_not_count)
{
    struct fcgi_response first = put_at(URI, "hello", KEY("k"));
    char old[128];

    snprintf(old, sizeof old, "%s", responder_id(&first));
    move(old, ".json", true); /* as if it had died before the rename */
    struct fcgi_response again = put_at(URI, "hello", KEY("k"));
    cr_expect(eq(int, again.status, 202), "%s", again.text);
    cr_expect(ne(str, (char *)responder_id(&again), old));
    fcgi_response_release(&again);
    fcgi_response_release(&first);
}

/* The second "id" of an answer. */
static const char *second_id(const struct fcgi_response *r)
{
    struct fcgi_response rest = *r;

    rest.body = strstr(strstr(r->body, "\"id\":\"") + 1, "\"id\":\"");
    return responder_id(&rest);
}

Test(responder_idempotency, what_died_between_two_renames_is_promised_whole)
{
    struct fcgi_request form =
        FORM(FORM_FILE("a", "hello") FORM_FILE("b", "world") FORM_END);
    form.param = KEY("k");
    struct fcgi_response first = responder_ask(&form);

    cr_assert(eq(int, first.status, 202), "%s", first.text);
    move(second_id(&first), ".json", true);
    cr_assert(eq(sz, responder_count("tmp"), 1));
    expect_again(&form, &first);
    cr_expect(eq(sz, responder_count("tmp"), 0));
    cr_expect(eq(sz, responder_count("jobs"), 4));
    fcgi_response_release(&first);
}

/* Make the record so many seconds older. */
static void age(const char *file, int64_t seconds)
{
    static char text[KEY_RECORD_MAX];
    struct buf b = BUF_INIT(KEY_RECORD_MAX);
    struct key_record r;
    struct job_id id;
    struct err e = ERR_INIT;
    size_t at = 0;

    FILE *f = fopen(file, "re");
    size_t len = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[len] = '\0';
    cr_assert(key_record_parse(text, len, &r) && key_record_next(&r, &at, &id));
    r.created -= seconds * 1000;
    cr_assert(not(key_record_format(&r, &id, &b, &e)));
    f = fopen(file, "we");
    (void)fwrite(b.data, 1, b.len, f);
    (void)fclose(f);
    buf_release(&b);
}

Test(responder_idempotency, a_key_lives_while_its_job_is_known_and_for_a_day)
{
    struct fcgi_request put = PUT(URI, "hello");
    put.param = KEY("k");
    struct fcgi_response first = responder_ask(&put);
    char id[128], file[1200], path[512];

    snprintf(id, sizeof id, "%s", responder_id(&first));
    cr_assert(WAIT_UNTIL(responder_field_is(id, "state", "waiting"), 5000));
    (void)find_key_file(file, sizeof file);
    snprintf(path, sizeof path, "%s/spool/jobs/%s.json", rig.dir.path, id);
    cr_assert(eq(int, unlink(path), 0));
    expect_again(&put, &first); /* young */
    age(file, 100000);
    expect_again(&put, &first); /* Redis knows the job */
    redis_fixture_pause(&rig.redis);
    expect_status(&put, 503, "Retry-After"); /* ... and cannot be asked */
    redis_fixture_resume(&rig.redis);
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    struct fcgi_response again = {.status = 0};
    cr_assert(WAIT_UNTIL((fcgi_response_release(&again), again = responder_ask(&put),
                          again.status == 202),
                         10000));
    cr_expect(ne(str, (char *)responder_id(&again), id), "nobody knows it any more");
    expect_again(&put, &again);
    fcgi_response_release(&again);
    fcgi_response_release(&first);
}
