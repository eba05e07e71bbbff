#include "tests/support/url_server.h"

#include "shared/buf.h"
#include "shared/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 1000 };

/* An answer under way. */
struct answer {
    struct url_server *server;
    const struct url_page *page;
    int fd;
    size_t from; /* of the body */
    bool is_cut;
};

char url_server_byte(size_t at)
{
    return (char)(at * 7 + at / 251);
}

/* Wait for the socket; false when the test wants the server to end. */
static bool wait_for(struct url_server *s, int fd, short events, int ms)
{
    struct pollfd p[2] = {{.fd = s->stop[0], .events = POLLIN},
                          {.fd = fd, .events = events}};

    while (poll(p, fd >= 0 ? 2 : 1, ms) < 0 && errno == EINTR)
        continue;
    return p[0].revents == 0;
}

static bool put(const struct answer *a, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        if (!wait_for(a->server, a->fd, POLLOUT, -1))
            return false;
        ssize_t n = send(a->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool put_text(const struct answer *a, const char *text)
{
    return put(a, text, strlen(text));
}

static bool put_piece(const struct answer *a, size_t at, size_t len)
{
    char bytes[CHUNK], size[32];

    for (size_t i = 0; i < len; i++)
        bytes[i] = url_server_byte(at + i);
    if (a->page->drip_ms && !wait_for(a->server, -1, 0, a->page->drip_ms))
        return false;
    if (!a->page->chunked)
        return put(a, bytes, len);
    (void)snprintf(size, sizeof size, "%zx\r\n", len);
    return put_text(a, size) && put(a, bytes, len) && put_text(a, "\r\n");
}

static bool put_body(const struct answer *a)
{
    const struct url_page *p = a->page;
    size_t end = a->is_cut ? p->cut : p->size;

    for (size_t at = a->from, len; at < end; at += len) {
        len = p->drip_ms ? 1 : end - at < CHUNK ? end - at : CHUNK;
        if (!put_piece(a, at, len))
            return false;
    }
    if (p->chunked && !a->is_cut && !p->without_end)
        return put_text(a, "0\r\nETag: \"trailer\"\r\n\r\n");
    return true;
}

/* Fields without end, until the other side has had enough. */
static void put_endless(const struct answer *a)
{
    while (
        put_text(a, "X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"))
        continue;
}

/* A Location, in which PORT is the server's. */
static void add_location(struct buf *b, const char *location, int port)
{
    const char *at = strstr(location, "PORT");

    buf_printf(b, "Location: %.*s", at ? (int)(at - location) : (int)strlen(location),
               location);
    if (at)
        buf_printf(b, "%d%s", port, at + strlen("PORT"));
    buf_puts(b, "\r\n");
}

static void add_length(struct buf *b, const struct url_page *p, size_t len)
{
    if (p->chunked)
        buf_puts(b, "Transfer-Encoding: chunked\r\n");
    else if (!p->length)
        buf_printf(b, "Content-Length: %zu\r\n", len);
    else if (*p->length)
        buf_printf(b, "Content-Length: %s\r\n", p->length);
}

static void add_range(struct buf *b, const struct url_page *p, size_t from)
{
    if (p->range_fields)
        buf_puts(b, p->range_fields);
    else
        buf_printf(b, "ETag: \"v1\"\r\nContent-Range: bytes %zu-%zu/%zu\r\n", from,
                   p->size - 1, p->size);
}

static bool put_head(struct answer *a, const char *request)
{
    static const char field[] = "\r\nRange: bytes=";
    const struct url_page *p = a->page;
    const char *range = p->ranges ? strstr(request, field) : NULL;
    CLEANUP(buf_release) struct buf b = BUF_INIT(16 * 1024);

    if (range) {
        a->from = strtoul(range + sizeof field - 1, NULL, 10);
        buf_puts(&b, "HTTP/1.1 206 Partial Content\r\n");
        add_range(&b, p, a->from);
    } else {
        buf_printf(&b, "HTTP/1.1 %s\r\n", p->status ? p->status : "200 OK");
        buf_puts(&b, p->ranges ? "ETag: \"v1\"\r\n" : "");
    }
    if (p->location)
        add_location(&b, p->location, a->server->port);
    add_length(&b, p, p->size - a->from);
    buf_puts(&b, p->fields ? p->fields : "");
    if (b.failed || !put(a, b.data, b.len))
        return false;
    if (p->endless_head)
        put_endless(a);
    return !p->endless_head && put_text(a, "\r\n");
}

static const struct url_page *find_page(struct url_server *s, const char *request)
{
    static const struct url_page missing = {.status = "404 Not Found", .path = ""};
    const char *path = strchr(request, ' ');
    size_t len = path ? strcspn(path + 1, " ") : 0;

    for (const struct url_page *p = s->pages; path && p->path; p++)
        if (strlen(p->path) == len && memcmp(p->path, path + 1, len) == 0)
            return p;
    return &missing;
}

static void serve(struct url_server *s, int fd)
{
    struct answer a = {.server = s, .fd = fd};
    char *request = s->latest;
    size_t len = 0;

    do {
        if (!wait_for(s, fd, POLLIN, -1))
            return;
        ssize_t n = recv(fd, request + len, URL_SERVER_REQUEST_MAX - 1 - len, 0);
        if (n <= 0)
            return;
        len += (size_t)n;
        request[len] = '\0';
    } while (!strstr(request, "\r\n\r\n"));
    a.page = find_page(s, request);
    atomic_fetch_add(&s->requests, 1);
    /* Before anything is said: who does not like the head may ask for another page at once. */
    a.is_cut = a.page->cut && s->cut_count < a.page->cuts;
    s->cut_count += a.is_cut;
    if (put_head(&a, request) && put_body(&a) && a.page->without_end)
        (void)wait_for(s, fd, POLLIN, -1); /* until the other side closes */
}

static void *run(void *arg)
{
    struct url_server *s = arg;

    while (wait_for(s, s->listener, POLLIN, -1)) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        serve(s, fd);
        (void)close(fd);
    }
    return NULL;
}

void url_server_start(struct url_server *s, const struct url_page *pages)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;

    *s = (struct url_server){.pages = pages};
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(s->listener, 16) < 0 ||
        getsockname(s->listener, (struct sockaddr *)&at, &size) < 0 ||
        pipe2(s->stop, O_CLOEXEC) < 0 ||
        pthread_create(&s->thread, NULL, run, s) != 0) {
        fprintf(stderr, "url_server: %s\n", strerror(errno));
        abort();
    }
    s->port = ntohs(at.sin_port);
}

void url_server_stop(struct url_server *s)
{
    (void)close(s->stop[1]); /* its end is what the thread waits for */
    (void)pthread_join(s->thread, NULL);
    (void)close(s->stop[0]);
    (void)close(s->listener);
}
