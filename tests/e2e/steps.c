#include "tests/e2e/steps.h"

#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void take_job(const struct http_answer *a, char ret_id[JOB_ID_SIZE])
{
    cr_assert_eq(a->status, 202, "status %ld: %s %s", a->status, a->body.data,
                 a->error);
    cr_assert(http_json_get(a->body.data, "id", ret_id, JOB_ID_SIZE), "%s",
              a->body.data);
}

void upload_form(struct system *s, const char *path, const char *filename,
                 char ret_id[JOB_ID_SIZE])
{
    struct http_answer a = HTTP_ANSWER_INIT;
    const struct http_part part = {.name = "file", .path = path, .filename = filename};

    http_send(&s->http,
              &(struct http_request){.method = "POST",
                                     .path = "/v1/uploads",
                                     .parts = &part,
                                     .part_count = 1,
                                     .timeout_ms = 120000},
              &a);
    take_job(&a, ret_id);
    http_answer_release(&a);
}

void upload_raw(struct system *s, const char *method, const char *to, const char *path,
                bool chunked, char ret_id[JOB_ID_SIZE])
{
    struct http_answer a = HTTP_ANSWER_INIT;

    http_send(&s->http,
              &(struct http_request){.method = method,
                                     .path = to,
                                     .body_path = path,
                                     .chunked = chunked,
                                     .timeout_ms = 120000},
              &a);
    take_job(&a, ret_id);
    http_answer_release(&a);
}

void job_get(struct system *s, const char *id, const char *name, char *ret, size_t size)
{
    struct http_answer a = HTTP_ANSWER_INIT;
    char path[160];

    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    http_send(&s->http, &(struct http_request){.method = "GET", .path = path}, &a);
    cr_assert_eq(a.status, 200, "status %ld: %s", a.status, a.body.data);
    cr_assert(http_json_get(a.body.data, name, ret, size), "no %s in %s", name,
              a.body.data);
    http_answer_release(&a);
}

void job_hget(const struct system *s, const char *id, const char *field, char *ret,
              size_t size)
{
    char words[256];
    const char *dot = strchr(id, '.');

    cr_assert_not_null(dot);
    (void)snprintf(words, sizeof words, "HGET 'hoist:{%.*s}:job:%s' %s",
                   (int)(dot - id), id, dot + 1, field);
    system_redis(s, ret, size, words);
}

void assert_object_is(struct system *s, const char *id, const char *path)
{
    char key[512], object[700], want[65], got[65];

    job_get(s, id, "key", key, sizeof key);
    (void)snprintf(object, sizeof object, "%s/objects/%s", s->state, key);
    file_sha256(path, want);
    file_sha256(object, got);
    cr_assert_str_eq(got, want, "%s", key);
}

static bool spool_is_empty(struct system *s)
{
    return system_count_files(s, "spool/tmp") + system_count_files(s, "spool/jobs") ==
           0;
}

void assert_spool_empty(struct system *s)
{
    /* A job is `done` a moment before its spool files are unlinked. */
    cr_assert(WAIT_UNTIL(spool_is_empty(s), 5000), "tmp: %zu, jobs: %zu",
              system_count_files(s, "spool/tmp"), system_count_files(s, "spool/jobs"));
}

void expect_status(struct system *s, const struct http_request *r, long status,
                   const char *problem)
{
    struct http_answer a = HTTP_ANSWER_INIT;

    /* Who refuses a body before it has read it may close so early that its answer is lost (RFC 9112, section 9.6). */
    for (int tries = 0; tries < 3 && a.status == 0; tries++) {
        http_answer_release(&a);
        http_send(&s->http, r, &a);
    }
    cr_expect_eq(a.status, status, "%s %s: status %ld, not %ld: %s %s", r->method,
                 r->path, a.status, status, a.body.data, a.error);
    if (problem)
        cr_expect(strstr(a.body.data, problem) &&
                      strstr(a.content_type, "problem+json"),
                  "%s %s: %s: %s", r->method, r->path, a.content_type, a.body.data);
    http_answer_release(&a);
}

void assert_token_arrives(struct system *s)
{
    static const char *const token[] = {"Authorization: Bearer hoist_e2e-token", NULL};
    static const char *const other[] = {"Authorization: Bearer hoist_another", NULL};
    struct http_request r = {.method = "GET", .path = "/v1/queues"};

    expect_status(s, &r, 401, "urn:hoist:problem:");
    r.headers = other;
    expect_status(s, &r, 401, "urn:hoist:problem:");
    r.headers = token;
    expect_status(s, &r, 200, NULL);
}

/* A stream, from a connection of its own: libcurl's is for whole answers. */
static int open_stream(const struct system *s)
{
    static const char request[] = "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"
                                  "Accept: text/event-stream\r\n\r\n";
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
    } to = {.un = {.sun_family = AF_UNIX}};
    socklen_t size = sizeof to.un;

    if (strncmp(s->listen, "unix:", 5) == 0) {
        (void)snprintf(to.un.sun_path, sizeof to.un.sun_path, "%s", s->listen + 5);
    } else {
        const char *colon = strrchr(s->listen, ':');
        cr_assert(colon);
        to.in = (struct sockaddr_in){.sin_family = AF_INET};
        to.in.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
        to.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        size = sizeof to.in;
    }
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && connect(fd, &to.any, size) == 0);
    cr_assert(send(fd, request, sizeof request - 1, 0) == sizeof request - 1);
    return fd;
}

static bool stream_says(int fd, char *text, size_t *len, size_t size, const char *part)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    if (poll(&wait, 1, 0) == 1) {
        ssize_t n = recv(fd, text + *len, size - 1 - *len, MSG_DONTWAIT);
        *len += n > 0 ? (size_t)n : 0;
        text[*len] = '\0';
    }
    return strstr(text, part);
}

/* With [http] max_listeners = 1 a second stream is hoist's own 503, which comes through as it is. */
static void expect_refused(struct system *s)
{
    struct http_answer a = HTTP_ANSWER_INIT;

    http_send(&s->http, &(struct http_request){.method = "GET", .path = "/v1/events"},
              &a);
    cr_expect_eq(a.status, 503, "%ld %s", a.status, a.error);
    cr_expect_str_eq(a.content_type, "application/problem+json");
    cr_expect(strstr(a.body.data, "\"request_id\":\"") != NULL, "%s", a.body.data);
    cr_expect(*a.retry_after != '\0');
    http_answer_release(&a);
}

void assert_events_flow(struct system *s, const char *path)
{
    static char text[512 * 1024];
    char id[JOB_ID_SIZE], want[2 * JOB_ID_SIZE];
    size_t len = 0;
    int fd = open_stream(s);

    text[0] = '\0';
    cr_assert(
        WAIT_UNTIL(stream_says(fd, text, &len, sizeof text, "event: workers"), 10000),
        "%s", text);
    cr_expect(strstr(text, "text/event-stream") != NULL, "%s", text);
    expect_refused(s);
    upload_form(s, path, "events.bin", id);
    (void)snprintf(want, sizeof want,
                   "{\"id\":\"%s\",\"queue\":\"default\",\"state\":\"done\"}", id);
    cr_expect(WAIT_UNTIL(stream_says(fd, text, &len, sizeof text, want), 10000), "%s",
              text);
    (void)close(fd);
    system_wait_state(s, id, "done", 20000);
}
