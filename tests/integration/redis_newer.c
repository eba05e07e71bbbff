#include "tests/integration/redis_newer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINKS_MAX = 32, READ_MAX = 64 * 1024 };

struct link {
    int client, server;
};

static void die(const char *what)
{
    fprintf(stderr, "redis_newer: %s: %s\n", what, strerror(errno));
    abort();
}

static int open_socket(const char *path, bool listening)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(at.sun_path, path, strlen(path) + 1); /* tmpdir_file sees to its length */
    const struct sockaddr *to = (const struct sockaddr *)&at;
    if (fd < 0 || (listening ? bind(fd, to, sizeof at) < 0 || listen(fd, 32) < 0
                             : connect(fd, to, sizeof at) < 0))
        die(path);
    return fd;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool pass_request(struct redis_newer *n, const struct link *l)
{
    char bytes[READ_MAX];
    ssize_t len = recv(l->client, bytes, sizeof bytes, 0);
    if (len <= 0)
        return false;
    if (!memmem(bytes, (size_t)len, "WAITAOF\r\n", 9))
        return send_all(l->server, bytes, (size_t)len);
    atomic_fetch_add(&n->asked, 1);
    const char *answer = atomic_load(&n->answer);
    return send_all(l->client, answer, strlen(answer));
}

/* The version is near the beginning of INFO's reply, which is written at once. */
static bool pass_reply(const struct link *l)
{
    static const char name[] = "redis_version:";
    char bytes[READ_MAX];
    ssize_t len = recv(l->server, bytes, sizeof bytes, 0);
    if (len <= 0)
        return false;
    char *at = memmem(bytes, (size_t)len, name, sizeof name - 1);
    if (at && at + sizeof name - 1 + 3 <= bytes + len)
        memcpy(at + sizeof name - 1, (const char[]){'7', '.', '2'}, 3);
    return send_all(l->client, bytes, (size_t)len);
}

static void take_in(struct redis_newer *n, struct link *links, size_t *count)
{
    int client = accept4(n->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0)
        return;
    if (*count == LINKS_MAX) {
        (void)close(client);
        return;
    }
    links[(*count)++] = (struct link){client, open_socket(n->upstream, false)};
}

static void *run(void *arg)
{
    struct redis_newer *n = arg;
    struct link links[LINKS_MAX];
    struct pollfd fds[2 + 2 * LINKS_MAX];
    size_t count = 0;
    for (;;) {
        size_t old = count;
        fds[0] = (struct pollfd){.fd = n->stop[0], .events = POLLIN};
        fds[1] = (struct pollfd){.fd = n->listener, .events = POLLIN};
        for (size_t i = 0; i < count; i++) {
            fds[2 + 2 * i] = (struct pollfd){.fd = links[i].client, .events = POLLIN};
            fds[3 + 2 * i] = (struct pollfd){.fd = links[i].server, .events = POLLIN};
        }
        if (poll(fds, 2 + 2 * count, -1) < 0 && errno != EINTR)
            die("poll");
        if (fds[0].revents)
            break;
        for (size_t i = old; i-- > 0;) {
            bool go_on = !fds[2 + 2 * i].revents || pass_request(n, &links[i]);
            if (go_on && fds[3 + 2 * i].revents)
                go_on = pass_reply(&links[i]);
            if (!go_on) {
                (void)close(links[i].client);
                (void)close(links[i].server);
                links[i] = links[--count];
            }
        }
        if (fds[1].revents)
            take_in(n, links, &count);
    }
    while (count > 0) {
        (void)close(links[--count].client);
        (void)close(links[count].server);
    }
    return NULL;
}

void redis_newer_start(struct redis_newer *n, struct tmpdir_file socket,
                       const char *upstream, const char *answer)
{
    memset(n, 0, sizeof *n);
    n->socket = socket;
    atomic_store(&n->answer, answer);
    (void)snprintf(n->upstream, sizeof n->upstream, "%s", upstream);
    n->listener = open_socket(socket.path, true);
    if (pipe2(n->stop, O_CLOEXEC) < 0 || pthread_create(&n->thread, NULL, run, n) != 0)
        die(socket.path);
}

void redis_newer_stop(struct redis_newer *n)
{
    (void)close(n->stop[1]);
    (void)pthread_join(n->thread, NULL);
    (void)close(n->stop[0]);
    (void)close(n->listener);
}
