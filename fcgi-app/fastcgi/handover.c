#include "fcgi-app/fastcgi/handover.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char offer[] = "hoist fd"; /* its first byte is no version of FastCGI */

enum { OFFER_BYTES = sizeof offer - 1 };

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

static bool send_fd(int to, int fd)
{
    union control control = {.room = {0}};
    struct iovec bytes = {.iov_base = (char *)offer, .iov_len = OFFER_BYTES};
    struct msghdr m = {.msg_iov = &bytes,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(to, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == OFFER_BYTES;
}

bool handover_send(int listen_fd, int fd)
{
    struct sockaddr_un at = {.sun_family = AF_UNSPEC};
    socklen_t size = sizeof at;

    if (getsockname(listen_fd, (struct sockaddr *)&at, &size) < 0 ||
        at.sun_family != AF_UNIX)
        return false;
    int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (to < 0)
        return false;
    bool sent =
        connect(to, (struct sockaddr *)&at, size < sizeof at ? size : sizeof at) == 0 &&
        send_fd(to, fd);
    (void)close(to); /* what was sent stays to be read */
    return sent;
}

bool handover_is(const void *bytes, size_t len)
{
    return len >= OFFER_BYTES && memcmp(bytes, offer, OFFER_BYTES) == 0;
}

static bool is_stream(int fd)
{
    int type = 0, listens = 1;
    socklen_t size = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && !listens;
}

/* All that came, but for the one that an offer brings, is closed: the padding of the room takes two. */
static int only_fd(struct msghdr *m)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int fds[sizeof(union control) / sizeof(int)];

    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return -1;
    size_t size = c->cmsg_len - CMSG_LEN(0), count = size / sizeof fds[0];
    memcpy(fds, CMSG_DATA(c), size);
    if (count == 1 && is_stream(fds[0]))
        return fds[0];
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
    return -1;
}

int handover_receive(int conn_fd)
{
    union control control = {.room = {0}};
    char text[OFFER_BYTES];
    struct iovec bytes = {.iov_base = text, .iov_len = sizeof text};
    struct msghdr m = {.msg_iov = &bytes,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};

    if (recvmsg(conn_fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
        return -1;
    return only_fd(&m);
}
