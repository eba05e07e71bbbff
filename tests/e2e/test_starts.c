/*
 * The ways to be started other than as a daemon behind a web server: by Apache and lighttpd for each request (CGI), by Apache's
 * mod_fcgid, by spawn-fcgi and by a systemd socket.
 */
#include "tests/e2e/starts_rig.h"
#include "tests/e2e/steps.h"
#include "tests/support/fcgi_client.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define MODULES "/usr/lib/apache2/modules"

TestSuite(starts, .init = starts_up, .fini = starts_down, .timeout = 120);

/* --- What all of them do --- */

static void finish(const char *id, const char *path)
{
    system_wait_state(&starts.system, id, "done", 20000);
    assert_object_is(&starts.system, id, path);
}

/* chunked: 202, or what a body without a length is answered. */
static void use(long chunked)
{
    static char body[300000];
    static const char *const small[] = {"X-Hoist-Queue: small", NULL};
    char path[256], id[JOB_ID_SIZE];

    system_make_file(&starts.system, "100k", 100 * 1024, 3, path);
    upload_raw(&starts.system, "PUT", "/v1/uploads/a%2Fb.bin", path, false, id);
    finish(id, path);
    system_make_file(&starts.system, "200k", 200 * 1024, 4, path);
    upload_form(&starts.system, path, "f.bin", id);
    finish(id, path);
    expect_status(&starts.system,
                  &(struct http_request){.method = "PUT",
                                         .path = "/v1/uploads/c",
                                         .body_path = path,
                                         .chunked = true},
                  chunked, chunked == 202 ? NULL : "length-required");
    expect_status(&starts.system,
                  &(struct http_request){.method = "PUT",
                                         .path = "/v1/uploads/x",
                                         .headers = small,
                                         .body = body,
                                         .body_len = sizeof body},
                  413, "too-large");
    expect_status(&starts.system,
                  &(struct http_request){.method = "GET", .path = "/healthz?--help"},
                  200, NULL);
    expect_status(&starts.system,
                  &(struct http_request){.method = "GET", .path = "/v1/nothing"}, 404,
                  "urn:hoist:problem:");
    assert_spool_empty(&starts.system);
}

Test(starts, apache_runs_it_for_each_request)
{
    char more[512];

    (void)snprintf(more, sizeof more,
                   "LoadModule cgid_module " MODULES "/mod_cgid.so\nScriptSock "
                   "%s/tmp/cgid\n",
                   starts.system.dir.path);
    starts_apache("apache/hoist-cgi.conf", more);
    use(411);
    starts_want_token(); /* of the next process, which is the next request's */
    assert_token_arrives(&starts.system);
}

Test(starts, lighttpd_runs_it_for_each_request)
{
    starts_lighttpd("lighttpd/hoist-cgi.conf");
    use(202);
    starts_want_token();
    assert_token_arrives(&starts.system);
}

/* --- mod_fcgid --- */

static void start_fcgid(const char *limit)
{
    char more[1024];

    (void)snprintf(more, sizeof more,
                   "LoadModule fcgid_module " MODULES "/mod_fcgid.so\nFcgidIPCDir "
                   "%s/tmp/fcgid\nFcgidProcessTableFile %s/tmp/fcgid_shm\n%s",
                   starts.system.dir.path, starts.system.dir.path, limit);
    starts_apache("apache/hoist-fcgid.conf", more);
}

static int count_in_log(const char *text)
{
    char line[4200];
    int n = 0;
    FILE *f = fopen(starts.web_log, "re");

    while (f && fgets(line, sizeof line, f))
        n += strstr(line, text) != NULL;
    if (f)
        (void)fclose(f);
    return n;
}

Test(starts, mod_fcgid_runs_it_and_ends_it)
{
    start_fcgid("");
    use(202);
    family_stop(&starts.web);
    cr_expect_geq(count_in_log("msg=ready"), 1);
    cr_expect_eq(count_in_log("msg=stopped"), count_in_log("msg=ready"));
    starts_want_token();
    starts_apache_again(NULL);
    assert_token_arrives(&starts.system);
}

/* What the file of deploy/ sets FcgidMaxRequestLen for. */
Test(starts, mod_fcgid_by_itself_refuses_bodies_of_more_than_128_kib)
{
    struct http_answer a = HTTP_ANSWER_INIT;
    char path[256], id[JOB_ID_SIZE];

    start_fcgid("");
    starts_apache_again("\nFcgidMaxRequestLen ");
    system_make_file(&starts.system, "100k", 100 * 1024, 3, path);
    upload_raw(&starts.system, "PUT", "/v1/uploads/a", path, false, id);
    finish(id, path);
    system_make_file(&starts.system, "200k", 200 * 1024, 4, path);
    http_send(&starts.system.http,
              &(struct http_request){
                  .method = "PUT", .path = "/v1/uploads/a", .body_path = path},
              &a);
    cr_expect_eq(a.status, 500);
    cr_expect_null(strstr(a.body.data, "urn:hoist"), "%s", a.body.data);
    http_answer_release(&a);
    assert_spool_empty(&starts.system);
}

/* --- Those who hand over a socket --- */

static void upload_by_socket(const char *path)
{
    struct fcgi_client c;
    char id[JOB_ID_SIZE], uri[192];
    const struct fcgi_request put = {
        .method = "PUT", .uri = "/v1/uploads/a", .body = "hello", .body_len = 5};

    cr_assert(WAIT_UNTIL(fcgi_client_try_open(&c, path), 10000));
    fcgi_client_request(&c, &put);
    struct fcgi_response r = fcgi_client_response(&c, 20000);
    fcgi_client_close(&c);
    cr_assert_eq(r.status, 202, "%s", r.text);
    cr_assert(http_json_get(r.body, "id", id, sizeof id));
    fcgi_response_release(&r);
    (void)snprintf(uri, sizeof uri, "/v1/jobs/%s?wait=20", id);
    fcgi_client_open(&c, path);
    fcgi_client_request(&c, &(struct fcgi_request){.method = "GET", .uri = uri});
    r = fcgi_client_response(&c, 30000);
    fcgi_client_close(&c);
    cr_expect(strstr(r.text, "\"state\":\"done\"") != NULL, "%s", r.text);
    fcgi_response_release(&r);
}

Test(starts, spawn_fcgi_hands_it_a_socket)
{
    struct tmpdir_file path = tmpdir_file(&starts.system.dir, "spawn.sock");
    char setting[192];

    (void)snprintf(setting, sizeof setting, "HOIST_CONFIG=%s", starts.config);
    starts_run((const char *const[]){"spawn-fcgi", "-n", "-s", path.path, "-M", "0660",
                                     "--", starts.program, NULL},
               (const char *const[]){setting, NULL});
    upload_by_socket(path.path);
}

Test(starts, systemd_hands_it_a_socket)
{
    struct tmpdir_file path = tmpdir_file(&starts.system.dir, "systemd.sock");

    starts_run((const char *const[]){"systemd-socket-activate", "-l", path.path,
                                     starts.program, "--config", starts.config, NULL},
               NULL);
    upload_by_socket(path.path);
}
