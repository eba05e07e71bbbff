/*
 * notify: messages to the supervisor that started this process, as sd_notify(3) describes them.
 *
 *     NOTIFY_SOCKET (a path, or @name) <--datagram-- "READY=1"  "WATCHDOG=1"  "STOPPING=1"  "STATUS=..."
 *
 * Without NOTIFY_SOCKET every call does nothing.  Nothing waits: a message that the socket does not take now is lost, and
 * the next one comes soon.  Belongs to one thread.
 */
#ifndef HOIST_WORKER_NOTIFY_H
#define HOIST_WORKER_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_len;
};

/* From the environment.  Cannot fail: what is no such socket counts as nobody. */
void notify_open(struct notify *n);
void notify_close(struct notify *n);

/* One message, lines of NAME=value. */
void notify_send(const struct notify *n, const char *message);

/* How long the supervisor waits for WATCHDOG=1 (WATCHDOG_USEC, when it is meant for this process); 0: it does not. */
int64_t notify_watchdog_ms(void);

#endif
