/*
 * Policies that are good for one upload, whatever happens to Redis; who may make which; and what pages of other origins may do.
 */
#include "tests/integration/policy_rig.h"

#include "fcgi-app/auth/policy_marks.h"
#include "tests/support/wait_until.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

TestSuite(responder_policy_uses, .init = policy_up, .fini = responder_down,
          .timeout = 120);

static void *put_once(void *policy)
{
    const struct fcgi_request put = {
        .method = "PUT", .uri = policy, .body = "hello", .body_len = 5};
    return (void *)(intptr_t)responder_status(&put);
}

Test(responder_policy_uses,
     one_with_a_nonce_is_good_for_one_upload_whatever_redis_forgets)
{
    enum { CLIENTS = 8 };
    char *policy = strdup(policy_of(",\"nonce\":\"once-00001\",\"min_bytes\":2"));
    char *uri = strdup(policy_in("/v1/uploads/a", policy));
    pthread_t threads[CLIENTS];
    size_t taken = 0, refused = 0;

    /* What was refused has not used it up. */
    const struct fcgi_request small = {
        .method = "PUT", .uri = uri, .body = "x", .body_len = 1};
    cr_expect(eq(int, responder_status(&small), 403));
    for (size_t i = 0; i < CLIENTS; i++)
        cr_assert(pthread_create(&threads[i], NULL, put_once, uri) == 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        void *status;
        (void)pthread_join(threads[i], &status);
        taken += (intptr_t)status == 202;
        refused += (intptr_t)status == 409;
    }
    cr_expect(eq(sz, taken, 1));
    cr_expect(eq(sz, refused, CLIENTS - 1));
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    cr_expect(policy_put_says(uri, NULL, 409, "policy-used", NULL));
    (void)spawn_stop(&rig.process, 10000);
    responder_start();
    cr_expect(policy_put_says(uri, NULL, 409, "policy-used", NULL));
    cr_expect(eq(sz, responder_count("policies"), 1));
    /* One without is good until it expires. */
    char *many = strdup(policy_in("/v1/uploads/a", policy_of("")));
    cr_expect(policy_put_says(many, NULL, 202, "\"id\"", NULL));
    cr_expect(policy_put_says(many, NULL, 202, "\"id\"", NULL));
    free(policy);
    free(uri);
    free(many);
}

static void forget_marks(void)
{
    char command[512];

    snprintf(command, sizeof command, "rm -r %s/spool/policies", rig.dir.path);
    FILE *f = popen(command, "re");
    cr_assert(f && pclose(f) == 0);
}

Test(responder_policy_uses, redis_tells_those_on_other_hosts_and_is_not_needed_here)
{
    char *uri =
        strdup(policy_in("/v1/uploads/a", policy_of(",\"nonce\":\"once-00002\"")));
    char *away =
        strdup(policy_in("/v1/uploads/a", policy_of(",\"nonce\":\"once-00003\"")));

    cr_expect(policy_put_says(uri, NULL, 202, "\"id\"", NULL));
    forget_marks(); /* as another host, whose spool is another one */
    cr_expect(policy_put_says(uri, NULL, 409, "policy-used", NULL));
    /* What has a key of its own is decided on at the promise. */
    struct fcgi_request put = PUT(uri, "hello");
    put.param = "HTTP_IDEMPOTENCY_KEY=other";
    put.body_len = 5;
    cr_expect(eq(int, responder_status(&put), 409));
    redis_fixture_pause(&rig.redis);
    cr_expect(policy_put_says(away, NULL, 202, "\"id\"", NULL));
    cr_expect(policy_put_says(away, NULL, 409, "policy-used", NULL));
    redis_fixture_resume(&rig.redis);
    free(uri);
    free(away);
}

Test(responder_policy_uses, a_repetition_with_its_key_is_answered_as_the_first_one_was)
{
    char *uri = strdup(policy_in(
        "/v1/uploads/a", policy_of(",\"nonce\":\"once-00006\",\"min_bytes\":5")));
    struct fcgi_request put = PUT(uri, "hello"),
                        form = FORM(FORM_FIELD("policy", "x") FORM_FILE("a", "b")
                                        FORM_END);
    char id[2][128];

    put.param = form.param = "HTTP_IDEMPOTENCY_KEY=k-1";
    for (size_t i = 0; i < 2; i++) {
        struct fcgi_response r = responder_ask(&put);
        cr_assert(eq(int, r.status, 202), "%s", r.text);
        (void)snprintf(id[i], sizeof id[i], "%s", responder_id(&r));
        fcgi_response_release(&r);
    }
    cr_expect(eq(str, id[0], id[1]));
    cr_expect(eq(sz, responder_count("jobs"), 2));
    put.param = "HTTP_IDEMPOTENCY_KEY=k-2";
    cr_expect(eq(int, responder_status(&put), 409));
    /* Whose key it is, is known before the form is read. */
    cr_expect(eq(int, responder_status(&form), 401));
    free(uri);
}

/* What is taken back has not been made. */
Test(responder_policy_uses, one_whose_upload_was_a_duplicate_is_good_for_another)
{
    char *id;

    cr_assert(policy_put_says(
        policy_in("/v1/uploads/a",
                  policy_of(",\"unique\":\"u\",\"nonce\":\"once-00004\"")),
        NULL, 202, "\"id\"", &id));
    cr_assert(WAIT_UNTIL(responder_field_is(id, "state", "waiting"), 5000));
    char *uri = strdup(policy_in(
        "/v1/uploads/a", policy_of(",\"unique\":\"u\",\"nonce\":\"once-00005\"")));
    cr_expect(policy_put_says(uri, NULL, 409, "problem:duplicate", NULL));
    cr_expect(eq(sz, responder_count("policies"), 1));
    const struct fcgi_request cancel = {.method = "DELETE",
                                        .uri = responder_job_uri(id, ""),
                                        .authorization = POLICY_SHOP};
    cr_expect(eq(int, responder_status(&cancel), 200));
    cr_expect(policy_put_says(uri, NULL, 202, "\"id\"", NULL));
    cr_expect(policy_put_says(uri, NULL, 409, "policy-used", NULL));
    free(uri);
    free(id);
}

/* Ask for one; the answer's policy, the caller frees; "" when it was refused. */
static char *mint(const char *token, const char *json, int status, const char *part)
{
    const struct fcgi_request post = {.method = "POST",
                                      .uri = "/v1/policies",
                                      .type = "application/json",
                                      .authorization = token,
                                      .body = json,
                                      .body_len = strlen(json)};
    struct fcgi_response r = responder_ask(&post);
    char *at = strstr(r.body, "{\"policy\":\"");

    cr_expect(r.status == status && strstr(r.text, part), "%s: %s", json, r.text);
    char *policy = at ? strndup(at + 11, strcspn(at + 11, "\"")) : strdup("");
    fcgi_response_release(&r);
    return policy;
}

Test(responder_policy_uses, a_token_makes_one_that_allows_no_more_than_it_may_itself)
{
    static const struct {
        const char *token, *json;
        int status;
        const char *part;
    } rows[] = {
        {POLICY_SHOP, "{\"queue\":\"secret\"}", 403, "forbidden"},
        {POLICY_SHOP, "{\"to\":\"other\"}", 403, "forbidden"},
        {POLICY_SHOP, "{\"to\":\"nosuch\"}", 422, "unknown-destination"},
        {POLICY_SHOP, "{\"nosuch\":1}", 400, "bad-option"},
        {POLICY_SHOP, "{\"max_bytes\":\"1\"}", 422, "max_bytes"},
        {POLICY_SHOP, "{\"expires_in\":604801}", 422, "expires_in"},
        {POLICY_SHOP, "{\"expires\":1}", 422, "over already"},
        {POLICY_SHOP, "{\"expires\":99999999999}", 422, "7 days"},
        {POLICY_SHOP, "{\"expires\":1,\"expires_in\":1}", 422, "not together"},
        {POLICY_SHOP, "{\"once\":1}", 422, "once"},
        {POLICY_SHOP, "{\"key_prefix\":\"/\"}", 422, "key_prefix"},
        {POLICY_ADMIN, "{}", 403, "policy_key"},
        {NULL, "{}", 401, "unauthorized"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        free(mint(rows[i].token, rows[i].json, rows[i].status, rows[i].part));
    char *policy = mint(POLICY_SHOP,
                        "{\"queue\":\"media\",\"max_bytes\":5,\"once\":true,"
                        "\"meta.a\":\"x\\\"y/<\"}",
                        201, "\"expires\":");
    char *id;
    cr_assert(policy_put_says(policy_in("/v1/uploads/a", policy), NULL, 202,
                              "\"id\":\"media.", &id));
    char *text = policy_manifest(id);
    cr_expect(strstr(text, "x\\\"y/\\u003c") != NULL, "%s", text);
    cr_expect(policy_put_says(policy_in("/v1/uploads/a", policy), NULL, 409,
                              "policy-used", NULL));
    free(text);
    free(id);
    free(policy);
}

Test(responder_policy_uses,
     pages_of_listed_origins_read_everything_errors_too_others_nothing)
{
    static const char allow[] = "Access-Control-Allow-Origin: https://x.b.example\r\n";
    struct fcgi_request preflight = {.method = "OPTIONS",
                                     .uri = "/v1/uploads",
                                     .param = "HTTP_ORIGIN=https://x.b.example"};
    struct fcgi_request put = PUT("/v1/uploads/a", "hello");
    struct fcgi_response r;

    put.param = "HTTP_ORIGIN=https://x.b.example";
    r = responder_ask(&put);
    cr_expect(r.status == 401 && strstr(r.text, allow), "%s", r.text);
    fcgi_response_release(&r);
    put.uri = policy_in("/v1/uploads/a", policy_of(""));
    r = responder_ask(&put);
    cr_expect(r.status == 202 && strstr(r.text, allow), "%s", r.text);
    cr_expect(strstr(r.text, "Vary: Origin\r\n") != NULL);
    fcgi_response_release(&r);
    put.param = "HTTP_ORIGIN=https://evil.example";
    r = responder_ask(&put);
    cr_expect(r.status == 403 && strstr(r.text, "foreign-origin"), "%s", r.text);
    cr_expect(strstr(r.text, "Access-Control") == NULL, "%s", r.text);
    fcgi_response_release(&r);
    put.authorization = POLICY_SHOP;
    put.uri = "/v1/uploads/a";
    cr_expect(eq(int, responder_status(&put), 403));
    put.param = "HTTP_ORIGIN=null";
    cr_expect(eq(int, responder_status(&put), 403));
    r = responder_ask(&preflight); /* OPTIONS, but no preflight */
    cr_expect(r.status == 204 && strstr(r.text, allow), "%s", r.text);
    cr_expect(strstr(r.text, "Access-Control-Allow-Methods") == NULL);
    fcgi_response_release(&r);
    preflight.param2 = "HTTP_ACCESS_CONTROL_REQUEST_METHOD=POST";
    r = responder_ask(&preflight); /* without a token, as browsers send it */
    cr_expect(r.status == 204 && strstr(r.text, allow), "%s", r.text);
    cr_expect(strstr(r.text, "Access-Control-Allow-Methods: POST, OPTIONS") != NULL);
    fcgi_response_release(&r);
    preflight.param = "HTTP_ORIGIN=https://b.example";
    r = responder_ask(&preflight);
    cr_expect(r.status == 204 && !strstr(r.text, "Access-Control"), "%s", r.text);
    fcgi_response_release(&r);
    cr_expect(eq(sz, responder_count("jobs"), 2));
}

Test(responder_policy_uses, marks_of_what_has_expired_are_swept_and_no_others)
{
    struct config_spool spool = {.dir = rig.dir.path, .durability = CONFIG_DISK};
    struct policy old = {.id = "0123456789abcdef0123456789abcdef", .expires = 5000},
                  live = {.id = "1123456789abcdef0123456789abcdef", .expires = 5001};
    struct policy_sweep sweep = {.dir = NULL};
    struct err e = ERR_INIT;
    bool used = true;

    /* Nothing to do without the directory. */
    policy_marks_sweep(&sweep, &spool, 5000, 0);
    cr_expect(sweep.next_ms == POLICY_MARKS_PAUSE_MS && sweep.dir == NULL);
    cr_assert(eq(int, policy_marks_make(&spool, &old, &used, &e), ERR_OK));
    cr_expect(eq(int, used, false));
    cr_assert(eq(int, policy_marks_make(&spool, &old, &used, &e), ERR_OK));
    cr_expect(eq(int, used, true));
    cr_assert(eq(int, policy_marks_make(&spool, &live, &used, &e), ERR_OK));
    struct tmpdir_file other = tmpdir_write(&rig.dir, "policies/other", "", 0);
    const struct timespec ancient[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    cr_assert(utimensat(AT_FDCWD, other.path, ancient, 0) == 0);
    policy_marks_sweep(&sweep, &spool, 5001 + POLICY_MARKS_KEEP,
                       POLICY_MARKS_PAUSE_MS - 1);
    cr_expect(policy_marks_has(&spool, &old)); /* not yet */
    policy_marks_sweep(&sweep, &spool, 5001 + POLICY_MARKS_KEEP, POLICY_MARKS_PAUSE_MS);
    cr_expect(policy_marks_has(&spool, &old) == false);
    cr_expect(policy_marks_has(&spool, &live));
    cr_expect(access(other.path, F_OK) == 0);
    policy_marks_remove(&spool, &live);
    cr_expect(policy_marks_has(&spool, &live) == false);
    policy_sweep_release(&sweep);
    spool.dir = other.path;
    cr_expect(eq(int, policy_marks_make(&spool, &live, &used, &e), ERR_CONFIG));
    cr_expect(strstr(e.text, "policies") != NULL, "%s", e.text);
}

/* Whoever's page it is that a browser on this machine shows. */
Test(responder_policy_uses, without_a_section_no_page_but_its_own_reaches_the_service)
{
    static const struct {
        const char *host, *origin;
        int put, get;
    } rows[] = {
        {"HTTP_HOST=127.0.0.1:8080", "HTTP_ORIGIN=http://127.0.0.1:8080", 202, 404},
        {"HTTP_HOST=127.0.0.1:8080", "HTTP_ORIGIN=http://127.0.0.1:3000", 403, 404},
        {"HTTP_HOST=127.0.0.1:8080", "HTTP_ORIGIN=https://evil.example", 403, 404},
        {"HTTP_HOST=evil.example:8080", "HTTP_ORIGIN=http://evil.example:8080", 403,
         403},
    };

    responder_down(); /* a test's .init comes after its suite's, not in its place */
    responder_up();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fcgi_request put = PUT("/v1/uploads/a", "hello");
        struct fcgi_request get =
            responder_get("/v1/jobs/default.0193c0de-7a1b-7c3d-9e4f-0123456789ab");
        put.param = get.param = rows[i].host;
        put.param2 = get.param2 = rows[i].origin;
        cr_expect(eq(int, responder_status(&put), rows[i].put), "row %zu", i);
        cr_expect(eq(int, responder_status(&get), rows[i].get), "row %zu", i);
    }
    cr_expect(eq(sz, responder_count("jobs"), 2));
}
