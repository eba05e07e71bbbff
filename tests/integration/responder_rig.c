#include "tests/integration/responder_rig.h"

#include "tests/support/wait_until.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

struct responder_rig rig;

static bool listens(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, rig.socket.path, strlen(rig.socket.path) + 1);
    bool yes = connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
    (void)close(fd);
    return yes;
}

void responder_start(void)
{
    const char *argv[] = {HOIST_FCGI_BIN, "--config", rig.config.path, NULL};

    spawn_start(&rig.process,
                &(struct spawn_options){.argv = argv, .log_path = rig.log.path});
    if (!WAIT_UNTIL(listens() || !spawn_is_running(&rig.process), 10000) ||
        !listens()) {
        spawn_show_log(&rig.process);
        abort();
    }
}

void responder_up_with(const char *more)
{
    char text[4096];

    redis_fixture_start(&rig.redis);
    tmpdir_make(&rig.dir);
    rig.socket = tmpdir_file(&rig.dir, "f.sock");
    rig.log = tmpdir_file(&rig.dir, "log");
    (void)snprintf(text, sizeof text,
                   "[redis]\nurl = %s\n[spool]\ndir = %s/spool\n"
                   "[http]\nlisten = %s\nthreads = 4\nmax_threads = 64\nmax_parts = "
                   "4\nmax_field_bytes = 256\n"
                   "max_part_header_bytes = 512\nmax_waiters = 8\n"
                   "receive_timeout_seconds = 2\nlog_level = debug\n"
                   "[queue media]\nmax_bytes = 100000\n"
                   "[destination default]\nurl = file://%s/objects\n%s",
                   rig.redis.url, rig.dir.path, rig.socket.path, rig.dir.path, more);
    rig.config = tmpdir_write(&rig.dir, "hoist.ini", text, strlen(text));
    responder_start();
}

void responder_up(void)
{
    responder_up_with("");
}

void responder_down(void)
{
    redis_fixture_resume(&rig.redis);
    (void)spawn_stop(&rig.process, 10000);
    redis_fixture_stop(&rig.redis);
    tmpdir_remove(&rig.dir);
}

struct fcgi_response responder_ask(const struct fcgi_request *r)
{
    struct fcgi_client c;

    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_request(&c, r);
    struct fcgi_response response = fcgi_client_response(&c, 10000);
    fcgi_client_close(&c);
    return response;
}

int responder_status(const struct fcgi_request *r)
{
    struct fcgi_response response = responder_ask(r);
    int status = response.ended ? response.status : -1;

    fcgi_response_release(&response);
    return status;
}

size_t responder_count(const char *below)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/spool/%s", rig.dir.path, below);
    return tmpdir_count(path, "") + tmpdir_count(path, ".job");
}

const char *responder_job_file(const char *id, const char *suffix)
{
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/spool/jobs/%s.job", rig.dir.path, id);
    if (access(path, F_OK) != 0)
        (void)snprintf(path, sizeof path, "%s/spool/jobs/%s%s", rig.dir.path, id,
                       suffix);
    return path;
}

const char *responder_id(const struct fcgi_response *r)
{
    static char id[128];
    const char *start = strstr(r->body, "\"id\":\"");

    cr_assert(start, "no id in: %s", r->text);
    (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(start + 6, "\""), start + 6);
    return id;
}

struct fcgi_request responder_get(const char *uri)
{
    return (struct fcgi_request){.method = "GET", .uri = uri};
}

const char *responder_job_uri(const char *id, const char *rest)
{
    static char uri[256];

    snprintf(uri, sizeof uri, "/v1/jobs/%s%s", id, rest);
    return uri;
}

/* A field of the job's hash in Redis; the caller frees. */
static char *field(const char *id, const char *name)
{
    char key[256];
    const char *dot = strchr(id, '.');

    snprintf(key, sizeof key, "hoist:{%.*s}:job:%s", (int)(dot - id), id, dot + 1);
    return redis_fixture_ask(&rig.redis, "HGET", key, name, NULL);
}

bool responder_field_is(const char *id, const char *name, const char *want)
{
    char *got = field(id, name);
    bool same = strcmp(got, want) == 0;

    free(got);
    return same;
}

const char *responder_put(const char *uri)
{
    struct fcgi_request put = {
        .method = "PUT", .uri = uri, .body = "hello", .body_len = 5};
    struct fcgi_response r = responder_ask(&put);

    cr_assert(r.status == 202, "%s", r.text);
    const char *id = responder_id(&r);
    fcgi_response_release(&r);
    return id;
}

const char *responder_upload(const char *uri)
{
    const char *id = responder_put(uri);

    cr_assert(WAIT_UNTIL(responder_field_is(id, "bytes", "5"), 5000));
    return id;
}

struct fcgi_response responder_json(const char *method, const char *uri,
                                    const char *json)
{
    struct fcgi_request r = {.method = method,
                             .uri = uri,
                             .type = json ? "application/json" : NULL,
                             .body = json,
                             .body_len = json ? strlen(json) : 0};

    return responder_ask(&r);
}

bool responder_says(const char *method, const char *uri, const char *json, int status,
                    const char *part)
{
    struct fcgi_response r = responder_json(method, uri, json);
    bool yes = r.status == status && strstr(r.text, part) != NULL;

    if (!yes)
        fprintf(stderr, "%s %s\nwanted %d and %s, got\n%s\n", method, uri, status, part,
                r.text);
    fcgi_response_release(&r);
    return yes;
}

void responder_expect_replay(const struct fcgi_response *first,
                             const struct fcgi_response *again)
{
    cr_expect_eq(again->status, first->status, "%s", again->text);
    cr_expect_str_eq(again->body, first->body);
    cr_expect(strstr(again->text, "\r\nIdempotent-Replayed: true\r\n") != NULL, "%s",
              again->text);
    cr_expect(strstr(first->text, "Idempotent-Replayed") == NULL, "%s", first->text);
}
