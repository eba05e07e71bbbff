/* A worker's metrics: over a unix socket and a loopback port, in a file; what it says of jobs that ended, and who is refused. */
#include "tests/integration/worker_rig.h"
#include "tests/support/wait_until.h"

#include "shared/clock.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { TEXT_MAX = 128 * 1024, ANSWER_MS = 20000 };

static struct worker_rig rig;
static struct tmpdir dir;
static struct tmpdir_file listener, file;
static char text[TEXT_MAX];

static void up(void)
{
    char listen_at[160];

    tmpdir_make(&dir);
    listener = tmpdir_file(&dir, "w.sock");
    file = tmpdir_file(&dir, "hoist-a.prom");
    (void)snprintf(listen_at, sizeof listen_at, "unix:%s", listener.path);
    cr_assert(setenv("HOIST_WORKER_METRICS_LISTEN", listen_at, 1) == 0);
    cr_assert(setenv("HOIST_WORKER_METRICS_FILE", file.path, 1) == 0);
}

static void down(void)
{
    rig_down(&rig);
    tmpdir_remove(&dir);
}

TestSuite(worker_metrics, .init = up, .fini = down, .timeout = 120);

static int connect_there(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(at.sun_path, listener.path, sizeof at.sun_path);
    cr_assert(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* All that comes until the end, into text; closes.  Whether there was an end. */
static bool read_all(int fd)
{
    size_t len = 0;
    ssize_t n = -1;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (len < sizeof text - 1 && poll(&p, 1, ANSWER_MS) == 1 &&
           (n = read(fd, text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    (void)close(fd);
    return n == 0;
}

/* Send this, read the answer into text; its status. */
static int ask_with(int fd, const char *request)
{
    int status = 0;

    cr_assert(fd >= 0);
    cr_assert(eq(i64, send(fd, request, strlen(request), MSG_NOSIGNAL),
                 (int64_t)strlen(request)));
    cr_expect(read_all(fd), "the answer has an end");
    (void)sscanf(text, "HTTP/1.1 %d", &status);
    return status;
}

static int ask(const char *request)
{
    return ask_with(connect_there(), request);
}

static bool has(const char *line)
{
    char whole[256];

    (void)snprintf(whole, sizeof whole, "\n%s\n", line);
    return ask("GET /metrics HTTP/1.1\r\nHost: w\r\n\r\n") == 200 &&
           strstr(text, whole);
}

static bool has_soon(const char *line)
{
    bool found = WAIT_UNTIL(has(line), 20000);

    if (!found)
        cr_log_error("never: %s", line);
    return found;
}

static bool file_has(const char *part)
{
    FILE *f = fopen(file.path, "re");
    size_t len = f ? fread(text, 1, sizeof text - 1, f) : 0;

    text[len] = '\0';
    if (f)
        (void)fclose(f);
    return strstr(text, part) != NULL;
}

static void check_with_promtool(const char *body)
{
    struct tmpdir_file input = tmpdir_write(&dir, "metrics.txt", body, strlen(body));
    struct tmpdir_file log = tmpdir_file(&dir, "promtool.log");
    struct spawn promtool;
    int status = -1;

    if (!*HOIST_PROMTOOL) {
        cr_log_warn("promtool is not installed: what it would say is not known");
        return;
    }
    int fd = open(input.path, O_RDONLY | O_CLOEXEC);
    spawn_start(&promtool,
                &(struct spawn_options){
                    .argv = (const char *[]){HOIST_PROMTOOL, "check", "metrics", NULL},
                    .stdin_fd = fd,
                    .log_path = log.path});
    (void)close(fd);
    cr_assert(spawn_wait(&promtool, 30000, &status));
    cr_expect(eq(int, status, 0));
    cr_expect_not(spawn_log_has(&promtool, "hoist"), "a warning names its metric");
    if (status || spawn_log_has(&promtool, "hoist"))
        spawn_show_log(&promtool);
}

/* Every family stands in the table for workers, and every one that stands there is told. */
static void compare_with_table(const char *body)
{
    static char row[512];
    char name[96], type[16], told[128];
    size_t rows = 0, families = 0;
    FILE *table = fopen(HOIST_METRICS_TABLE, "re");

    cr_assert(table != NULL);
    while (fgets(row, sizeof row, table)) {
        if (sscanf(row, "| `%95[a-z_]` | %15[a-z]", name, type) != 2 ||
            !strstr(row, "worker |"))
            continue;
        rows++;
        (void)snprintf(told, sizeof told, "# TYPE %s %s\n", name, type);
        cr_expect(strstr(body, told) != NULL, "%s is not told", told);
    }
    (void)fclose(table);
    for (const char *at = body; (at = strstr(at, "# TYPE ")); at++)
        families++;
    cr_expect(eq(sz, rows, families));
}

Test(worker_metrics, what_became_of_jobs_is_told_to_who_asks_and_in_a_file)
{
    struct stat st;

    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");
    struct job_id good = rig_put(&rig, &(struct rig_job){.data = "hello"});
    struct job_id bad =
        rig_put(&rig, &(struct rig_job){.data = "x", .to = "gone", .max_attempts = 1});
    cr_assert(rig_wait_state(&rig, &good, "done", 20000));
    cr_assert(rig_wait_state(&rig, &bad, "dead", 20000));
    cr_assert(
        has_soon("hoist_uploads_total{destination=\"default\",result=\"done\"} 1"));
    cr_expect(has_soon("hoist_uploads_total{destination=\"other\",result=\"dead\"} 1"));
    cr_expect(has("hoist_upload_size_bytes_sum{destination=\"default\"} 5"));
    cr_expect(has("hoist_upload_duration_seconds_count{destination=\"default\"} 1"));
    cr_expect(has("hoist_worker_alive 1"));
    cr_expect(has("hoist_redis_up 1"));
    cr_expect(has_soon("hoist_reconcile_passes_total{result=\"done\"} 1"));
    cr_expect_not(has("hoist_redis_round_trip_seconds_count 0"));
    const char *body = strstr(text, "\r\n\r\n");
    cr_assert(body != NULL);
    check_with_promtool(body + 4);
    compare_with_table(body + 4);
    cr_expect(WAIT_UNTIL(file_has("\nhoist_uploads_total{worker=\"hoist-a\","
                                  "destination=\"default\",result=\"done\"} 1\n"),
                         30000));
    check_with_promtool(text);
    cr_expect(stat(file.path, &st) == 0 && (st.st_mode & 07777) == 0644);
    cr_expect(stat(listener.path, &st) == 0 && (st.st_mode & 07777) == 0660);
    cr_expect(spawn_stop(w, 20000));
    cr_expect(stat(file.path, &st) < 0, "an end removes the file");
    cr_expect(stat(listener.path, &st) < 0);
    cr_expect(eq(sz, tmpdir_count(dir.path, ".new"), 0));
}

/* One that it has just closed may count for a moment: who comes then is one too many. */
static bool is_served_again(void)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\n\r\n";
    int fd = connect_there();

    return fd >= 0 && send(fd, request, strlen(request), MSG_NOSIGNAL) > 0 &&
           read_all(fd) && strstr(text, "\nhoist_worker_slots 1\n");
}

Test(worker_metrics, it_answers_no_more_than_it_is_there_for)
{
    static char much[8192];
    int held[32], open_ones = 0;

    memset(much, 'a', sizeof much - 1);
    rig_up(&rig, "concurrency = 1\n");
    (void)rig_start(&rig, "a");
    cr_expect(eq(int, ask("HEAD /metrics HTTP/1.1\r\n\r\n"), 200));
    cr_expect(
        strstr(text, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n") !=
        NULL);
    cr_expect(strcmp(strstr(text, "\r\n\r\n"), "\r\n\r\n") == 0, "no body");
    cr_expect(eq(int, ask("GET / HTTP/1.1\r\n\r\n"), 404));
    cr_expect(
        eq(int, ask("POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"), 405));
    cr_expect(eq(int, ask("nonsense\r\n\r\n"), 400));
    cr_expect(eq(int, ask(much), 431));
    int64_t began = wait_now_ms();
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
        held[i] = connect_there();
    /* Those that were too many are closed at once, the others after a while. */
    struct pollfd p = {.events = POLLIN};
    for (size_t i = sizeof held / sizeof held[0] - 1; i >= 8; i--) {
        p.fd = held[i];
        open_ones += p.fd >= 0 && poll(&p, 1, ANSWER_MS) != 1;
    }
    p.fd = held[0];
    bool is_closed = poll(&p, 1, 0) == 1;
    bool had_time = !is_closed || wait_now_ms() - began > 4000;
    cr_expect(had_time, "the first ones have their time, 5 s");
    cr_expect(eq(int, open_ones, 0));
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        p.fd = held[i];
        cr_expect(p.fd < 0 || poll(&p, 1, ANSWER_MS) == 1, "silent ones are closed");
        if (p.fd >= 0)
            (void)close(p.fd);
    }
    cr_expect(WAIT_UNTIL(is_served_again(), 5000), "%s", text);
}

static int exit_of_another(const char *name, const char *value)
{
    char variable[256];
    struct tmpdir_file log = tmpdir_file(&dir, "another.log");
    struct spawn s;
    int status = -1;

    (void)snprintf(variable, sizeof variable, "%s=%s", name, value);
    spawn_start(&s, &(struct spawn_options){
                        .argv = (const char *[]){HOIST_WORKER_BIN, "--config",
                                                 rig.config.path, NULL},
                        .env = (const char *[]){variable, NULL},
                        .log_path = log.path});
    if (!spawn_wait(&s, 20000, &status))
        spawn_kill(&s);
    return status;
}

Test(worker_metrics, a_socket_that_was_left_is_replaced_one_that_is_used_is_not)
{
    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");
    spawn_kill(w);
    cr_assert(eq(int, connect_there(), -1), "its socket is there, nobody answers");
    (void)rig_start(&rig, "b");
    cr_expect(has("hoist_worker_alive 1"));
    cr_expect(ne(int, exit_of_another("HOIST_WORKER_METRICS_FILE", ""), 0),
              "it is another's");
    cr_expect(has("hoist_worker_alive 1"));
    cr_expect(
        ne(int, exit_of_another("HOIST_WORKER_METRICS_LISTEN", "0.0.0.0:9112"), 0));
    cr_expect(ne(int, exit_of_another("HOIST_WORKER_METRICS_FILE", "/tmp/a.txt"), 0));
}

static int port_of(const struct spawn *w)
{
    static const char before[] = "msg=\"answered at /metrics\" port=";
    FILE *f = fopen(w->log_path, "re");
    char line[512];
    int port = 0;

    while (f && port == 0 && fgets(line, sizeof line, f)) {
        const char *at = strstr(line, before);
        port = at ? (int)strtol(at + sizeof before - 1, NULL, 10) : 0;
    }
    if (f)
        (void)fclose(f);
    return port;
}

Test(worker_metrics, a_port_is_for_names_of_this_machine)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    cr_assert(setenv("HOIST_WORKER_METRICS_LISTEN", "127.0.0.1:0", 1) == 0);
    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");
    at.sin_port = htons((uint16_t)port_of(w));
    cr_assert(at.sin_port != 0);
    static const struct {
        const char *host;
        int status;
    } rows[] = {{"localhost", 200}, {"evil.example", 403}};
    for (size_t i = 0; i < 2; i++) {
        char request[128];
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void)snprintf(request, sizeof request,
                       "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i].host);
        cr_assert(connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
        cr_expect(eq(int, ask_with(fd, request), rows[i].status), "%s", rows[i].host);
    }
}
