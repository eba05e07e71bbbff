/* Sockets, events, threads. */
#include "tests/torture/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t __recv_chk(int fd, void *data, size_t len, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *data, size_t len, size_t room, int flags,
                       struct sockaddr *from, socklen_t *from_len);
int __poll_chk(struct pollfd *fds, nfds_t count, int ms, size_t room);

int accept(int fd, __SOCKADDR_ARG from, socklen_t *len)
{
    NEXT(accept);
    return torture_fails(TORTURE_ACCEPT, FROM) ? -1 : next(fd, from, len);
}

int accept4(int fd, __SOCKADDR_ARG from, socklen_t *len, int flags)
{
    NEXT(accept4);
    return torture_fails(TORTURE_ACCEPT, FROM) ? -1 : next(fd, from, len, flags);
}

/* The kernel never shows less than what is there, for ever. */
static bool receive_cuts(const void *from, int fd, size_t *len, int flags)
{
    size_t all = *len;
    bool goes_on = torture_cuts(TORTURE_RECV, from, fd, len);

    if (flags & MSG_PEEK)
        *len = all;
    return goes_on;
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
    NEXT(recv);
    return receive_cuts(FROM, fd, &len, flags) ? next(fd, data, len, flags) : -1;
}

ssize_t __recv_chk(int fd, void *data, size_t len, size_t room, int flags)
{
    NEXT(__recv_chk);
    return receive_cuts(FROM, fd, &len, flags) ? next(fd, data, len, room, flags) : -1;
}

ssize_t recvfrom(int fd, void *data, size_t len, int flags, __SOCKADDR_ARG from,
                 socklen_t *from_len)
{
    NEXT(recvfrom);
    return receive_cuts(FROM, fd, &len, flags)
               ? next(fd, data, len, flags, from, from_len)
               : -1;
}

ssize_t __recvfrom_chk(int fd, void *data, size_t len, size_t room, int flags,
                       struct sockaddr *from, socklen_t *from_len)
{
    NEXT(__recvfrom_chk);
    return receive_cuts(FROM, fd, &len, flags)
               ? next(fd, data, len, room, flags, from, from_len)
               : -1;
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    NEXT(recvmsg);
    return torture_fails(TORTURE_RECV, FROM) ? -1 : next(fd, m, flags);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    NEXT(send);
    return torture_cuts(TORTURE_SEND, FROM, fd, &len) ? next(fd, data, len, flags) : -1;
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, __CONST_SOCKADDR_ARG to,
               socklen_t to_len)
{
    NEXT(sendto);
    return torture_cuts(TORTURE_SEND, FROM, fd, &len)
               ? next(fd, data, len, flags, to, to_len)
               : -1;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    NEXT(sendmsg);
    return torture_fails(TORTURE_SEND, FROM) ? -1 : next(fd, m, flags);
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
    NEXT(connect);
    return torture_fails(TORTURE_CONNECT, FROM) ? -1 : next(fd, to, len);
}

int socket(int domain, int type, int protocol)
{
    NEXT(socket);
    return torture_fails(TORTURE_SOCKET, FROM) ? -1 : next(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
    NEXT(socketpair);
    return torture_fails(TORTURE_SOCKET, FROM) ? -1 : next(domain, type, protocol, fds);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    NEXT(setsockopt);
    return torture_fails(TORTURE_SOCKOPT, FROM) ? -1
                                                : next(fd, level, name, value, len);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    NEXT(getsockopt);
    return torture_fails(TORTURE_SOCKOPT, FROM) ? -1
                                                : next(fd, level, name, value, len);
}

int bind(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
    NEXT(bind);
    return torture_fails(TORTURE_BIND, FROM) ? -1 : next(fd, to, len);
}

int listen(int fd, int backlog)
{
    NEXT(listen);
    return torture_fails(TORTURE_LISTEN, FROM) ? -1 : next(fd, backlog);
}

int epoll_create1(int flags)
{
    NEXT(epoll_create1);
    return torture_fails(TORTURE_EPOLL_CREATE, FROM) ? -1 : next(flags);
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    NEXT(epoll_ctl);
    return torture_fails(TORTURE_EPOLL_CTL, FROM) ? -1 : next(epoll, op, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int ms)
{
    NEXT(epoll_wait);
    return torture_fails(TORTURE_EPOLL_WAIT, FROM) ? -1 : next(epoll, events, max, ms);
}

int epoll_pwait(int epoll, struct epoll_event *events, int max, int ms,
                const sigset_t *mask)
{
    NEXT(epoll_pwait);
    return torture_fails(TORTURE_EPOLL_WAIT, FROM) ? -1
                                                   : next(epoll, events, max, ms, mask);
}

int eventfd(unsigned count, int flags)
{
    NEXT(eventfd);
    return torture_fails(TORTURE_EVENTFD, FROM) ? -1 : next(count, flags);
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
    NEXT(signalfd);
    return torture_fails(TORTURE_SIGNALFD, FROM) ? -1 : next(fd, mask, flags);
}

int pipe2(int fds[2], int flags)
{
    NEXT(pipe2);
    return torture_fails(TORTURE_PIPE, FROM) ? -1 : next(fds, flags);
}

/* A third argument, of a machine word at most. */
#define FCNTL(name)                                                                    \
    NEXT(name);                                                                        \
    va_list ap;                                                                        \
    va_start(ap, command);                                                             \
    void *argument = va_arg(ap, void *);                                               \
    va_end(ap);                                                                        \
    return torture_fails(TORTURE_FCNTL, FROM) ? -1 : next(fd, command, argument)

int fcntl(int fd, int command, ...)
{
    FCNTL(fcntl);
}

int fcntl64(int fd, int command, ...)
{
    FCNTL(fcntl64);
}

int poll(struct pollfd *fds, nfds_t count, int ms)
{
    NEXT(poll);
    return torture_fails(TORTURE_POLL, FROM) ? -1 : next(fds, count, ms);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int ms, size_t room)
{
    NEXT(__poll_chk);
    return torture_fails(TORTURE_POLL, FROM) ? -1 : next(fds, count, ms, room);
}

/* Its stack, or clone3. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                   void *(*start)(void *), void *arg)
{
    NEXT(pthread_create);
    return torture_fails(TORTURE_THREAD, FROM) ? errno
                                               : next(thread, attributes, start, arg);
}
