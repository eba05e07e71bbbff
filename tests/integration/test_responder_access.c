/*
 * access: who may do what, through the whole responder: tokens, scopes, queues and destinations, whose job it is.
 */
#include "tests/integration/access_rig.h"

#include "shared/id.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_access, .fini = responder_down, .timeout = 120);

#define UNKNOWN "default.0193c0de-7a1b-7c3d-9e4f-0123456789ab"

static int status_of(const struct fcgi_request *r)
{
    return responder_status(r);
}

static bool has(const struct fcgi_response *r, const char *part)
{
    return strstr(r->text, part) != NULL;
}

/* The id of a job of NAME that Redis knows. */
static char *job_of(const char *name, const char *uri)
{
    const char *id = "";

    cr_assert(eq(int, access_put(name, uri, "hello", &id), 202));
    char *copy = strdup(id);
    cr_assert(WAIT_UNTIL(responder_field_is(copy, "state", "waiting") ||
                             responder_field_is(copy, "state", "scheduled"),
                         10000));
    return copy;
}

static bool log_has(const char *text)
{
    return spawn_log_has(&rig.process, text);
}

/* --- Without a section --- */

Test(responder_access, without_a_section_only_this_machine_is_served)
{
    static const char *const here[] = {"127.0.0.1", "127.255.0.9", "::1",
                                       "::ffff:127.0.0.1", "unix:"};
    static const char *const elsewhere[] = {
        "",           "10.0.0.1",        "126.0.0.1", "128.0.0.1",           "::2",
        "0.0.0.0",    "::ffff:10.0.0.1", "localhost", "127.0.0.1, 10.0.0.1", "127.1",
        "2001:db8::1"};

    responder_up();
    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++)
        cr_expect(eq(int,
                     status_of(&(struct fcgi_request){
                         .method = "GET", .uri = "/v1/jobs", .remote_addr = here[i]}),
                     200),
                  "%s", here[i]);
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        struct fcgi_request put = PUT("/v1/uploads/a", "hello");
        put.remote_addr = elsewhere[i];
        put.param = "HTTP_X_FORWARDED_FOR=127.0.0.1";
        struct fcgi_response r = responder_ask(&put);
        cr_expect(eq(int, r.status, 403), "'%s': %s", elsewhere[i], r.text);
        cr_expect(has(&r, "[auth NAME]"), "it says what to do: %s", r.text);
        fcgi_response_release(&r);
        cr_expect(
            eq(int,
               status_of(&(struct fcgi_request){
                   .method = "GET", .uri = "/healthz", .remote_addr = elsewhere[i]}),
               200));
    }
    cr_expect(eq(sz, responder_count("jobs"), 0));
}

/* --- Tokens --- */

static void check_challenge(const char *authorization, int status,
                            const char *challenge)
{
    struct fcgi_request get = {
        .method = "GET", .uri = "/v1/jobs", .authorization = authorization};
    struct fcgi_response r = responder_ask(&get);

    cr_expect(eq(int, r.status, status), "%s: %s", authorization, r.text);
    cr_expect(has(&r, challenge), "%s: %s", authorization, r.text);
    cr_expect(has(&r, "application/problem+json"));
    fcgi_response_release(&r);
}

Test(responder_access, a_token_is_wanted_from_everybody_but_who_asks_for_health)
{
    static char long_token[1024] = "Bearer ";
    static const char plain[] = "WWW-Authenticate: Bearer realm=\"hoist\"\r\n";
    static const char invalid[] =
        "WWW-Authenticate: Bearer realm=\"hoist\", error=\"invalid_token\"\r\n";
    char text[200];

    access_up();
    check_challenge(NULL, 401, plain);
    check_challenge("", 401, plain);
    check_challenge("Basic YTpi", 401, invalid);
    check_challenge("Bearer", 401, invalid);
    check_challenge("Bearer alg=none", 401, invalid);
    (void)snprintf(text, sizeof text, "Bearer %s x", access_token("alice"));
    check_challenge(text, 401, invalid);
    (void)snprintf(text, sizeof text, "Bearer %sx", access_token("alice"));
    check_challenge(text, 401, invalid);
    (void)snprintf(text, sizeof text, "Bearer %.20s", access_token("alice"));
    check_challenge(text, 401, invalid);
    memset(long_token + 7, 'a', sizeof long_token - 8);
    check_challenge(long_token, 401, invalid);
    (void)snprintf(text, sizeof text, "bearer  %s", access_token("alice"));
    cr_expect(eq(int,
                 status_of(&(struct fcgi_request){
                     .method = "GET", .uri = "/v1/jobs", .authorization = text}),
                 200));
    cr_expect(eq(int, access_status(NULL, "GET", "/healthz"), 200));
    cr_expect(eq(int, access_status(NULL, "GET", "/readyz"), 200));
    cr_expect(eq(int, access_status(NULL, "GET", "/nothing"), 401));
    cr_expect(eq(int, access_status("alice", "GET", "/nothing"), 404));
    cr_expect(eq(int, access_status(NULL, "OPTIONS", "/v1/jobs"), 204));
    struct fcgi_request put = PUT("/v1/uploads/a", "hello");
    cr_expect(eq(int, responder_status(&put), 401));
    cr_expect(eq(sz, responder_count("jobs"), 0));
}

Test(responder_access, a_token_in_the_query_is_refused_and_is_not_in_the_log)
{
    char uri[200];

    access_up();
    (void)snprintf(uri, sizeof uri, "/v1/jobs?access_token=%s", access_token("alice"));
    cr_expect(eq(int, access_status(NULL, "GET", uri), 400));
    cr_expect(eq(int, access_status("alice", "GET", uri), 400));
    cr_expect(eq(int, access_put("alice", "/v1/uploads/a", "x", NULL), 202));
    cr_assert(spawn_stop(&rig.process, 10000));
    cr_expect(not(log_has(access_token("alice"))));
    cr_expect(log_has("ready"));
}

Test(responder_access, both_tokens_of_a_section_are_good_and_a_file_has_one_too)
{
    char settings[200], authorization[100];
    struct tmpdir dir;

    tmpdir_make(&dir);
    static const char second[] = "abcdefghijklmnopqrstuvwxyz.123456789~\n";
    struct tmpdir_file file = tmpdir_write(&dir, "token", second, sizeof second - 1);
    cr_assert(eq(int, chmod(file.path, 0600), 0));
    (void)snprintf(settings, sizeof settings, "second_token_file = %s\n", file.path);
    access_up_with(settings);
    cr_expect(eq(int, access_status("tester", "GET", "/v1/jobs"), 200));
    (void)snprintf(authorization, sizeof authorization, "Bearer %.*s",
                   (int)sizeof second - 2, second);
    cr_expect(
        eq(int,
           status_of(&(struct fcgi_request){
               .method = "GET", .uri = "/v1/jobs", .authorization = authorization}),
           200));
    tmpdir_remove(&dir);
}

/* --- Scopes, queues, destinations --- */

Test(responder_access, scopes_queues_and_destinations_bound_what_a_token_may)
{
    access_up();
    struct fcgi_response r = access_ask("reader", "POST", "/v1/jobs", "{}");
    cr_expect(eq(int, r.status, 403), "%s", r.text);
    cr_expect(has(&r, "error=\"insufficient_scope\""), "%s", r.text);
    fcgi_response_release(&r);
    r = access_ask("reader", "PUT", "/v1/uploads/a", NULL);
    cr_expect(eq(int, r.status, 403), "%s", r.text);
    cr_expect(has(&r, "the scope upload is needed"), "%s", r.text);
    fcgi_response_release(&r);
    cr_expect(eq(int, access_status("alice", "POST", "/v1/queues/media/pause"), 403));
    cr_expect(eq(int, access_status("alice", "POST", "/v1/queues/media/retry"), 403));
    cr_expect(eq(int, access_status("alice", "POST", "/v1/queues/media/promote"), 403));
    cr_expect(eq(int, access_status("boss", "POST", "/v1/queues/media/pause"), 200));
    cr_expect(eq(int, access_put("boss", "/v1/uploads/a", "x", NULL), 202));

    cr_expect(eq(int, access_put("bob", "/v1/uploads/a", "x", NULL), 403));
    cr_expect(eq(int, access_put("bob", "/v1/uploads/a?queue=media", "x", NULL), 202));
    cr_expect(eq(
        int, access_put("bob", "/v1/uploads/a?queue=media&to=other", "x", NULL), 403));
    cr_expect(eq(
        int, access_put("bob", "/v1/uploads/a?queue=media&to=default,other", "x", NULL),
        403));
    cr_expect(eq(int, access_status("bob", "GET", "/v1/jobs?queue=default"), 422));
    cr_expect(eq(int, access_status("bob", "GET", "/v1/queues/default"), 404));
    r = access_ask("bob", "GET", "/v1/queues", NULL);
    cr_expect(has(&r, "\"name\":\"media\"") && !has(&r, "\"name\":\"default\""), "%s",
              r.text);
    fcgi_response_release(&r);
    r = access_ask("bob", "POST", "/v1/batches", NULL);
    cr_expect(eq(int, r.status, 403), "default is not bob's: %s", r.text);
    fcgi_response_release(&r);
}

Test(responder_access, headers_that_would_change_the_method_are_not_read)
{
    static const char *const params[] = {"HTTP_X_HTTP_METHOD_OVERRIDE=DELETE",
                                         "HTTP_X_METHOD_OVERRIDE=DELETE",
                                         "HTTP_X_HTTP_METHOD=DELETE"};

    responder_up();
    char *id = strdup(responder_upload("/v1/uploads/a"));
    for (size_t i = 0; i < 3; i++) {
        struct fcgi_request get = responder_get(responder_job_uri(id, ""));
        get.param = params[i];
        cr_expect(eq(int, responder_status(&get), 200));
        get.method = "POST";
        cr_expect(eq(int, responder_status(&get), 405));
    }
    cr_expect(responder_field_is(id, "state", "waiting"));
    free(id);
}

/* --- Whose job it is --- */

/* The request's own id is another each time. */
static void blank_id(struct fcgi_response *r)
{
    static const char *const places[] = {"X-Request-Id: ", "\"request_id\":\""};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char *at = strstr(r->text, places[i]);
        if (at)
            memset(at + strlen(places[i]), '-', ID_UUID_LEN);
    }
}

/* What follows the head of these two answers is one text; so are the heads. */
static void expect_alike(const char *name, const char *method, const char *a,
                         const char *b, const char *json)
{
    struct fcgi_response one = access_ask(name, method, a, json);
    struct fcgi_response two = access_ask(name, method, b, json);

    blank_id(&one);
    blank_id(&two);
    cr_expect(eq(int, one.status, 404), "%s %s: %s", method, a, one.text);
    cr_expect(eq(str, one.text, two.text), "%s %s", method, a);
    fcgi_response_release(&one);
    fcgi_response_release(&two);
}

Test(responder_access, anothers_job_is_answered_as_one_that_nobody_has)
{
    static const struct {
        const char *method, *rest, *json;
    } ways[] = {
        {"GET", "", NULL},
        {"GET", "?wait=1", NULL},
        {"HEAD", "", NULL},
        {"DELETE", "", NULL},
        {"POST", "/retry", NULL},
        {"POST", "/promote", NULL},
        {"POST", "/priority", "{\"priority\":0}"},
        {"POST", "/move", "{\"queue\":\"media\"}"},
    };

    access_up();
    char *id = job_of("alice", "/v1/uploads/a?delay=3600");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char theirs[200], nobodys[200];
        (void)snprintf(theirs, sizeof theirs, "/v1/jobs/%s%s", id, ways[i].rest);
        (void)snprintf(nobodys, sizeof nobodys, "/v1/jobs/" UNKNOWN "%s", ways[i].rest);
        expect_alike("bob", ways[i].method, theirs, nobodys, ways[i].json);
    }
    cr_expect(responder_field_is(id, "state", "scheduled"), "nobody touched it");
    cr_expect(responder_field_is(id, "owner", "alice"));
    cr_expect(eq(int, access_status("alice", "GET", responder_job_uri(id, "")), 200));
    cr_expect(eq(int, access_status("boss", "GET", responder_job_uri(id, "")), 200));
    cr_expect(eq(int, access_status("boss", "DELETE", responder_job_uri(id, "")), 200));
    free(id);
}

Test(responder_access, a_list_shows_ones_own_and_admin_sees_all)
{
    access_up();
    char *hers = job_of("alice", "/v1/uploads/a?queue=media");
    char *his = job_of("bob", "/v1/uploads/b?queue=media");
    struct fcgi_response r = access_ask("bob", "GET", "/v1/jobs?queue=media", NULL);
    cr_expect(has(&r, his) && !has(&r, hers), "%s", r.text);
    cr_expect(has(&r, "\"cursor\":null"), "%s", r.text);
    fcgi_response_release(&r);
    r = access_ask("bob", "GET", "/v1/jobs?queue=media&limit=1", NULL);
    cr_expect(has(&r, his), "what is another's does not count: %s", r.text);
    fcgi_response_release(&r);
    r = access_ask("boss", "GET", "/v1/jobs?queue=media", NULL);
    cr_expect(has(&r, his) && has(&r, hers), "%s", r.text);
    fcgi_response_release(&r);
    free(hers);
    free(his);
}

Test(responder_access, ties_and_batches_of_others_are_unknown)
{
    char uri[300], batch[64] = "";

    access_up();
    char *hers = job_of("alice", "/v1/uploads/a?queue=media&delay=3600&unique=u");
    const char *uuid = strchr(hers, '.') + 1;
    (void)snprintf(uri, sizeof uri, "/v1/uploads/b?queue=media&after=%s", hers);
    cr_expect(eq(int, access_put("bob", uri, "x", NULL), 422));
    cr_expect(eq(int, access_put("alice", uri, "x", NULL), 202));
    (void)snprintf(uri, sizeof uri, "/v1/batches/%s", uuid);
    cr_expect(eq(int, access_status("bob", "GET", uri), 404));
    cr_expect(eq(int, access_status("alice", "GET", uri), 200));

    struct fcgi_request put = PUT("/v1/uploads/b?queue=media&unique=u", "x");
    char authorization[100];
    (void)snprintf(authorization, sizeof authorization, "Bearer %s",
                   access_token("bob"));
    put.authorization = authorization;
    struct fcgi_response r = responder_ask(&put);
    cr_expect(eq(int, r.status, 409), "%s", r.text);
    cr_expect(not(has(&r, uuid)), "it does not say whose: %s", r.text);
    fcgi_response_release(&r);

    r = access_ask("alice", "POST", "/v1/batches", "{\"queue\":\"media\"}");
    cr_assert(eq(int, r.status, 201), "%s", r.text);
    (void)sscanf(strstr(r.text, "\"batch\":\""), "\"batch\":\"%36s", batch);
    fcgi_response_release(&r);
    (void)snprintf(uri, sizeof uri, "/v1/batches/%s", batch);
    cr_expect(eq(int, access_status("alice", "GET", uri), 200));
    cr_expect(eq(int, access_status("bob", "GET", uri), 404));
    cr_expect(eq(int, access_status("boss", "GET", uri), 200));
    (void)snprintf(uri, sizeof uri, "/v1/uploads/b?queue=media&batch=%s", batch);
    cr_expect(eq(int, access_put("bob", uri, "x", NULL), 422));
    cr_expect(eq(int, access_put("alice", uri, "x", NULL), 202));
    (void)snprintf(uri, sizeof uri, "/v1/batches/%s/close", batch);
    cr_expect(eq(int, access_status("bob", "POST", uri), 404));
    cr_expect(eq(int, access_status("alice", "POST", uri), 200));
    free(hers);
}

static bool shows(const char *name, const char *uri, const char *part)
{
    struct fcgi_response r = access_ask(name, "GET", uri, NULL);
    bool yes = has(&r, part);

    fcgi_response_release(&r);
    return yes;
}

Test(responder_access,
     what_named_anothers_batch_while_redis_hung_is_in_none_and_says_so)
{
    char uri[300], batch[64] = "", want[128];
    const char *id = "";

    access_up();
    struct fcgi_response r =
        access_ask("alice", "POST", "/v1/batches", "{\"queue\":\"media\"}");
    cr_assert(eq(int, r.status, 201), "%s", r.text);
    (void)sscanf(strstr(r.text, "\"batch\":\""), "\"batch\":\"%36s", batch);
    fcgi_response_release(&r);
    (void)snprintf(uri, sizeof uri, "/v1/uploads/b?queue=media&batch=%s", batch);
    redis_fixture_pause(&rig.redis);
    cr_assert(eq(int, access_put("bob", uri, "x", &id), 202));
    char *his = strdup(id);
    cr_assert(eq(int, access_put("alice", uri, "x", &id), 202));
    char *hers = strdup(id);
    redis_fixture_resume(&rig.redis);
    cr_assert(WAIT_UNTIL(responder_field_is(his, "batch_refused", batch), 20000));
    cr_assert(WAIT_UNTIL(responder_field_is(hers, "batch", batch), 20000));
    cr_expect(responder_field_is(his, "batch", ""));
    cr_expect(responder_field_is(hers, "batch_refused", ""));
    (void)snprintf(want, sizeof want, "\"batch_refused\":\"%s\"", batch);
    /* It may think for a moment yet that Redis is away. */
    cr_expect(WAIT_UNTIL(shows("bob", responder_job_uri(his, ""), want), 20000));
    (void)snprintf(uri, sizeof uri, "/v1/batches/%s", batch);
    cr_expect(WAIT_UNTIL(shows("alice", uri, "\"total\":1,"), 20000));
    free(his);
    free(hers);
}

Test(responder_access, while_redis_is_away_ones_own_is_told_from_the_manifest)
{
    access_up();
    char *id = job_of("alice", "/v1/uploads/a?delay=3600");
    redis_fixture_kill(&rig.redis);
    cr_expect(eq(int, access_status("alice", "GET", responder_job_uri(id, "")), 200));
    cr_expect(eq(int, access_status("bob", "GET", responder_job_uri(id, "")), 503));
    cr_expect(
        eq(int, access_status("bob", "GET", responder_job_uri(UNKNOWN, "")), 503));
    free(id);
}
