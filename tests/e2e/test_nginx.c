/* Uploads through real nginx into the file: destination. */
#include "tests/e2e/steps.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct system s;

static void up(void)
{
    system_up(&s, &(struct system_options){.conf = "[queue default]\nmax_bytes = 2G\n"
                                                   "[queue small]\nmax_bytes = 1K\n"
                                                   "[http]\nmax_listeners = 1\n"});
}

static void down(void)
{
    system_down(&s);
}

TestSuite(nginx, .init = up, .fini = down, .timeout = 150);

Test(nginx, files_of_many_sizes_arrive_whole)
{
    static const size_t sizes[] = {0,       1,        2,       8191,  8192,
                                   8193,    65535,    65536,   65537, 262144,
                                   1000000, 16777216, 16777217};
    char path[256], id[JOB_ID_SIZE];

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        system_make_file(&s, "f.bin", sizes[i], (unsigned)i, path);
        upload_form(&s, path, "f.bin", id);
        system_wait_state(&s, id, "done", 20000);
        assert_object_is(&s, id, path);
    }
    assert_spool_empty(&s);
}

Test(nginx, a_file_of_a_gibibyte_arrives_whole)
{
    char path[256], id[JOB_ID_SIZE];

    system_make_file(&s, "big.bin", (size_t)1 << 30, 7, path);
    upload_form(&s, path, "big.bin", id);
    system_wait_state(&s, id, "done", 90000);
    assert_object_is(&s, id, path);
    assert_spool_empty(&s);
}

Test(nginx, real_files_of_this_machine_arrive_whole)
{
    static const char *const files[] = {"/bin/sh", "/etc/services", "/etc/os-release",
                                        "/usr/bin/redis-cli",
                                        HOIST_SOURCE_DIR "/LICENSE"};
    char id[JOB_ID_SIZE], name[256];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (access(files[i], R_OK) != 0)
            continue;
        upload_form(&s, files[i], strrchr(files[i], '/') + 1, id);
        system_wait_state(&s, id, "done", 20000);
        assert_object_is(&s, id, files[i]);
        job_get(&s, id, "name", name, sizeof name);
        cr_expect_str_eq(name, strrchr(files[i], '/') + 1);
    }
}

Test(nginx, raw_and_put_and_chunked_bodies_arrive_whole)
{
    char path[256], id[JOB_ID_SIZE], name[256];

    system_make_file(&s, "f.bin", 300000, 1, path);
    assert_events_flow(&s, path);
    upload_raw(&s, "POST", "/v1/uploads", path, false, id);
    system_wait_state(&s, id, "done", 20000);
    assert_object_is(&s, id, path);
    upload_raw(&s, "PUT", "/v1/uploads/report%202026.pdf", path, false, id);
    system_wait_state(&s, id, "done", 20000);
    assert_object_is(&s, id, path);
    job_get(&s, id, "name", name, sizeof name);
    cr_expect_str_eq(name, "report 2026.pdf");
    upload_raw(&s, "PUT", "/v1/uploads/streamed.bin", path, true, id);
    system_wait_state(&s, id, "done", 20000);
    assert_object_is(&s, id, path);
    assert_spool_empty(&s);
}

Test(nginx, names_in_unicode_are_kept_and_never_become_paths)
{
    static const struct {
        const char *sent, *kept;
    } rows[] = {
        {"r\xc3\xa9sum\xc3\xa9.pdf", "r\xc3\xa9sum\xc3\xa9.pdf"},
        {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e.txt",
         "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e.txt"},
        {"\xf0\x9f\x90\x98.png", "\xf0\x9f\x90\x98.png"},
        {"../../etc/passwd", "passwd"},
        {"..", "file"},
        {"C:\\temp\\a.doc", "a.doc"},
    };
    char path[256], id[JOB_ID_SIZE], name[512], key[512];

    system_make_file(&s, "f.bin", 10, 1, path);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        upload_form(&s, path, rows[i].sent, id);
        system_wait_state(&s, id, "done", 20000);
        job_get(&s, id, "name", name, sizeof name);
        cr_expect_str_eq(name, rows[i].kept, "row %zu: %s", i, name);
        job_get(&s, id, "key", key, sizeof key);
        cr_expect_eq(strncmp(key, strchr(id, '.') + 1, 36), 0, "%s: no id", key);
    }
}

Test(nginx, one_form_with_several_files_and_options_is_several_jobs)
{
    struct http_answer a = HTTP_ANSWER_INIT;
    char one[256], two[256], id[JOB_ID_SIZE], value[64];

    system_make_file(&s, "one", 1000, 1, one);
    system_make_file(&s, "two", 70000, 2, two);
    const struct http_part parts[] = {
        {.name = "priority", .value = "3"},
        {.name = "a", .path = one, .filename = "one.txt"},
        {.name = "priority", .value = "7"},
        {.name = "b", .path = two, .filename = "two.txt"},
    };
    http_send(&s.http,
              &(struct http_request){.method = "POST",
                                     .path = "/v1/uploads?meta.owner=ann",
                                     .parts = parts,
                                     .part_count = 4},
              &a);
    cr_assert_eq(a.status, 202, "%ld %s", a.status, a.body.data);
    cr_expect_str_eq(a.location, "", "two jobs have no one Location");
    const char *second = strstr(a.body.data, "\"id\"");
    second = second ? strstr(second + 1, "\"id\"") : NULL;
    cr_assert_not_null(second, "%s", a.body.data);
    cr_assert(http_json_get(a.body.data, "id", id, sizeof id));
    system_wait_state(&s, id, "done", 20000);
    assert_object_is(&s, id, one);
    job_get(&s, id, "priority", value, sizeof value);
    cr_expect_str_eq(value, "3");
    job_hget(&s, id, "meta.owner", value, sizeof value);
    cr_expect_str_eq(value, "ann");
    cr_assert(http_json_get(second, "id", id, sizeof id));
    system_wait_state(&s, id, "done", 20000);
    assert_object_is(&s, id, two);
    job_get(&s, id, "priority", value, sizeof value);
    cr_expect_str_eq(value, "7");
    http_answer_release(&a);
    assert_spool_empty(&s);
}

/* The FastCGI records of a DELETE of that job, as a responder would read them. */
static size_t make_smuggled(const char *id, char *to)
{
    char params[512] = "\x0b\x09REMOTE_ADDR127.0.0.1\x0e\x06REQUEST_METHODDELETE\x0b";
    size_t uri = strlen("/v1/jobs/") + strlen(id), len = strlen(params);

    params[len++] = (char)uri;
    len += (size_t)snprintf(params + len, sizeof params - len, "REQUEST_URI/v1/jobs/%s",
                            id);
    memcpy(to, "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0\1\4\0\1\0", 21);
    to[21] = (char)len;
    memcpy(to + 22, "\0\0", 2);
    memcpy(to + 24, params, len);
    memcpy(to + 24 + len, "\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0", 16);
    return 40 + len;
}

Test(nginx, a_file_over_the_limit_is_refused_and_smuggles_no_request)
{
    static char body[200000], smuggled[600];
    char path[256], victim[JOB_ID_SIZE], state[32];

    system_make_file(&s, "f.bin", 10, 1, path);
    upload_raw(&s, "PUT", "/v1/uploads/victim?delay=3600", path, false, victim);
    size_t len = make_smuggled(victim, smuggled);
    for (size_t shift = 0; shift < len; shift++) {
        for (size_t at = shift; at + len <= sizeof body; at += len)
            memcpy(body + at, smuggled, len);
        expect_status(&s,
                      &(struct http_request){.method = "PUT",
                                             .path = "/v1/uploads/x?queue=small",
                                             .body = body,
                                             .body_len = sizeof body,
                                             .chunked = shift % 2},
                      413, "too-large");
        expect_status(&s, &(struct http_request){.method = "GET", .path = "/healthz"},
                      200, NULL);
    }
    job_get(&s, victim, "state", state, sizeof state);
    cr_expect_str_eq(state, "scheduled", "a smuggled request was answered");
    cr_expect_eq(system_count_files(&s, "spool/jobs"), 1,
                 "only the victim is in the spool");
    cr_expect_eq(system_count_files(&s, "spool/tmp"), 0);
}

static int connect_to_nginx(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_lt(strlen(s.listen + 5), sizeof address.sun_path);
    memcpy(address.sun_path, s.listen + 5, strlen(s.listen + 5) + 1);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

Test(nginx, a_client_that_leaves_half_way_leaves_nothing)
{
    static const char head[] = "PUT /v1/uploads/half HTTP/1.1\r\n"
                               "Host: localhost\r\n"
                               "Content-Length: 1000000\r\n\r\n";
    static char half[400000];
    int fd = connect_to_nginx();

    cr_assert_eq(write(fd, head, sizeof head - 1), (ssize_t)sizeof head - 1);
    size_t sent = 0;
    while (sent < sizeof half) {
        ssize_t n = write(fd, half + sent, sizeof half - sent);
        cr_assert_gt(n, 0);
        sent += (size_t)n;
    }
    cr_assert(WAIT_UNTIL(system_count_files(&s, "spool/tmp") == 1, 5000),
              "it is not streamed to the spool");
    (void)close(fd);
    assert_spool_empty(&s);
}

Test(nginx, bad_requests_get_clear_problems_and_leave_nothing)
{
    static const struct {
        const char *method, *path, *type, *body;
        long status;
    } rows[] = {
        {"POST", "/v1/uploads", "Content-Type: multipart/form-data", "x", 400},
        {"POST", "/v1/uploads", "Content-Type: multipart/form-data; boundary=", "x",
         400},
        {"POST", "/v1/uploads", "Content-Type: multipart/form-data; boundary=b",
         "--b\r\n", 400},
        {"POST", "/v1/uploads", "Content-Type: multipart/form-data; boundary=b",
         "--b\r\nContent-Disposition: form-data; name=\"f\"; "
         "filename=\"a\"\r\n\r\nhalf",
         400},
        {"POST", "/v1/uploads", "Content-Type: multipart/form-data; boundary=b",
         "--b\r\nContent-Disposition: form-data; "
         "name=\"queue\"\r\n\r\ndefault\r\n--b--\r\n",
         400},
        {"POST", "/v1/uploads?queue=nobody", "Content-Type: text/plain", "x", 422},
        {"POST", "/v1/uploads?to=nowhere", "Content-Type: text/plain", "x", 422},
        {"POST", "/v1/uploads?colour=red", "Content-Type: text/plain", "x", 400},
        {"POST", "/v1/uploads?priority=11", "Content-Type: text/plain", "x", 400},
        {"POST", "/v1/uploads?key=../x", "Content-Type: text/plain", "x", 400},
        {"PATCH", "/v1/uploads", "Content-Type: text/plain", "x", 405},
        {"GET", "/v1/nothing", NULL, NULL, 404},
        {"GET", "/v1/jobs/nonsense", NULL, NULL, 404},
        {"GET", "/v1/jobs/default.00000000-0000-7000-8000-000000000000", NULL, NULL,
         404},
        {"DELETE", "/v1/jobs/default.00000000-0000-7000-8000-000000000000", NULL, NULL,
         404},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const headers[] = {rows[i].type, NULL};
        expect_status(
            &s,
            &(struct http_request){.method = rows[i].method,
                                   .path = rows[i].path,
                                   .headers = rows[i].type ? headers : NULL,
                                   .body = rows[i].body,
                                   .body_len = rows[i].body ? strlen(rows[i].body) : 0},
            rows[i].status, "urn:hoist:problem:");
    }
    expect_status(
        &s,
        &(struct http_request){
            .method = "POST", .path = "/v1/uploads", .body = "", .body_len = 0},
        400, "urn:hoist:problem:");
    assert_spool_empty(&s);
}

Test(nginx, queues_and_health_are_readable)
{
    struct http_answer a = HTTP_ANSWER_INIT;

    http_send(&s.http, &(struct http_request){.method = "GET", .path = "/v1/queues"},
              &a);
    cr_assert_eq(a.status, 200);
    cr_expect(strstr(a.body.data, "\"name\":\"default\""), "%s", a.body.data);
    cr_expect(strstr(a.body.data, "\"name\":\"small\""), "%s", a.body.data);
    http_answer_release(&a);
    expect_status(&s, &(struct http_request){.method = "GET", .path = "/readyz"}, 200,
                  NULL);
}

Test(nginx, a_delayed_job_runs_when_due_and_a_cancelled_one_never)
{
    char path[256], later[JOB_ID_SIZE], never[JOB_ID_SIZE], get[160];

    system_make_file(&s, "f.bin", 1000, 1, path);
    upload_raw(&s, "PUT", "/v1/uploads/later?delay=1", path, false, later);
    upload_raw(&s, "PUT", "/v1/uploads/never?delay=3600", path, false, never);
    system_wait_state(&s, never, "scheduled", 5000);
    (void)snprintf(get, sizeof get, "/v1/jobs/%s", never);
    expect_status(&s, &(struct http_request){.method = "DELETE", .path = get}, 200,
                  NULL);
    system_wait_state(&s, never, "cancelled", 5000);
    system_wait_state(&s, later, "done", 10000);
    assert_object_is(&s, later, path);
    expect_status(&s, &(struct http_request){.method = "DELETE", .path = get}, 409,
                  "urn:hoist:problem:");
    assert_spool_empty(&s);
}

/* nginx uses a connection again as soon as it has the answer; one that is closed then fails somebody else's request. */
Test(nginx, a_refused_request_fails_no_later_one)
{
    static char large[100000];
    static const struct http_request rows[] = {
        {.method = "POST", .path = "/v1/uploads?a=%", .body = "data", .body_len = 4},
        {.method = "GET", .path = "/v1/jobs/x?a=%"},
        {.method = "PUT",
         .path = "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a",
         .body = "x",
         .body_len = 1},
        {.method = "POST",
         .path = "/v1/uploads?colour=red",
         .body = large,
         .body_len = sizeof large},
    };
    const struct http_request victim = {
        .method = "POST", .path = "/v1/uploads", .body = "victim", .body_len = 6};

    for (size_t i = 0; i < 400; i++) {
        struct http_answer a = HTTP_ANSWER_INIT;
        http_send(&s.http, &rows[i % 4], &a);
        cr_assert(a.status >= 400 && a.status < 500, "%ld %s", a.status, a.body.data);
        http_answer_release(&a);
        expect_status(&s, &victim, 202, NULL);
    }
}

/* Whether nginx answers this one by itself, as hoist would. */
static void expect_problem(const struct http_request *r, long status, const char *type)
{
    struct http_answer a = HTTP_ANSWER_INIT;

    http_send(&s.http, r, &a);
    cr_expect_eq(a.status, status, "%s: %ld %s", type, a.status, a.error);
    cr_expect_str_eq(a.content_type, "application/problem+json", "%ld", status);
    cr_expect(strstr(a.body.data, type) != NULL, "no %s in %s", type, a.body.data);
    cr_expect_str_eq(a.retry_after, status == 502 ? "5" : "");
    http_answer_release(&a);
}

/* Longer than libcurl, or nginx, takes an address. */
static void expect_long_address_refused(void)
{
    static char request[20000], answer[2000];
    int fd = connect_to_nginx();

    memset(request, 'a', sizeof request);
    memcpy(request, "GET /", 5);
    cr_assert_eq(send(fd, request, sizeof request, MSG_NOSIGNAL),
                 (ssize_t)sizeof request);
    cr_assert_gt(recv(fd, answer, sizeof answer - 1, MSG_WAITALL), 0); /* to its end */
    (void)close(fd);
    cr_expect(strstr(answer, " 414 ") && strstr(answer, "application/problem+json") &&
                  strstr(answer, "urn:hoist:problem:uri-too-long"),
              "%s", answer);
}

Test(nginx, what_nginx_refuses_by_itself_is_a_problem_too)
{
    static char large[70000], header[20000];
    const char *const headers[] = {header, NULL};

    memset(header, 'a', sizeof header - 1);
    memcpy(header, "X-A: ", 5);
    expect_problem(&(struct http_request){.method = "POST",
                                          .path = "/v1/jobs",
                                          .body = large,
                                          .body_len = sizeof large},
                   413, "urn:hoist:problem:too-large");
    expect_long_address_refused();
    expect_problem(
        &(struct http_request){.method = "GET", .path = "/healthz", .headers = headers},
        431, "urn:hoist:problem:head-too-long");
    expect_problem(&(struct http_request){.method = "GET", .path = "/hoist-problem"},
                   404, "urn:hoist:problem:not-found");
    system_kill(&s, "fcgi");
    expect_problem(&(struct http_request){.method = "GET", .path = "/healthz"}, 502,
                   "urn:hoist:problem:unavailable");
}
