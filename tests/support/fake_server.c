#include "tests/support/fake_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* False when the test wants it to end. */
static bool wait_for(struct fake_server *s, int fd, short events)
{
    struct pollfd p[2] = {{.fd = fd, .events = events},
                          {.fd = s->stop[0], .events = POLLIN}};

    while (poll(p, 2, -1) < 0 && errno == EINTR)
        continue;
    return p[1].revents == 0;
}

static bool write_all(struct fake_server *s, int fd, const struct fake_reply *r)
{
    size_t times = r->repeat ? r->repeat : 1;

    for (size_t i = 0; i < times; i++) {
        for (size_t done = 0; done < r->len;) {
            if (!wait_for(s, fd, POLLOUT))
                return false;
            ssize_t n = send(fd, r->bytes + done, r->len - done, MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN)
                continue;
            if (n < 0)
                return false;
            done += (size_t)n;
        }
    }
    return true;
}

static void serve(struct fake_server *s, int fd)
{
    char request[4096];
    const struct fake_reply *r = s->replies;

    while (wait_for(s, fd, POLLIN)) {
        ssize_t n = recv(fd, request, sizeof request, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return;
        if (!r->bytes) {
            if (s->close_at_end)
                return;
            continue;
        }
        do {
            if (!write_all(s, fd, r))
                return;
        } while (r++->more);
        if (!r->bytes && s->close_at_end)
            return;
    }
}

static void *run(void *arg)
{
    struct fake_server *s = arg;

    while (wait_for(s, s->listener, POLLIN)) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            continue;
        serve(s, fd);
        (void)close(fd);
    }
    return NULL;
}

void fake_server_start(struct fake_server *s)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    memcpy(at.sun_path, s->socket.path, sizeof s->socket.path);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(s->listener, 16) < 0 || pipe2(s->stop, O_CLOEXEC) < 0 ||
        pthread_create(&s->thread, NULL, run, s) != 0) {
        fprintf(stderr, "fake_server: %s: %s\n", s->socket.path, strerror(errno));
        abort();
    }
}

void fake_server_stop(struct fake_server *s)
{
    (void)close(s->stop[1]); /* its end is what the thread waits for */
    (void)pthread_join(s->thread, NULL);
    (void)close(s->stop[0]);
    (void)close(s->listener);
}
