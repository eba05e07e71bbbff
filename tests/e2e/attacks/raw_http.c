#include "tests/e2e/attacks/raw_http.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *listen)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET};
    const struct sockaddr *address = (struct sockaddr *)&local;
    socklen_t len = sizeof local;

    if (strncmp(listen, "unix:", 5) == 0) {
        (void)snprintf(local.sun_path, sizeof local.sun_path, "%s", listen + 5);
    } else {
        const char *port = strrchr(listen, ':');
        cr_assert(port != NULL, "%s", listen);
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        in.sin_port = htons((uint16_t)strtol(port + 1, NULL, 10));
        address = (struct sockaddr *)&in;
        len = sizeof in;
    }
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && connect(fd, address, len) == 0, "%s", listen);
    return fd;
}

/* Of the last head: behind "100 Continue" another one comes. */
static int status_of(const char *text)
{
    int status = 0;

    while (strncmp(text, "HTTP/1.", 7) == 0) {
        status = (int)strtol(text + 9, NULL, 10);
        const char *end = strstr(text, "\r\n\r\n");
        if (status >= 200 || !end)
            break;
        text = end + 4;
    }
    return status >= 200 ? status : 0;
}

void raw_http(const char *listen, const char *bytes, size_t len, bool leave,
              struct raw_answer *ret)
{
    struct timeval limit = {.tv_sec = 10};
    size_t sent = 0, got = 0;
    int fd = connect_to(listen);
    ssize_t n = 0;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    while (sent < len && (n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL)) > 0)
        sent += (size_t)n;
    if (leave)
        (void)shutdown(fd, SHUT_WR);
    while (got < RAW_TEXT_MAX &&
           (n = recv(fd, ret->text + got, RAW_TEXT_MAX - got, 0)) > 0)
        got += (size_t)n;
    (void)close(fd);
    ret->text[got] = '\0';
    ret->status = status_of(ret->text);
}
