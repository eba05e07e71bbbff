/*
 * responder, started by a web server for one request (CGI): the same promises, and nothing of the client's chooses the
 * settings.
 */
#include "shared/cleanup.h"
#include "tests/integration/responder_rig.h"
#include "tests/support/wait_until.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { ENV_MAX = 12, ENV_SIZE = 256, ANSWER_SIZE = 64 * 1024 };

struct call {
    const char *method, *uri;
    const char *length; /* CONTENT_LENGTH; NULL: not set */
    const char *more;   /* one more variable; may be NULL */
    const char *config; /* HOIST_CONFIG; NULL: that of the rig */
    const char *argument;
};

static struct spawn process;
static struct tmpdir_file answer_file;
static char answer[ANSWER_SIZE];

/* Everything but the responder that listens. */
static void up(void)
{
    responder_up();
    (void)spawn_stop(&rig.process, 10000);
    answer_file = tmpdir_file(&rig.dir, "answer");
}

static void down(void)
{
    spawn_kill(&process);
    responder_down();
}

TestSuite(responder_cgi, .init = up, .fini = down, .timeout = 120);

static void start(const struct call *c, int in_fd)
{
    static char text[ENV_MAX][ENV_SIZE];
    const char *argv[] = {HOIST_FCGI_BIN, c->argument, NULL}, *env[ENV_MAX] = {NULL};
    const char *const values[][2] = {
        {"GATEWAY_INTERFACE=", "CGI/1.1"},
        {"SERVER_PROTOCOL=", "HTTP/1.1"},
        {"CONTENT_TYPE=", "text/plain"},
        {"REMOTE_ADDR=", "127.0.0.1"},
        {"REQUEST_METHOD=", c->method},
        {"REQUEST_URI=", c->uri},
        {"HOIST_CONFIG=", c->config ? c->config : rig.config.path},
        {"CONTENT_LENGTH=", c->length},
        {"", c->more},
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (values[i][1]) {
            (void)snprintf(text[n], ENV_SIZE, "%s%s", values[i][0], values[i][1]);
            env[n] = text[n];
            n++;
        }
    (void)unlink(answer_file.path);
    spawn_start(&process, &(struct spawn_options){.argv = argv,
                                                  .env = env,
                                                  .stdin_fd = in_fd,
                                                  .log_path = answer_file.path});
}

static void read_answer(void)
{
    FILE *f = fopen(answer_file.path, "re");
    size_t n = f ? fread(answer, 1, sizeof answer - 1, f) : 0;

    answer[n] = '\0';
    if (f)
        (void)fclose(f);
}

/* Its exit status, and what it said in `answer`. */
static int wait_end(void)
{
    int status = 0;

    cr_assert(spawn_wait(&process, 20000, &status), "it does not end");
    read_answer();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* One request with this body, whole. */
static int ask(const struct call *c, const void *body, size_t len)
{
    struct tmpdir_file file = tmpdir_write(&rig.dir, "body", body, len);
    CLEANUP(fd_close) int fd = open(file.path, O_RDONLY | O_CLOEXEC);

    start(c, fd);
    return wait_end();
}

static bool has_status(const char *status)
{
    const char *at = strstr(answer, "Status: ");

    return at && strncmp(at + 8, status, strlen(status)) == 0;
}

/* A process that has half of an upload, and the web server's end of its body. */
static int start_half(void)
{
    static const char body[70000];
    int ends[2];

    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    start(
        &(struct call){.method = "PUT", .uri = "/v1/uploads/half", .length = "140000"},
        ends[1]);
    (void)close(ends[1]);
    cr_assert(write(ends[0], body, sizeof body) == (ssize_t)sizeof body);
    cr_assert(WAIT_UNTIL(responder_count("tmp") > 0, 10000), "it is under way");
    return ends[0];
}

Test(responder_cgi, an_upload_is_spooled_and_told_to_redis_before_the_process_ends)
{
    const struct call put = {
        .method = "PUT", .uri = "/v1/uploads/a%2Fb.txt?queue=media", .length = "5"};

    cr_expect(eq(int, ask(&put, "hello and more than was said", 28), 0));
    cr_assert(has_status("202"), "%s", answer);
    struct fcgi_response r = {.text = answer, .body = answer};
    const char *id = responder_id(&r);
    cr_expect(eq(sz, responder_count("jobs"), 2));
    cr_expect(eq(sz, responder_count("tmp"), 0));
    cr_expect(responder_field_is(id, "state", "waiting"));
    cr_expect(responder_field_is(id, "bytes", "5"), "CONTENT_LENGTH bytes, no more");
    cr_expect(responder_field_is(id, "name", "b.txt"));
    cr_expect(eq(
        int,
        ask(&(struct call){.method = "GET", .uri = responder_job_uri(id, "")}, "", 0),
        0));
    cr_expect(has_status("200"), "%s", answer);
    cr_expect(strstr(answer, "\"state\":\"waiting\"") != NULL, "%s", answer);
}

Test(responder_cgi, a_request_with_a_key_makes_its_job_once_whatever_process_gets_it)
{
    const struct call put = {.method = "PUT",
                             .uri = "/v1/uploads/a.txt?queue=media",
                             .length = "5",
                             .more = "HTTP_IDEMPOTENCY_KEY=k"};
    struct fcgi_response r = {.text = answer, .body = answer};
    char id[128];

    cr_expect(eq(int, ask(&put, "hello", 5), 0));
    cr_assert(has_status("202"), "%s", answer);
    cr_expect(strstr(answer, "Idempotent-Replayed") == NULL, "%s", answer);
    (void)snprintf(id, sizeof id, "%s", responder_id(&r));
    cr_expect(eq(int, ask(&put, "hello", 5), 0));
    cr_expect(has_status("202"), "%s", answer);
    cr_expect(strstr(answer, "Idempotent-Replayed: true\r\n") != NULL, "%s", answer);
    cr_expect(eq(str, (char *)responder_id(&r), id));
    cr_expect(eq(int, ask(&put, "hellO", 5), 0));
    cr_expect(has_status("422"), "%s", answer);
    cr_expect(eq(sz, responder_count("jobs"), 2));
}

Test(responder_cgi, a_query_that_became_a_command_line_chooses_nothing)
{
    static const char other[] = "[spool]\ndir = /nowhere/at/all\n";
    struct tmpdir_file file = tmpdir_write(&rig.dir, "o.ini", other, strlen(other));
    char argument[160];
    struct call c = {.method = "GET", .uri = "/healthz?--help", .argument = "--help"};

    cr_expect(eq(int, ask(&c, "", 0), 0));
    cr_expect(has_status("200"), "%s", answer);
    cr_expect(strstr(answer, "Usage") == NULL && strstr(answer, "[redis]") == NULL);
    c.argument = "--show-config";
    cr_expect(eq(int, ask(&c, "", 0), 0));
    cr_expect(has_status("200") && strstr(answer, "[redis]") == NULL, "%s", answer);
    (void)snprintf(argument, sizeof argument, "--config=%s", file.path);
    c.argument = argument;
    cr_expect(eq(int, ask(&c, "", 0), 0));
    cr_expect(has_status("200"), "%s", answer);
}

Test(responder_cgi, settings_are_not_to_be_had_from_a_header)
{
    const struct call c = {.method = "GET",
                           .uri = "/healthz",
                           .more = "HTTP_HOIST_CONFIG=/nowhere/at/all.ini"};

    cr_expect(eq(int, ask(&c, "", 0), 0));
    cr_expect(has_status("200"), "%s", answer);
}

Test(responder_cgi, a_body_that_broke_off_leaves_nothing)
{
    int fd = start_half();

    (void)close(fd);
    cr_expect(eq(int, wait_end(), 0));
    cr_expect(has_status("400"), "%s", answer);
    cr_expect(strstr(answer, "problem:incomplete") != NULL);
    cr_expect(eq(sz, responder_count("tmp"), 0));
    cr_expect(eq(sz, responder_count("jobs"), 0));
}

Test(responder_cgi, sigterm_in_the_middle_of_a_body_leaves_nothing)
{
    int fd = start_half();

    spawn_signal(&process, SIGTERM);
    cr_expect(eq(int, wait_end(), 1));
    cr_expect(strstr(answer, "Status: 2") == NULL, "%s", answer);
    cr_expect(eq(sz, responder_count("tmp"), 0));
    cr_expect(eq(sz, responder_count("jobs"), 0));
    (void)close(fd);
}

Test(responder_cgi, one_that_is_killed_has_promised_nothing_and_hurts_nobody)
{
    static const struct call next = {
        .method = "PUT", .uri = "/v1/uploads/next", .length = "5"};
    int fd = start_half();

    spawn_kill(&process);
    (void)close(fd);
    read_answer();
    cr_expect(strstr(answer, "Status:") == NULL, "%s", answer);
    cr_expect(eq(sz, responder_count("jobs"), 0));
    cr_expect(eq(int, ask(&next, "hello", 5), 0));
    cr_expect(has_status("202"), "%s", answer);
}

Test(responder_cgi, a_body_without_a_length_is_refused_since_its_end_cannot_be_told)
{
    const struct call c = {.method = "PUT",
                           .uri = "/v1/uploads/a",
                           .more = "HTTP_TRANSFER_ENCODING=chunked"};

    cr_expect(eq(int, ask(&c, "hello", 5), 0));
    cr_expect(has_status("411"), "%s", answer);
    cr_expect(eq(sz, responder_count("jobs"), 0));
}

/* As Apache does: all of the body is written before any of the answer is read. */
Test(responder_cgi,
     a_body_that_is_not_wanted_is_read_all_the_same_so_that_it_is_answered)
{
    static char body[4000000]; /* more than the responder itself drains */
    int ends[2];
    ssize_t sent = 0;

    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    start(&(struct call){.method = "PUT",
                         .uri = "/v1/uploads/a?queue=media",
                         .length = "4000000"},
          ends[1]);
    (void)close(ends[1]);
    while (sent < (ssize_t)sizeof body) {
        ssize_t n =
            send(ends[0], body + sent, sizeof body - (size_t)sent, MSG_NOSIGNAL);
        cr_assert(n > 0, "it stops reading after %zd bytes", sent);
        sent += n;
    }
    cr_expect(eq(int, wait_end(), 0));
    cr_expect(has_status("413"), "%s", answer);
    (void)close(ends[0]);
}

Test(responder_cgi, an_upload_is_accepted_while_redis_hangs)
{
    const struct call put = {.method = "PUT", .uri = "/v1/uploads/a", .length = "5"};
    int64_t start_ms = wait_now_ms();

    redis_fixture_pause(&rig.redis);
    cr_expect(eq(int, ask(&put, "hello", 5), 0));
    redis_fixture_resume(&rig.redis);
    cr_expect(has_status("202"), "%s", answer);
    cr_expect(eq(sz, responder_count("jobs"), 2), "the workers find it there");
    cr_expect(lt(i64, wait_now_ms() - start_ms, 5000));
}

Test(responder_cgi, a_request_that_waits_for_its_job_is_answered_when_its_time_is_over)
{
    const struct call put = {.method = "PUT", .uri = "/v1/uploads/a", .length = "1"};

    cr_expect(eq(int, ask(&put, "x", 1), 0));
    struct fcgi_response r = {.text = answer, .body = answer};
    const struct call get = {.method = "GET",
                             .uri = responder_job_uri(responder_id(&r), "?wait=1")};
    int64_t start_ms = wait_now_ms();
    cr_expect(eq(int, ask(&get, "", 0), 0));
    cr_expect(has_status("200"), "%s", answer);
    cr_expect(ge(i64, wait_now_ms() - start_ms, 900));
}

Test(responder_cgi, what_is_wrong_is_in_the_log_and_not_in_the_answer)
{
    const struct call c = {
        .method = "GET", .uri = "/healthz", .config = "/nowhere/at/all.ini"};

    cr_expect(eq(int, ask(&c, "", 0), 1));
    cr_expect(has_status("500"), "%s", answer);
    const char *body = strstr(answer, "\r\n\r\n");
    cr_assert(body != NULL);
    cr_expect(strstr(body, "nowhere") == NULL, "%s", body);
    cr_expect(strstr(answer, "level=error") != NULL, "%s", answer);
    cr_expect(strstr(answer, "/nowhere/at/all.ini") != NULL, "%s", answer);
}

/* mod_fcgid and spawn-fcgi may leave variables of CGI in the environment. */
Test(responder_cgi, with_a_listening_socket_it_is_fastcgi_whatever_the_environment_says)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    memcpy(a.sun_path, rig.socket.path, strlen(rig.socket.path) + 1);
    cr_assert(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 16) == 0);
    start(&(struct call){.method = "GET", .uri = "/nothing"}, fd);
    (void)close(fd);
    const struct fcgi_request live = {.method = "GET", .uri = "/healthz"};
    cr_expect(eq(int, responder_status(&live), 200));
    cr_expect(spawn_stop(&process, 10000));
}
