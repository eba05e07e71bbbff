/* Servers with certificates that are not to be trusted: nothing is sent to them.  The server is openssl's. */
#include "worker/dest/dest_http.h"
#include "worker/s3/dest_s3.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <fcntl.h>
#include <sys/wait.h>

#include "tests/integration/dest_harness.h"
#include "tests/support/spawn.h"
#include "tests/support/tmpdir.h"
#include "tests/support/wait_until.h"

#define BODY "the bytes of the object"
/* Proves to dest_s3 what was stored; of no matter to dest_http. */
#define ANSWER                                                                         \
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-amz-checksum-sha256: "                  \
    "bHH7XF//Jav4pK0gx4ATVbpFJOYIYJm9axg9zbuwP6w=\r\n\r\n"

enum { LOG_MAX = 64 * 1024 };

static struct tmpdir dir;
static struct spawn server;
static int answer_fd; /* what is written there is what the server says */
static char seen[LOG_MAX];
static uv_loop_t loop;
static struct http *http;

static void run(const char *const *argv)
{
    struct spawn s;
    int status = -1;

    spawn_start(
        &s, &(struct spawn_options){.argv = argv,
                                    .dir = dir.path,
                                    .log_path = tmpdir_file(&dir, "openssl.log").path});
    cr_assert(spawn_wait(&s, 20000, &status) && status == 0, "%s %s", argv[0], argv[1]);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})
#define NEW_KEY "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"

/* ca.pem, and a certificate of it for 127.0.0.1 (good), for another host, and one whose time is over; one of its own. */
static void make_certificates(void)
{
    static const char good[] = "subjectAltName=IP:127.0.0.1\n";
    static const char other[] = "subjectAltName=DNS:other.example\n";

    (void)tmpdir_write(&dir, "good.ext", good, strlen(good));
    (void)tmpdir_write(&dir, "other.ext", other, strlen(other));
    RUN("openssl", "req", "-x509", NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem",
        "-subj", "/CN=ca", "-days", "30");
    RUN("openssl", "req", NEW_KEY, "-keyout", "server.key", "-out", "server.csr",
        "-subj", "/CN=127.0.0.1");
    RUN("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey",
        "ca.key", "-CAcreateserial", "-extfile", "good.ext", "-days", "30", "-out",
        "good.pem");
    RUN("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey",
        "ca.key", "-CAcreateserial", "-extfile", "other.ext", "-days", "30", "-out",
        "other.pem");
    RUN("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey",
        "ca.key", "-CAcreateserial", "-extfile", "good.ext", "-days", "-1", "-out",
        "expired.pem");
    RUN("openssl", "req", "-x509", "-key", "server.key", "-out", "own.pem", "-subj",
        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30");
}

static void up(void)
{
    struct err e = ERR_INIT;

    tmpdir_make(&dir);
    make_certificates();
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    cr_assert(http_open(&loop, &http, &e) == ERR_OK, "%s", e.text);
}

static void down(void)
{
    spawn_kill(&server);
    http_close(http);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    tmpdir_remove(&dir);
}

TestSuite(dest_tls, .init = up, .fini = down, .timeout = 120);

/* What the server has said of itself and got from the client. */
static const char *read_log(void)
{
    int fd = open(server.log_path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, seen, sizeof seen - 1);

    if (fd >= 0)
        (void)close(fd);
    seen[n > 0 ? n : 0] = '\0';
    for (ssize_t i = 0; i < n; i++)
        if (seen[i] == '\0')
            seen[i] = ' ';
    return seen;
}

/* Start it with this certificate; its port. */
static int serve(const char *certificate)
{
    char log[64];
    int fds[2], port = 0;

    (void)snprintf(log, sizeof log, "server-%s.log", certificate);
    cr_assert(eq(int, pipe2(fds, O_CLOEXEC), 0));
    answer_fd = fds[1];
    struct tmpdir_file log_file = tmpdir_file(&dir, log);
    spawn_start(&server,
                &(struct spawn_options){
                    .argv = (const char *const[]){"openssl", "s_server", "-accept",
                                                  "127.0.0.1:0", "-cert", certificate,
                                                  "-key", "server.key", NULL},
                    .dir = dir.path,
                    .log_path = log_file.path,
                    .stdin_fd = fds[0]});
    (void)close(fds[0]);
    cr_assert(WAIT_UNTIL(strstr(read_log(), "ACCEPT 127.0.0.1:") &&
                             sscanf(strstr(seen, "ACCEPT "), "ACCEPT 127.0.0.1:%d\n",
                                    &port) == 1 &&
                             strchr(strstr(seen, "ACCEPT "), '\n'),
                         20000),
              "%s", seen);
    return port;
}

static void stop_serving(void)
{
    spawn_kill(&server);
    (void)close(answer_fd);
}

static void answer_when_asked(uv_timer_t *timer)
{
    if (strstr(read_log(), BODY)) {
        (void)uv_timer_stop(timer);
        cr_assert(write(answer_fd, ANSWER, strlen(ANSWER)) == (ssize_t)strlen(ANSWER));
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle->data = handle;
}

/* One delivery, by either kind of destination. */
static struct dest_result deliver(int port, enum config_scheme scheme,
                                  const char *ca_file)
{
    char base[64];
    struct tmpdir_file ca = tmpdir_file(&dir, ca_file ? ca_file : "ca.pem");
    struct config_destination config = {.name = "t",
                                        .scheme = scheme,
                                        .url = base,
                                        .base = base,
                                        .endpoint = base,
                                        .region = "us-east-1",
                                        .style = CONFIG_PATH_STYLE,
                                        .bucket = "bucket",
                                        .prefix = "",
                                        .access_key = "AKIDEXAMPLE",
                                        .secret_key = "secret",
                                        .checksum = CONFIG_SHA256,
                                        .multipart_threshold = INT64_MAX,
                                        .content_type = "a/b",
                                        .ca_file = ca_file ? ca.path : "",
                                        .connect_timeout_seconds = 20,
                                        .stall_timeout_seconds = 20,
                                        .answer_timeout_seconds = 20};
    struct destination *d = NULL;
    struct err e = ERR_INIT;
    static uv_timer_t timer;
    struct job j = dest_job("k", BODY, strlen(BODY));

    (void)snprintf(base, sizeof base, "https://127.0.0.1:%d", port);
    enum err_code code =
        scheme == CONFIG_HTTP
            ? dest_http_open(&(struct dest_http_options){.loop = &loop,
                                                         .http = http,
                                                         .config = &config},
                             &d, &e)
            : dest_s3_open(&(struct dest_s3_options){.loop = &loop,
                                                     .http = http,
                                                     .config = &config},
                           &d, &e);
    cr_assert(code == ERR_OK, "%s", e.text);
    (void)uv_timer_init(&loop, &timer);
    (void)uv_timer_start(&timer, answer_when_asked, 5, 5);
    struct dest_result r = dest_run(&loop, d, &j, dest_data(BODY, strlen(BODY)));
    timer.data = NULL;
    uv_close((uv_handle_t *)&timer, on_timer_closed);
    while (!timer.data)
        (void)uv_run(&loop, UV_RUN_ONCE);
    job_release(&j);
    destination_release(d);
    return r;
}

static const enum config_scheme schemes[] = {CONFIG_HTTP, CONFIG_S3};

Test(dest_tls, what_cannot_be_trusted_is_sent_nothing)
{
    static const struct {
        const char *certificate, *ca_file;
    } rows[] = {{"other.pem", "ca.pem"},
                {"expired.pem", "ca.pem"},
                {"own.pem", "ca.pem"},
                {"good.pem", NULL /* the system's */}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int port = serve(rows[i].certificate);
        for (size_t k = 0; k < 2; k++) {
            struct dest_result r = deliver(port, schemes[k], rows[i].ca_file);
            cr_expect(not(r.outcome.done));
            cr_expect(eq(int, r.outcome.class, RETRY_CONFIG), "%s: %s",
                      rows[i].certificate, r.outcome.error);
            cr_expect(strstr(r.outcome.error, "certificate") != NULL, "%s",
                      r.outcome.error);
            outcome_release(&r.outcome);
        }
        (void)read_log();
        cr_expect(eq(ptr, strstr(seen, BODY), NULL), "%s", seen);
        cr_expect(eq(ptr, strstr(seen, "PUT "), NULL), "%s", seen);
        stop_serving();
    }
}

Test(dest_tls, one_that_the_configured_authority_has_signed_is_sent_the_bytes)
{
    for (size_t k = 0; k < 2; k++) {
        int port = serve("good.pem");
        struct dest_result r = deliver(port, schemes[k], "ca.pem");
        cr_expect(r.outcome.done, "%s", r.outcome.error);
        outcome_release(&r.outcome);
        stop_serving();
        (void)remove(server.log_path);
    }
}
