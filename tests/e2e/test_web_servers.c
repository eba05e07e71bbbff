/* The same job behind Apache, lighttpd, Caddy and HAProxy; two systems side by side. */
#include "tests/e2e/steps.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct system s, other;

static void down(void)
{
    system_down(&s);
    system_down(&other);
}

TestSuite(web_servers, .fini = down, .timeout = 120);

static void expect_page(struct system *system, const char *path, const char *type,
                        const char *part)
{
    struct http_answer a = HTTP_ANSWER_INIT;

    http_send(&system->http, &(struct http_request){.method = "GET", .path = path}, &a);
    cr_expect(a.status == 200 && strncmp(a.content_type, type, strlen(type)) == 0 &&
                  strstr(a.body.data, part),
              "%s: %ld %s: %s", path, a.status, a.content_type, a.body.data);
    http_answer_release(&a);
}

/* A client that names a file as nginx does for large bodies (deploy/nginx/hoist-bodies.conf): it is a header, and its own
 * body is what is stored. */
static void assert_no_file_is_named(struct system *system, const char *named)
{
    static const char *const names[] = {"Hoist-Body-File", "Hoist_Body_File",
                                        "HOIST_BODY_FILE"};
    char path[256], id[JOB_ID_SIZE], header[320];
    struct http_answer a = HTTP_ANSWER_INIT;

    system_make_file(system, "own.bin", 1000, 4, path);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(header, sizeof header, "%s: %s", names[i], named);
        http_send(&system->http,
                  &(struct http_request){.method = "PUT",
                                         .path = "/v1/uploads/own.bin",
                                         .body_path = path,
                                         .headers = (const char *[]){header, NULL}},
                  &a);
        cr_assert_eq(a.status, 202, "%s: %ld %s", header, a.status, a.body.data);
        cr_assert(http_json_get(a.body.data, "id", id, sizeof id), "%s", a.body.data);
        http_answer_release(&a);
        a = (struct http_answer)HTTP_ANSWER_INIT;
        system_wait_state(system, id, "done", 20000);
        assert_object_is(system, id, path);
    }
}

static void use(struct system *system, bool chunked)
{
    static char body[300000];
    char path[256], id[JOB_ID_SIZE];

    system_make_file(system, "f.bin", 5000000, 3, path);
    upload_form(system, path, "f.bin", id);
    system_wait_state(system, id, "done", 20000);
    assert_object_is(system, id, path);
    upload_raw(system, "PUT", "/v1/uploads/raw.bin", path, false, id);
    system_wait_state(system, id, "done", 20000);
    assert_object_is(system, id, path);
    if (chunked) {
        upload_raw(system, "PUT", "/v1/uploads/chunked.bin", path, true, id);
        system_wait_state(system, id, "done", 20000);
        assert_object_is(system, id, path);
    } else {
        expect_status(system,
                      &(struct http_request){.method = "PUT",
                                             .path = "/v1/uploads/x",
                                             .body_path = path,
                                             .chunked = true},
                      411, "length-required");
    }
    expect_status(system,
                  &(struct http_request){.method = "PUT",
                                         .path = "/v1/uploads/x?queue=small",
                                         .body = body,
                                         .body_len = sizeof body},
                  413, "too-large");
    expect_status(system,
                  &(struct http_request){.method = "GET", .path = "/v1/nothing"}, 404,
                  "urn:hoist:problem:");
    assert_no_file_is_named(system, path);
    expect_status(system, &(struct http_request){.method = "GET", .path = "/healthz"},
                  200, NULL);
    expect_page(system, "/hoist.js", "text/javascript", "hoist.upload(file");
    expect_page(system, "/example/", "text/html", "src=\"/hoist.js\"");
    assert_events_flow(system, path);
    assert_spool_empty(system);
}

#define UNAVAILABLE "urn:hoist:problem:unavailable"
static const char small[] =
    "[http]\nmax_listeners = 1\n[queue small]\nmax_bytes = 1K\n";

/* What the web server says while the responder is away; problem NULL: its own page. */
static void expect_away(struct system *system, long status, const char *problem)
{
    struct http_answer a = HTTP_ANSWER_INIT;

    http_send(&system->http,
              &(struct http_request){.method = "GET", .path = "/healthz"}, &a);
    cr_expect_eq(a.status, status, "%ld %s", a.status, a.error);
    if (problem) {
        cr_expect_str_eq(a.content_type, "application/problem+json");
        cr_expect_str_eq(a.retry_after, "5");
        cr_expect(strstr(a.body.data, problem) != NULL, "%s", a.body.data);
    }
    http_answer_release(&a);
}

/* The responder is killed, and started again with settings that want a token. */
static void want_token(struct system *system, long status, const char *problem)
{
    static const char conf[] = "[queue small]\nmax_bytes = 1K\n" STEPS_AUTH;

    (void)tmpdir_write(&system->dir, "overlay.ini", conf, sizeof conf - 1);
    system_kill(system, "fcgi");
    expect_away(system, status, problem);
    system_again(system);
    assert_token_arrives(system);
}

Test(web_servers, apache_uploads_arrive_whole)
{
    system_up(&s, &(struct system_options){.web = "apache", .conf = small});
    use(&s, true);
    want_token(&s, 503, UNAVAILABLE);
}

Test(web_servers, lighttpd_uploads_arrive_whole)
{
    system_up(&s, &(struct system_options){.web = "lighttpd", .conf = small});
    use(&s, true);
    want_token(&s, 503, NULL);
}

Test(web_servers, caddy_uploads_arrive_whole)
{
    system_up(&s, &(struct system_options){.web = "caddy", .conf = small});
    use(&s, true);
    want_token(&s, 502, UNAVAILABLE);
}

Test(web_servers, haproxy_uploads_arrive_whole)
{
    system_up(&s, &(struct system_options){.web = "haproxy", .conf = small});
    use(&s, false);
    want_token(&s, 503, UNAVAILABLE);
}

Test(web_servers, two_systems_run_side_by_side)
{
    char path[256], id[JOB_ID_SIZE], get[192];

    system_up(&s, &(struct system_options){.conf = small});
    system_up(&other, &(struct system_options){.web = "lighttpd", .conf = small});
    system_make_file(&s, "f.bin", 5000, 3, path);
    upload_form(&s, path, "f.bin", id);
    system_wait_state(&s, id, "done", 20000);
    (void)snprintf(get, sizeof get, "/v1/jobs/%s", id);
    expect_status(&other, &(struct http_request){.method = "GET", .path = get}, 404,
                  NULL);
    system_down(&s);
    use(&other, true);
}
