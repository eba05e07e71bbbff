#include "worker/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void notify_open(struct notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;

    *n = (struct notify){.fd = -1, .to = {.sun_family = AF_UNIX}};
    if (len < 2 || len >= sizeof n->to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(n->to.sun_path, path, len);
    if (path[0] == '@')
        n->to.sun_path[0] = '\0'; /* a name without a file */
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        (void)close(n->fd); /* nothing waits in it */
    n->fd = -1;
}

void notify_send(const struct notify *n, const char *message)
{
    if (n->fd >= 0)
        (void)sendto(n->fd, message, strlen(message), MSG_NOSIGNAL,
                     (const struct sockaddr *)&n->to,
                     n->to_len); /* lost: see the header */
}

/* A whole decimal number; 0 for anything else. */
static int64_t env_number(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;

    if (!text || *text < '0' || *text > '9' || strlen(text) > 18)
        return 0;
    int64_t n = strtoll(text, &end, 10);
    return *end ? 0 : n;
}

int64_t notify_watchdog_ms(void)
{
    if (getenv("WATCHDOG_PID") && env_number("WATCHDOG_PID") != getpid())
        return 0;
    return env_number("WATCHDOG_USEC") / 1000;
}
