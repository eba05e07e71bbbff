/* Uploads through nginx into s3rver, a real S3 server that checks signatures. */
#include "tests/e2e/s3_fixture.h"
#include "tests/e2e/steps.h"

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

Test(s3, a_wrong_secret_is_said_and_the_bytes_are_kept)
{
    char path[256], id[JOB_ID_SIZE], text[256];

    up_with("", "wrong", "[queue default]\nmax_attempts = 1\n");
    system_make_file(&s, "f.bin", 5000, 1, path);
    upload_form(&s, path, "f.bin", id);
    system_wait_state(&s, id, "dead", 20000);
    job_hget(&s, id, "error_class", text, sizeof text);
    cr_expect_str_eq(text, "config");
    job_hget(&s, id, "error", text, sizeof text);
    cr_expect(strstr(text, "SignatureDoesNotMatch"), "%s", text);
    cr_expect_eq(system_count_files(&s, "spool/jobs"), 2,
                 "the bytes of a dead job are kept");
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
