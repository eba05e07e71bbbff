/* Uploads through nginx into s3rver, a real S3 server that checks signatures. */
#include "tests/e2e/s3_fixture.h"
#include "tests/e2e/steps.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct tmpdir dir;
static struct s3_fixture s3;
static struct system s;

static void up_behind(const char *web, const char *prefix, const char *secret,
                      const char *more)
{
    char conf[1024];

    tmpdir_make(&dir);
    s3_fixture_start(&s3, dir.path);
    s3_fixture_conf(&s3, prefix, secret, conf, sizeof conf);
    (void)snprintf(conf + strlen(conf), sizeof conf - strlen(conf), "%s", more);
    system_up(&s, &(struct system_options){.web = web, .conf = conf});
}

static void up_with(const char *prefix, const char *secret, const char *more)
{
    up_behind("nginx", prefix, secret, more);
}

static void down(void)
{
    system_down(&s);
    s3_fixture_stop(&s3);
    tmpdir_remove(&dir);
}

TestSuite(s3, .fini = down, .timeout = 150);

static void assert_stored(const char *id, const char *prefix, const char *path)
{
    char key[512], full[600], object[256], meta[256], want[65], got[65];

    job_get(&s, id, "key", key, sizeof key);
    (void)snprintf(full, sizeof full, "%s%s", prefix, key);
    s3_fixture_object(&s3, full, object, meta);
    file_sha256(path, want);
    file_sha256(object, got);
    cr_assert_str_eq(got, want, "%s", full);
}

Test(s3, objects_arrive_whole_with_signature_checked)
{
    static const size_t sizes[] = {0, 1, 4096, 1000000, 40000000};
    char path[256], id[JOB_ID_SIZE], url[1024];

    up_with("in/2026", "S3RVER", "");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        system_make_file(&s, "f.bin", sizes[i], (unsigned)i + 5, path);
        upload_form(&s, path, "f.bin", id);
        system_wait_state(&s, id, "done", 30000);
        assert_stored(id, "in/2026/", path);
    }
    job_get(&s, id, "result", url, sizeof url);
    assert_spool_empty(&s);
}

Test(s3, type_name_and_metadata_go_along)
{
    static const char *const headers[] = {"Content-Type: image/png",
                                          "X-Hoist-Meta-Owner: ann", NULL};
    struct http_answer a = HTTP_ANSWER_INIT;
    char id[JOB_ID_SIZE], key[512], object[256], meta[256], text[4096];

    up_with("", "S3RVER", "");
    http_send(&s.http,
              &(struct http_request){
                  .method = "PUT",
                  .path = "/v1/uploads/%E7%8C%AB.png?key=cats/first%20one.png",
                  .headers = headers,
                  .body = "not really a cat",
                  .body_len = 16},
              &a);
    cr_assert_eq(a.status, 202, "%ld %s", a.status, a.body.data);
    cr_assert(http_json_get(a.body.data, "id", id, sizeof id));
    http_answer_release(&a);
    system_wait_state(&s, id, "done", 20000);
    job_get(&s, id, "key", key, sizeof key);
    cr_expect_str_eq(key, "cats/first one.png");
    s3_fixture_object(&s3, key, object, meta);
    FILE *f = fopen(meta, "re");
    cr_assert_not_null(f, "%s", meta);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    cr_expect(strstr(text, "image/png"), "%s", text);
    cr_expect(strstr(text, "\"x-amz-meta-owner\":\"ann\"") ||
                  strstr(text, "\"x-amz-meta-owner\": \"ann\""),
              "%s", text);
    cr_expect(strstr(text, "%E7%8C%AB.png"), "the name, percent-encoded: %s", text);
}

/* What anybody gets with a URL, whatever else it may hold. */
static long fetch(const char *base, const char *path, struct http_answer *ret)
{
    struct http client;

    http_open(&client, base);
    http_send(&client, &(struct http_request){.method = "GET", .path = path}, ret);
    http_close(&client);
    return ret->status;
}

/* In answers '&' stands as \u0026, for pages that show them. */
static void decode_ampersands(char *text)
{
    static const char coded[] = "\\u0026";

    for (char *at = text; (at = strstr(at, coded)); at++) {
        *at = '&';
        memmove(at + 1, at + sizeof coded - 1, strlen(at + sizeof coded - 1) + 1);
    }
}

Test(s3, a_presigned_url_of_the_result_reads_the_object_and_no_other)
{
    struct http_answer a = HTTP_ANSWER_INIT, object = HTTP_ANSWER_INIT;
    char id[JOB_ID_SIZE], path[256], ask[256], url[2048], base[64], other[2048];

    up_with("in/a b", "S3RVER", "[destination default]\npresign = yes\n");
    system_make_file(&s, "f.bin", 5000, 1, path);
    upload_form(&s, path, "f.bin", id);
    system_wait_state(&s, id, "done", 20000);
    (void)snprintf(ask, sizeof ask, "/v1/jobs/%s?presign=60", id);
    http_send(&s.http, &(struct http_request){.method = "GET", .path = ask}, &a);
    cr_assert_eq(a.status, 200, "%ld %s", a.status, a.body.data);
    cr_assert(http_json_get(a.body.data, "presigned_url", url, sizeof url), "%s",
              a.body.data);
    decode_ampersands(url);
    (void)snprintf(base, sizeof base, "http://127.0.0.1:%d", s3.port);
    cr_assert_eq(strncmp(url, base, strlen(base)), 0, "%s", url);
    const char *target = url + strlen(base);
    cr_expect_eq(fetch(base + 7, target, &object), 200, "%s %s", url, object.body.data);
    cr_expect_eq(object.body.len, 5000);
    (void)snprintf(other, sizeof other, "%s", target);
    *strstr(other, "?") = '0'; /* neither the signature nor the path is right now */
    http_answer_release(&object);
    cr_expect_eq(fetch(base + 7, other, &object), 403);
    char *digit = strstr(url, "X-Amz-Expires=60") + strlen("X-Amz-Expires=");
    *digit = '9';
    http_answer_release(&object);
    cr_expect_eq(fetch(base + 7, target, &object), 403, "not longer than was signed");
    http_answer_release(&object);
    http_answer_release(&a);
}

/* Which destinations the worker says that rest. */
static bool paused(char *text, size_t size)
{
    char id[128], words[256];

    system_redis(&s, id, sizeof id, "ZRANGE hoist:workers 0 0");
    (void)snprintf(words, sizeof words, "HGET hoist:worker:%s paused_destinations", id);
    system_redis(&s, text, size, words);
    return strstr(text, "default") != NULL;
}

static bool state_is(const char *id, const char *want)
{
    char state[64];

    job_hget(&s, id, "state", state, sizeof state);
    return strcmp(state, want) == 0;
}

Test(s3, a_wrong_secret_is_said_and_costs_no_attempt)
{
    char path[256], id[JOB_ID_SIZE], text[1024];

    up_with("", "wrong", "[queue default]\nmax_attempts = 1\n");
    system_make_file(&s, "f.bin", 5000, 1, path);
    upload_form(&s, path, "f.bin", id);
    cr_assert(WAIT_UNTIL(paused(text, sizeof text), 20000), "%s", text);
    cr_expect(WAIT_UNTIL(state_is(id, "scheduled"), 20000));
    job_hget(&s, id, "attempts", text, sizeof text);
    cr_expect(!*text || strcmp(text, "0") == 0, "%s", text);
    cr_expect_eq(system_count_files(&s, "spool/jobs"), 1, "its bytes are kept");
}

Test(s3, uploads_behind_apache_arrive_too)
{
    char path[256], id[JOB_ID_SIZE];

    up_behind("apache", "in", "S3RVER", "");
    system_make_file(&s, "f.bin", 3000000, 9, path);
    upload_form(&s, path, "f.bin", id);
    system_wait_state(&s, id, "done", 30000);
    assert_stored(id, "in/", path);
    upload_raw(&s, "PUT", "/v1/uploads/chunked.bin", path, true, id);
    system_wait_state(&s, id, "done", 30000);
    assert_stored(id, "in/", path);
    assert_spool_empty(&s);
}
