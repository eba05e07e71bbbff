/*
 * responder, where its socket comes from and how it ends: systemd, spawn-fcgi, its own; SIGTERM once and twice, SIGHUP.
 */
#include "tests/integration/responder_rig.h"

#include "tests/support/wait_until.h"

#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define RUN "exec \"$0\" --config \"$1\""
#define SYSTEMD "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 " RUN

static struct spawn second; /* a responder beside rig.process */

static const struct fcgi_request live = {.method = "GET", .uri = "/healthz"};

/* Everything but the responder. */
static void up(void)
{
    responder_up();
    (void)spawn_stop(&rig.process, 10000);
}

static void down(void)
{
    (void)spawn_stop(&second, 10000);
    responder_down();
}

TestSuite(responder_listen, .init = up, .fini = down, .timeout = 120);

/* A shell script that ends in RUN, with descriptor 0. */
static void start(struct spawn *s, const char *script, int fd, const char *setting)
{
    const char *argv[] = {"sh", "-c", script, HOIST_FCGI_BIN, rig.config.path, NULL};
    const char *env[] = {setting, NULL};

    spawn_start(
        s, &(struct spawn_options){
               .argv = argv, .env = env, .stdin_fd = fd, .log_path = rig.log.path});
}

static int log_count(const char *text)
{
    char line[4200];
    int n = 0;
    FILE *f = fopen(rig.log.path, "re");

    while (f && fgets(line, sizeof line, f))
        n += strstr(line, text) != NULL;
    if (f)
        (void)fclose(f);
    return n;
}

static void start_and_wait(struct spawn *s, const char *script, int fd,
                           const char *setting)
{
    int before = log_count("msg=ready");

    start(s, script, fd, setting);
    if (!WAIT_UNTIL(log_count("msg=ready") > before || !spawn_is_running(s), 10000) ||
        !spawn_is_running(s)) {
        spawn_show_log(s);
        cr_fatal("it does not start");
    }
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* It ends by itself, with status 1, and says why. */
static void check_refuses(const char *script, int fd, const char *setting,
                          const char *why)
{
    int status = 0;

    start(&second, script, fd, setting);
    cr_assert(spawn_wait(&second, 10000, &status), "%s: it runs", why);
    cr_expect(eq(int, exit_status(status), 1), "%s", why);
    cr_expect(eq(int, log_count(why), 1), "%s", why);
}

static int listen_unix(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, rig.socket.path, strlen(rig.socket.path) + 1);
    (void)unlink(rig.socket.path);
    cr_assert(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 16) == 0);
    return fd;
}

/* An address that need not be one of this machine: nobody can connect to what is not. */
static int listen_tcp(in_addr_t address, struct sockaddr_in *ret)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    socklen_t len = sizeof *ret;

    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(address)}};
    cr_assert(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on) == 0);
    cr_assert(bind(fd, (struct sockaddr *)ret, sizeof *ret) == 0);
    cr_assert(listen(fd, 16) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)ret, &len) == 0);
    return fd;
}

/* An upload of which five bytes are still to come. */
static void begin_upload(struct fcgi_client *c)
{
    static const char body[70000]; /* more than the responder reads at a time */
    static const struct fcgi_request put = {
        .method = "PUT", .uri = "/v1/uploads/a", .content_length = "70005"};
    size_t before = responder_count("tmp");

    fcgi_client_open(c, rig.socket.path);
    fcgi_client_head(c, &put);
    fcgi_client_body(c, body, sizeof body);
    cr_assert(WAIT_UNTIL(responder_count("tmp") > before, 5000), "it is under way");
}

static void check_answer(struct fcgi_client *c, int status)
{
    struct fcgi_response r = fcgi_client_response(c, 10000);

    cr_expect(eq(int, r.status, status), "%s", r.text);
    cr_expect(r.ended);
    fcgi_response_release(&r);
    fcgi_client_close(c);
}

static void end_upload(struct fcgi_client *c)
{
    fcgi_client_record(c, FCGI_STDIN, " way!", 5);
    fcgi_client_record(c, FCGI_STDIN, NULL, 0);
    check_answer(c, 202);
}

static void check_ends(struct spawn *s, int want)
{
    int status = -1;

    cr_assert(spawn_wait(s, 5000, &status), "it still runs");
    cr_expect(eq(int, exit_status(status), want));
}

/* SIGTERM, and it knows. */
static void tell_to_stop(struct spawn *s)
{
    int before = log_count("msg=draining");

    spawn_signal(s, SIGTERM);
    cr_assert(WAIT_UNTIL(log_count("msg=draining") > before, 5000));
}

/* --- Inherited --- */

Test(responder_listen, it_takes_the_socket_systemd_passes_and_leaves_its_file)
{
    int fd = listen_unix();

    start_and_wait(&rig.process, SYSTEMD, fd, NULL);
    cr_expect(eq(int, responder_status(&live), 200));
    cr_expect(spawn_stop(&rig.process, 5000));
    cr_expect(access(rig.socket.path, F_OK) == 0);
    (void)close(fd);
}

Test(responder_listen, who_waits_at_an_inherited_socket_is_the_next_process_s)
{
    struct fcgi_client under_way, waits;
    int fd = listen_unix();

    start_and_wait(&rig.process, SYSTEMD, fd, NULL);
    begin_upload(&under_way);
    tell_to_stop(&rig.process);
    fcgi_client_open(&waits, rig.socket.path);
    fcgi_client_request(&waits, &live);
    end_upload(&under_way);
    check_ends(&rig.process, 0);
    start_and_wait(&rig.process, SYSTEMD, fd, NULL);
    check_answer(&waits, 200);
    (void)close(fd);
}

Test(responder_listen, it_takes_descriptor_0_as_spawn_fcgi_hands_it_over)
{
    int fd = listen_unix();

    start_and_wait(&rig.process, RUN, fd, NULL);
    cr_expect(eq(int, responder_status(&live), 200));
    (void)close(fd);
}

Test(responder_listen, descriptors_meant_for_another_process_are_not_taken)
{
    struct sockaddr_in a;
    int fd = listen_tcp(INADDR_LOOPBACK, &a);

    start_and_wait(&rig.process, "exec 3<&0 </dev/null; LISTEN_PID=1 LISTEN_FDS=1 " RUN,
                   fd, NULL);
    cr_expect(eq(int, responder_status(&live), 200), "it listens on its own socket");
    (void)close(fd);
}

Test(responder_listen, what_is_not_one_listening_socket_is_refused)
{
    int fd = listen_unix();

    check_refuses("exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=2 " RUN, fd, NULL,
                  "exactly one socket");
    check_refuses("exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 " RUN, 0, NULL,
                  "not a listening socket");
    (void)close(fd);
}

Test(responder_listen, a_tcp_socket_is_taken_on_loopback_only)
{
    struct sockaddr_in a;
    struct fcgi_client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int open_fd = listen_tcp(0xc0000201 /* 192.0.2.1, documentation */, &a);

    check_refuses(RUN, open_fd, NULL, "not on a loopback address");
    int fd = listen_tcp(INADDR_LOOPBACK, &a);
    start_and_wait(&rig.process, RUN, fd, NULL);
    cr_assert(connect(c.fd, (struct sockaddr *)&a, sizeof a) == 0);
    fcgi_client_request(&c, &live);
    check_answer(&c, 200);
    (void)close(fd);
    (void)close(open_fd);
}

/* --- Its own --- */

static struct stat socket_stat(void)
{
    struct stat st;

    cr_assert(lstat(rig.socket.path, &st) == 0);
    cr_assert(eq(uint, st.st_mode & S_IFMT, S_IFSOCK));
    return st;
}

Test(responder_listen, its_own_socket_has_the_mode_and_group_of_the_settings)
{
    const struct group *g = getgrgid(geteuid() == 0 ? 1 : getegid());
    char setting[128];

    start_and_wait(&rig.process, RUN, 0, NULL);
    cr_expect(eq(uint, socket_stat().st_mode & 07777, 0660));
    cr_expect(spawn_stop(&rig.process, 5000));
    cr_expect(access(rig.socket.path, F_OK) != 0, "it takes its file along");
    start_and_wait(&rig.process, RUN, 0, "HOIST_HTTP_SOCKET_MODE=0600");
    cr_expect(eq(uint, socket_stat().st_mode & 07777, 0600));
    cr_expect(spawn_stop(&rig.process, 5000));
    cr_assert(g != NULL);
    (void)snprintf(setting, sizeof setting, "HOIST_HTTP_SOCKET_GROUP=%s", g->gr_name);
    start_and_wait(&rig.process, RUN, 0, setting);
    cr_expect(eq(uint, socket_stat().st_gid, g->gr_gid));
    check_refuses(RUN, 0, "HOIST_HTTP_SOCKET_GROUP=no-such-group",
                  "another process listens there");
    cr_expect(spawn_stop(&rig.process, 5000));
    check_refuses(RUN, 0, "HOIST_HTTP_SOCKET_GROUP=no-such-group",
                  "there is no group no-such-group");
    cr_expect(access(rig.socket.path, F_OK) != 0, "a socket without its group is none");
}

Test(responder_listen, a_stale_socket_is_replaced_a_live_one_and_a_file_are_not)
{
    start_and_wait(&rig.process, RUN, 0, NULL);
    check_refuses(RUN, 0, NULL, "another process listens there");
    cr_expect(eq(int, responder_status(&live), 200));
    spawn_kill(&rig.process);
    cr_assert(access(rig.socket.path, F_OK) == 0, "it is stale");
    start_and_wait(&rig.process, RUN, 0, NULL);
    cr_expect(eq(int, responder_status(&live), 200));
    cr_expect(spawn_stop(&rig.process, 5000));
    tmpdir_write(&rig.dir, "f.sock", "precious", 8);
    check_refuses(RUN, 0, NULL, "is not a socket");
    cr_expect(access(rig.socket.path, F_OK) == 0, "it is left alone");
}

/* --- The end --- */

Test(responder_listen, while_it_drains_another_takes_its_place)
{
    struct fcgi_client under_way, refused;

    start_and_wait(&rig.process, RUN, 0, NULL);
    begin_upload(&under_way);
    tell_to_stop(&rig.process);
    cr_expect(WAIT_UNTIL(!fcgi_client_try_open(&refused, rig.socket.path) ||
                             (fcgi_client_close(&refused), false),
                         5000),
              "whoever connects now hears it at once");
    start_and_wait(&second, RUN, 0, NULL);
    cr_expect(eq(int, responder_status(&live), 200), "the next one answers already");
    end_upload(&under_way);
    check_ends(&rig.process, 0);
    cr_expect(eq(int, responder_status(&live), 200),
              "the socket of the next one stays");
}

Test(responder_listen, who_had_connected_before_the_end_is_served)
{
    struct fcgi_client under_way, idle, waits[3];
    static const struct fcgi_request kept = {
        .method = "GET", .uri = "/healthz", .keep = true};

    start_and_wait(&rig.process, RUN, 0, "HOIST_HTTP_MAX_CONNECTIONS=2");
    begin_upload(&under_way);
    fcgi_client_open(&idle, rig.socket.path);
    fcgi_client_request(&idle, &kept);
    struct fcgi_response r = fcgi_client_response(&idle, 5000);
    cr_assert(eq(int, r.status, 200));
    fcgi_response_release(&r);
    for (int i = 0; i < 3; i++) { /* there is no place for them */
        fcgi_client_open(&waits[i], rig.socket.path);
        fcgi_client_request(&waits[i], &kept);
    }
    tell_to_stop(&rig.process);
    cr_expect(fcgi_client_is_closed(&idle, 5000));
    fcgi_client_close(&idle);
    for (int i = 0; i < 3; i++)
        check_answer(&waits[i], 200);
    end_upload(&under_way);
    check_ends(&rig.process, 0);
}

Test(responder_listen, a_second_sigterm_ends_it_at_once)
{
    struct fcgi_client under_way;

    start_and_wait(&rig.process, RUN, 0, NULL);
    begin_upload(&under_way);
    tell_to_stop(&rig.process);
    int64_t start_ms = wait_now_ms();
    spawn_signal(&rig.process, SIGTERM);
    check_ends(&rig.process, 1);
    cr_expect(lt(i64, wait_now_ms() - start_ms, 1000));
    fcgi_client_close(&under_way);
}

Test(responder_listen, sighup_changes_nothing)
{
    struct fcgi_client under_way;

    start_and_wait(&rig.process, RUN, 0, NULL);
    begin_upload(&under_way);
    spawn_signal(&rig.process, SIGHUP);
    cr_expect(WAIT_UNTIL(log_count("restart to reload") == 1, 5000));
    end_upload(&under_way);
    cr_expect(eq(int, responder_status(&live), 200));
    cr_expect(spawn_is_running(&rig.process));
}
