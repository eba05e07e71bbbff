/*
 * listen, peers: where the responder's own socket may be, and who may connect to it.
 */
#include "fcgi-app/fastcgi/fastcgi.h"
#include "fcgi-app/fastcgi/gate.h"
#include "fcgi-app/fastcgi/listen.h"
#include "fcgi-app/fastcgi/listen_queue.h"
#include "shared/peers.h"
#include "tests/support/fcgi_client.h"
#include "tests/support/tmpdir.h"
#include "tests/support/wait_until.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct {
    struct tmpdir dir;
    struct tmpdir_file socket;
    struct config_http http;
    struct listener listener;
} rig;

static void up(void)
{
    tmpdir_make(&rig.dir);
    rig.socket = tmpdir_file(&rig.dir, "f.sock");
    rig.http = (struct config_http){.listen = rig.socket.path, .socket_mode = 0660};
    rig.listener = (struct listener)LISTENER_INIT;
}

static void down(void)
{
    listener_close(&rig.listener);
    tmpdir_remove(&rig.dir);
}

TestSuite(listen, .init = up, .fini = down, .timeout = 60);

static void check_opens(void)
{
    struct err e = ERR_INIT;
    struct stat st;

    cr_assert(eq(int, listener_open(&rig.http, &rig.listener, &e), ERR_OK), "%s",
              e.text);
    cr_assert(lstat(rig.socket.path, &st) == 0);
    cr_expect(eq(uint, st.st_mode, S_IFSOCK | 0660));
    listener_close(&rig.listener);
}

static void check_refused(const char *why)
{
    struct err e = ERR_INIT;

    cr_expect(eq(int, listener_open(&rig.http, &rig.listener, &e), ERR_CONFIG), "%s",
              why);
    cr_expect(strstr(e.text, why) != NULL, "%s: %s", why, e.text);
}

Test(listen, the_mode_is_that_of_the_settings_whatever_the_umask)
{
    const mode_t masks[] = {0, 022, 0777};

    for (size_t i = 0; i < 3; i++) {
        mode_t old = umask(masks[i]);
        check_opens();
        cr_expect(eq(uint, umask(old), masks[i]), "as it was");
    }
}

Test(listen, a_directory_that_everybody_may_write_to_is_refused)
{
    cr_assert(chmod(rig.dir.path, 0777) == 0);
    check_refused("everybody may write to");
    cr_assert(chmod(rig.dir.path, 01777) == 0);
    check_refused("everybody may write to");
    cr_assert(chmod(rig.dir.path, 0775) == 0);
    check_opens();
}

static void bind_stale(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, rig.socket.path, strlen(rig.socket.path) + 1);
    cr_assert(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    (void)close(fd);
}

Test(listen, what_is_not_its_own_stale_socket_is_left_alone)
{
    struct tmpdir_file target = tmpdir_write(&rig.dir, "precious", "x", 1);
    struct stat st;

    cr_assert(symlink(target.path, rig.socket.path) == 0);
    check_refused("is not a socket");
    cr_assert(lstat(rig.socket.path, &st) == 0 && S_ISLNK(st.st_mode));
    cr_assert(unlink(rig.socket.path) == 0);
    cr_assert(symlink("nowhere", rig.socket.path) == 0);
    check_refused("is not a socket");
    cr_assert(unlink(rig.socket.path) == 0);
    bind_stale();
    check_opens();
    bind_stale();
    if (geteuid() == 0) { /* nobody else can give a file away */
        cr_assert(chown(rig.socket.path, 65534, 65534) == 0);
        check_refused("belongs to another user");
        cr_assert(lstat(rig.socket.path, &st) == 0);
    }
}

/* --- Who may connect --- */

static int pair_of(int family, int *ret_other)
{
    struct sockaddr_storage a = {.ss_family = (sa_family_t)family};
    socklen_t len = sizeof a;
    int l = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (family == AF_INET)
        ((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert(bind(l, (struct sockaddr *)&a,
                   family == AF_UNIX ? sizeof(sa_family_t) : sizeof a) == 0);
    cr_assert(listen(l, 1) == 0 && getsockname(l, (struct sockaddr *)&a, &len) == 0);
    *ret_other = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(connect(*ret_other, (struct sockaddr *)&a, len) == 0);
    int fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(fd >= 0);
    (void)close(l);
    return fd;
}

static bool may(const char *users, const char *servers, const char *fallback, int fd)
{
    struct peers p;
    struct err e = ERR_INIT;

    cr_assert(not(peers_init(&p, users, servers, fallback, &e)), "%s", e.text);
    return peers_may_connect(&p, fd);
}

Test(listen, peers_are_known_by_user_and_by_address)
{
    int other[2];
    int local = pair_of(AF_UNIX, &other[0]), tcp = pair_of(AF_INET, &other[1]);

    cr_expect(may("", "", NULL, local));
    cr_expect(may("", "", NULL, tcp));
    cr_expect(may("daemon, 65534", "", NULL, local), "its own user always may");
    cr_expect(may("", "192.0.2.1", NULL, local), "addresses are of TCP");
    cr_expect(may("daemon", "", NULL, tcp), "users are of unix sockets");
    cr_expect(may("", "192.0.2.1, 127.0.0.1", NULL, tcp));
    cr_expect(may("", "::ffff:127.0.0.1", NULL, tcp));
    cr_expect(not(may("", "192.0.2.1,::1", NULL, tcp)));
    cr_expect(may("", "", "127.0.0.1", tcp));
    cr_expect(not(may("", "", "192.0.2.1", tcp)));
    cr_expect(may("", "127.0.0.1", "192.0.2.1", tcp), "the setting counts");
    (void)close(local);
    (void)close(tcp);
    (void)close(other[0]);
    (void)close(other[1]);
}

Test(listen, lists_of_peers_name_what_is_wrong_in_them)
{
    struct peers p;
    struct err e = ERR_INIT;

    cr_expect(eq(int, peers_init(&p, "no-such-user-here", "", NULL, &e), ERR_CONFIG));
    cr_expect(strstr(e.text, "'no-such-user-here' is no user") != NULL, "%s", e.text);
    cr_expect(eq(int, peers_check_users("a b/c", &e), ERR_CONFIG));
    cr_expect(eq(int, peers_check_users("www-data, 33", &e), ERR_OK));
    cr_expect(eq(int, peers_check_addresses("10.0.0.0/8", &e), ERR_CONFIG));
    cr_expect(eq(int, peers_check_addresses("10.0.0.1,fe80::1", &e), ERR_OK));
}

Test(listen, who_waits_to_be_accepted_is_counted_where_the_kernel_tells)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), to[3];
    int64_t waiting = -1, max = -1;
    struct err e = ERR_INIT;
    struct fcgi_client c[2];

    cr_assert(bind(tcp, (struct sockaddr *)&a, len) == 0 && listen(tcp, 7) == 0);
    cr_assert(getsockname(tcp, (struct sockaddr *)&a, &len) == 0);
    for (size_t i = 0; i < 3; i++) {
        to[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert(connect(to[i], (struct sockaddr *)&a, len) == 0);
    }
    cr_expect(WAIT_UNTIL(listen_queue_look(tcp, &waiting, &max) && waiting == 3, 5000));
    cr_expect(eq(i64, max, 7));

    cr_assert(not(listener_open(&rig.http, &rig.listener, &e)), "%s", e.text);
    fcgi_client_open(&c[0], rig.socket.path);
    fcgi_client_open(&c[1], rig.socket.path);
    waiting = 2; /* a kernel without unix_diag says nothing */
    cr_expect(not(listen_queue_look(-1, &waiting, &max)));
    bool known = listen_queue_look(rig.listener.fd, &waiting, &max);
    cr_expect(eq(i64, waiting, 2));
    cr_expect(eq(i64, max, known ? 1024 : 7));
    for (size_t i = 0; i < 3; i++)
        (void)close(to[i]);
    fcgi_client_close(&c[0]);
    fcgi_client_close(&c[1]);
    (void)close(tcp);
}

/* --- The gate --- */

static void *run(void *arg)
{
    gate_run(arg);
    return NULL;
}

static struct gate *start_gate(const struct peers *peers, pthread_t *ret_thread)
{
    struct err e = ERR_INIT;
    struct gate *gate;

    cr_assert(not(listener_open(&rig.http, &rig.listener, &e)), "%s", e.text);
    struct gate_options o = {.listen_fd = rig.listener.fd,
                             .own_listener = true,
                             .peers = peers,
                             .max_connections = 8,
                             .receive_timeout_ms = 10000,
                             .send_timeout_ms = 1000,
                             .drain_ms = 1000};
    cr_assert(not(gate_open(&o, &gate, &e)), "%s", e.text);
    cr_assert(pthread_create(ret_thread, NULL, run, gate) == 0);
    return gate;
}

static void stop_gate(struct gate *gate, pthread_t thread)
{
    gate_stop(gate);
    cr_assert(pthread_join(thread, NULL) == 0);
    gate_close(gate);
}

/* As another user, which this thread alone becomes: seteuid() would change the gate's, too. */
static int connect_as_nobody(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, rig.socket.path, strlen(rig.socket.path) + 1);
    cr_assert(chmod(rig.socket.path, 0666) == 0 && chmod(rig.dir.path, 0755) == 0);
    cr_assert(syscall(SYS_setresuid, -1, 65534, -1) == 0);
    cr_assert(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    cr_assert(syscall(SYS_setresuid, -1, 0, -1) == 0);
    return fd;
}

Test(listen, who_may_not_connect_is_closed_at_once)
{
    static const struct peers only = {.users = {1}, .user_count = 1};
    struct fcgi_client c;
    pthread_t thread;
    struct gate *gate = start_gate(&only, &thread);

    fcgi_client_open(&c, rig.socket.path);
    cr_expect(not(fcgi_client_is_closed(&c, 50)), "its own user");
    fcgi_client_close(&c);
    if (geteuid() == 0) { /* nobody else can become another one */
        c.fd = connect_as_nobody();
        cr_expect(fcgi_client_is_closed(&c, 5000));
        fcgi_client_close(&c);
    }
    stop_gate(gate, thread);
}

static int64_t cpu_ms(void)
{
    struct rusage u;

    cr_assert(getrusage(RUSAGE_SELF, &u) == 0);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

Test(listen, out_of_descriptors_accepting_pauses_and_goes_on)
{
    enum { MAX = 256 };
    static const struct fcgi_request live = {.method = "GET", .uri = "/healthz"};
    static int spare[MAX];
    struct rlimit few = {MAX, MAX};
    struct fcgi_client c, never = {.fd = -1};
    struct fastcgi *web = NULL;
    pthread_t thread;
    size_t count = 0;

    struct gate *gate = start_gate(NULL, &thread);
    cr_assert(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while (count < MAX && (spare[count] = dup(0)) >= 0)
        count++;
    (void)close(spare[--count]);
    fcgi_client_open(&c, rig.socket.path); /* takes the last one */
    fcgi_client_request(&c, &live);
    int64_t start_cpu_ms = cpu_ms();
    cr_expect(WAIT_STAYS(never.fd < 0, 500), "time for it to spin");
    cr_expect(lt(i64, cpu_ms() - start_cpu_ms, 250), "it does not");
    while (count > 0)
        (void)close(spare[--count]);
    struct gate_conn *taken = gate_take(gate, &web);
    cr_assert(taken != NULL);
    gate_give_back(gate, taken, GATE_CLOSE);
    cr_expect(fcgi_client_is_closed(&c, 5000));
    fcgi_client_close(&c);
    fastcgi_free(web);
    stop_gate(gate, thread);
}
