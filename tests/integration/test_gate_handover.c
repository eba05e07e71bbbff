/*
 * handover: a gate that stops gives its connections to another one on the same socket, and no request is lost to that.
 */
#include "fcgi-app/fastcgi/fastcgi.h"
#include "fcgi-app/fastcgi/gate.h"
#include "fcgi-app/fastcgi/handover.h"
#include "tests/support/fcgi_client.h"
#include "tests/support/tmpdir.h"
#include "tests/support/wait_until.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

struct side {
    struct gate *gate;
    pthread_t thread;
};

static struct {
    struct tmpdir dir;
    struct tmpdir_file socket;
    int listen_fd;
    struct side old, new;
} rig;

static const struct fcgi_request live = {
    .method = "GET", .uri = "/healthz", .keep = true};

static void up(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    tmpdir_make(&rig.dir);
    rig.socket = tmpdir_file(&rig.dir, "g.sock");
    memcpy(a.sun_path, rig.socket.path, strlen(rig.socket.path) + 1);
    rig.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(rig.listen_fd, (struct sockaddr *)&a, sizeof a) == 0);
    cr_assert(listen(rig.listen_fd, 16) == 0);
}

static void *run(void *arg)
{
    gate_run(arg);
    return NULL;
}

static void start(struct side *s)
{
    struct err e = ERR_INIT;
    struct gate_options o = {.listen_fd = rig.listen_fd,
                             .max_connections = 4,
                             .receive_timeout_ms = 10000,
                             .send_timeout_ms = 1000,
                             .drain_ms = 5000};

    cr_assert(not(gate_open(&o, &s->gate, &e)), "%s", e.text);
    cr_assert(pthread_create(&s->thread, NULL, run, s->gate) == 0);
}

static void stop(struct side *s)
{
    gate_stop(s->gate);
    cr_assert(pthread_join(s->thread, NULL) == 0);
    gate_close(s->gate);
    s->gate = NULL;
}

static void down(void)
{
    (void)close(rig.listen_fd);
    tmpdir_remove(&rig.dir);
}

TestSuite(gate_handover, .init = up, .fini = down, .timeout = 60);

/* The request that this side is given, and its connection kept or closed. */
static void serve(struct side *s, enum gate_end end)
{
    struct fastcgi *web = NULL;
    struct gate_conn *c = gate_take(s->gate, &web);

    cr_assert(c != NULL);
    cr_expect(fastcgi_drain(web, 0));
    fastcgi_free(web);
    gate_give_back(s->gate, c, end);
}

Test(gate_handover, a_kept_connection_goes_on_with_the_other_process)
{
    struct fcgi_client kept, fresh;

    start(&rig.old);
    fcgi_client_open(&kept, rig.socket.path);
    fcgi_client_request(&kept, &live);
    serve(&rig.old, GATE_KEEP);
    fcgi_client_open(&fresh, rig.socket.path);
    stop(&rig.old);
    cr_expect(not(fcgi_client_is_closed(&kept, 0)));
    fcgi_client_request(&kept, &live);
    fcgi_client_request(&fresh, &live);
    cr_expect(not(kept.send_failed));
    cr_expect(not(fresh.send_failed));
    start(&rig.new);
    serve(&rig.new, GATE_CLOSE);
    serve(&rig.new, GATE_CLOSE);
    cr_expect(fcgi_client_is_closed(&kept, 5000));
    cr_expect(fcgi_client_is_closed(&fresh, 5000));
    stop(&rig.new);
    fcgi_client_close(&kept);
    fcgi_client_close(&fresh);
}

Test(gate_handover, it_can_go_on_and_on)
{
    struct fcgi_client kept;

    start(&rig.old);
    fcgi_client_open(&kept, rig.socket.path);
    fcgi_client_request(&kept, &live);
    serve(&rig.old, GATE_KEEP);
    for (int i = 0; i < 10; i++) {
        struct side *from = i % 2 ? &rig.new : &rig.old,
                    *to = i % 2 ? &rig.old : &rig.new;
        start(to);
        stop(from);
        fcgi_client_request(&kept, &live);
        serve(to, GATE_KEEP);
    }
    cr_expect(not(kept.send_failed));
    fcgi_client_close(&kept);
    stop(&rig.old);
}

static void *serve_all(void *arg)
{
    struct fastcgi *web = NULL;
    struct gate_conn *c;

    while ((c = gate_take(arg, &web)))
        gate_give_back(arg, c, GATE_CLOSE);
    fastcgi_free(web);
    return NULL;
}

Test(gate_handover, an_offer_that_is_none_is_closed)
{
    struct fcgi_client without;
    pthread_t handler;
    int pipes[2];

    start(&rig.new);
    cr_assert(pthread_create(&handler, NULL, serve_all, rig.new.gate) == 0);
    fcgi_client_open(&without, rig.socket.path);
    fcgi_client_raw(&without, "hoist fd", 8);
    cr_expect(fcgi_client_is_closed(&without, 5000), "no descriptor");
    fcgi_client_close(&without);

    cr_assert(pipe(pipes) == 0);
    cr_assert(handover_send(rig.listen_fd, pipes[1]));
    (void)close(pipes[1]);
    char byte;
    cr_expect(read(pipes[0], &byte, 1) == 0, "a pipe is not kept");
    (void)close(pipes[0]);

    int other = dup(rig.listen_fd);
    cr_assert(handover_send(rig.listen_fd, other));
    (void)close(other);
    fcgi_client_open(&without, rig.socket.path);
    fcgi_client_request(&without, &live);
    cr_expect(fcgi_client_is_closed(&without, 5000), "and it goes on");
    fcgi_client_close(&without);
    gate_stop(rig.new.gate);
    cr_assert(pthread_join(rig.new.thread, NULL) == 0);
    cr_assert(pthread_join(handler, NULL) == 0);
    gate_close(rig.new.gate);
}

/* Bring both in one offer: more than any responder sends, as much as the padding of a control message has room for. */
static void offer_two(int first, int second)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fds[] = {first, second}, to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[] = "hoist fd";
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof fds)];
    } control = {.room = {0}};
    struct iovec bytes = {.iov_base = text, .iov_len = strlen(text)};
    struct msghdr m = {.msg_iov = &bytes,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    memcpy(a.sun_path, rig.socket.path, strlen(rig.socket.path) + 1);
    cr_assert(connect(to, (struct sockaddr *)&a, sizeof a) == 0);
    cr_assert(sendmsg(to, &m, MSG_NOSIGNAL) == (ssize_t)strlen(text));
    (void)close(to);
}

Test(gate_handover, an_offer_of_two_leaves_none_of_them_open)
{
    pthread_t handler;
    int pipes[2], pair[2];
    char byte;

    cr_assert(pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0);
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    start(&rig.new);
    cr_assert(pthread_create(&handler, NULL, serve_all, rig.new.gate) == 0);
    offer_two(pair[0], pipes[1]);
    (void)close(pair[0]);
    (void)close(pipes[1]);
    cr_expect(WAIT_UNTIL(read(pipes[0], &byte, 1) == 0, 5000), "the second");
    cr_expect(WAIT_UNTIL(recv(pair[1], &byte, 1, MSG_DONTWAIT) == 0, 5000),
              "the first");
    (void)close(pipes[0]);
    (void)close(pair[1]);
    gate_stop(rig.new.gate);
    cr_assert(pthread_join(rig.new.thread, NULL) == 0);
    cr_assert(pthread_join(handler, NULL) == 0);
    gate_close(rig.new.gate);
}

/* What all the epoll sets of this process watch. */
static size_t count_watched(void)
{
    struct dirent *entry;
    size_t count = 0;
    char line[256];
    DIR *dir = opendir("/proc/self/fdinfo");

    cr_assert(dir != NULL);
    while ((entry = readdir(dir))) {
        int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
        FILE *info = fd < 0 ? NULL : fdopen(fd, "r");
        while (info && fgets(line, sizeof line, info))
            count += strncmp(line, "tfd:", 4) == 0;
        if (info)
            (void)fclose(info);
    }
    (void)closedir(dir);
    return count;
}

Test(gate_handover, one_that_its_sender_keeps_open_is_watched_no_longer)
{
    static const char half_a_head[] = {1, 1, 0, 1};
    pthread_t handler;
    int pair[2];

    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    start(&rig.new);
    cr_assert(pthread_create(&handler, NULL, serve_all, rig.new.gate) == 0);
    size_t before = count_watched();
    cr_assert(before > 0);
    cr_assert(write(pair[1], half_a_head, sizeof half_a_head) == sizeof half_a_head);
    cr_assert(handover_send(rig.listen_fd, pair[0]));
    cr_assert(WAIT_UNTIL(count_watched() == before + 1, 5000), "it is taken over");
    cr_assert(write(pair[1], "no request", 10) == 10);
    cr_expect(WAIT_UNTIL(count_watched() == before, 5000), "closed, and not watched");
    (void)close(pair[0]);
    (void)close(pair[1]);
    gate_stop(rig.new.gate);
    cr_assert(pthread_join(rig.new.thread, NULL) == 0);
    cr_assert(pthread_join(handler, NULL) == 0);
    gate_close(rig.new.gate);
}

Test(gate_handover, where_nobody_can_take_it_nothing_happens)
{
    int pair[2], tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in any = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    cr_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    cr_assert(bind(tcp, (struct sockaddr *)&any, sizeof any) == 0 &&
              listen(tcp, 1) == 0);
    cr_expect(not(handover_send(tcp, pair[0])), "TCP carries no descriptors");
    (void)close(tcp);
    cr_expect(unlink(rig.socket.path) == 0);
    cr_expect(not(handover_send(rig.listen_fd, pair[0])), "nobody finds it");
    cr_expect(write(pair[0], "x", 1) == 1, "it is as it was");
    (void)close(pair[0]);
    (void)close(pair[1]);
}
