/*
 * gate: what its clock does to connections, and how it ends, with handlers that are the test itself.
 */
#include "fcgi-app/fastcgi/fastcgi.h"
#include "fcgi-app/fastcgi/gate.h"
#include "tests/support/fcgi_client.h"
#include "tests/support/tmpdir.h"
#include "tests/support/wait_until.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct {
    struct tmpdir dir;
    struct tmpdir_file socket;
    int listen_fd;
    struct gate *gate;
    pthread_t thread;
    struct fastcgi *web; /* of the request taken last */
} rig;

static const struct fcgi_request live = {.method = "GET", .uri = "/healthz"};

static void *run(void *arg)
{
    gate_run(arg);
    return NULL;
}

static void start(int64_t receive_timeout_ms, int64_t drain_ms)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct err e = ERR_INIT;

    tmpdir_make(&rig.dir);
    rig.socket = tmpdir_file(&rig.dir, "g.sock");
    memcpy(a.sun_path, rig.socket.path, strlen(rig.socket.path) + 1);
    rig.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(rig.listen_fd, (struct sockaddr *)&a, sizeof a) == 0);
    cr_assert(listen(rig.listen_fd, 16) == 0);
    struct gate_options o = {.listen_fd = rig.listen_fd,
                             .own_listener = true,
                             .max_connections = 8,
                             .receive_timeout_ms = receive_timeout_ms,
                             .send_timeout_ms = 1000,
                             .drain_ms = drain_ms};
    cr_assert(not(gate_open(&o, &rig.gate, &e)), "%s", e.text);
    cr_assert(pthread_create(&rig.thread, NULL, run, rig.gate) == 0);
}

static void stop(void)
{
    gate_stop(rig.gate);
    cr_assert(pthread_join(rig.thread, NULL) == 0);
}

static void down(void)
{
    gate_close(rig.gate);
    fastcgi_free(rig.web);
    (void)close(rig.listen_fd);
    tmpdir_remove(&rig.dir);
}

TestSuite(gate, .fini = down, .timeout = 60);

static void ask(struct fcgi_client *c)
{
    fcgi_client_open(c, rig.socket.path);
    fcgi_client_request(c, &live);
}

/* The descriptor a handler works on was shut down: reading comes to its end, at once. */
static bool is_cut(const struct gate_conn *c)
{
    char rest[4096];
    ssize_t n;

    while ((n = recv(gate_conn_fd(c), rest, sizeof rest, MSG_DONTWAIT)) > 0)
        continue;
    return n == 0;
}

Test(gate, a_request_that_waits_for_a_thread_is_not_idle)
{
    struct fcgi_client waits, idle;

    start(50, 1000);
    ask(&waits);
    fcgi_client_open(&idle, rig.socket.path);
    cr_expect(fcgi_client_is_closed(&idle, 5000), "its time was over later");
    fcgi_client_close(&idle);
    struct gate_conn *c = gate_take(rig.gate, &rig.web);
    cr_assert(c != NULL);
    cr_expect(not(fcgi_client_is_closed(&waits, 0)));
    gate_give_back(rig.gate, c, GATE_CLOSE);
    cr_expect(fcgi_client_is_closed(&waits, 5000));
    fcgi_client_close(&waits);
    stop();
}

Test(gate, when_the_time_to_drain_is_over_requests_are_cut_off_and_no_more_are_given)
{
    struct fcgi_client first, second;

    start(5000, 100);
    ask(&first);
    struct gate_conn *begun = gate_take(rig.gate, &rig.web);
    cr_expect(not(is_cut(begun)));
    ask(&second);
    stop();
    cr_expect(is_cut(begun));
    cr_expect(gate_take(rig.gate, &rig.web) == NULL, "the second comes too late");
    gate_give_back(rig.gate, begun, GATE_CLOSE);
    fcgi_client_close(&first);
    fcgi_client_close(&second);
}

Test(gate, stopping_it_waits_for_requests_that_are_on_their_way)
{
    static const char head[] = "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
                               "\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0";
    struct fcgi_client half, fresh, never, used;

    start(5000, 5000);
    fcgi_client_open(&half, rig.socket.path);
    fcgi_client_raw(&half, head, 20);
    fcgi_client_open(&fresh, rig.socket.path);
    fcgi_client_open(&never, rig.socket.path);
    ask(&used);
    struct gate_conn *kept = gate_take(rig.gate, &rig.web);
    cr_assert(kept != NULL);
    cr_expect(fastcgi_drain(rig.web, 0));
    gate_give_back(rig.gate, kept, GATE_KEEP);
    gate_stop(rig.gate);
    cr_expect(fcgi_client_is_closed(&used, 5000), "the others were looked at, too");
    fcgi_client_raw(&half, head + 20, sizeof head - 1 - 20);
    fcgi_client_raw(&fresh, head, sizeof head - 1);
    for (int i = 0; i < 2; i++) {
        struct gate_conn *c = gate_take(rig.gate, &rig.web);
        cr_assert(c != NULL);
        cr_expect(fastcgi_drain(rig.web, 0), "all of it");
        gate_give_back(rig.gate, c, GATE_CLOSE);
    }
    int64_t start_ms = wait_now_ms();
    cr_expect(fcgi_client_is_closed(&never, 5000), "but not for ever");
    stop();
    cr_expect(lt(i64, wait_now_ms() - start_ms, 2000));
    fcgi_client_close(&half);
    fcgi_client_close(&fresh);
    fcgi_client_close(&never);
    fcgi_client_close(&used);
}
