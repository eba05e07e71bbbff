#include "tests/support/http_sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, REPLIES_MAX = 64, CHUNK = 64 * 1024 };

struct kept {
    struct http_sink_request is;
    char *head, *body;
};

struct http_sink {
    int listen_fd, port;
    char url[64];
    pthread_t acceptor;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stopping, let_go;
    struct http_reply replies[REPLIES_MAX];
    size_t reply_count, reply_at;
    struct kept kept[HTTP_SINK_REQUESTS];
    size_t kept_count;
    struct {
        pthread_t thread;
        int fd; /* -1: closed */
    } connections[CONNECTIONS_MAX];
    size_t connection_count;
};

struct connection {
    struct http_sink *sink;
    size_t index;
    int fd;
    char in[HTTP_SINK_HEAD + 1]; /* read, and not used yet */
    size_t filled;
};

static void die(const char *what)
{
    fprintf(stderr, "http_sink: %s: %s\n", what, strerror(errno));
    abort();
}

/* --- reading --- */

/* More bytes into c->in; false: there are none, or there is no room. */
static bool fill(struct connection *c)
{
    ssize_t n = c->filled < HTTP_SINK_HEAD
                    ? recv(c->fd, c->in + c->filled, HTTP_SINK_HEAD - c->filled, 0)
                    : 0;

    if (n <= 0)
        return false;
    c->filled += (size_t)n;
    c->in[c->filled] = '\0';
    return true;
}

static void use(struct connection *c, size_t len)
{
    c->filled -= len;
    memmove(c->in, c->in + len, c->filled);
    c->in[c->filled] = '\0';
}

/* Everything up to and with `end` at the beginning of c->in; its length, or 0. */
static size_t read_to(struct connection *c, const char *end)
{
    for (;;) {
        const char *at = strstr(c->in, end);
        if (at)
            return (size_t)(at - c->in) + strlen(end);
        if (!fill(c))
            return 0;
    }
}

static void keep(struct kept *k, const char *data, size_t len)
{
    size_t have = k->is.len < HTTP_SINK_BODY ? k->is.len : HTTP_SINK_BODY;
    size_t room = HTTP_SINK_BODY - have, take = len < room ? len : room;

    if (take > 0) {
        char *body = realloc(k->body, have + take + 1);
        if (!body)
            die("memory");
        memcpy(body + have, data, take);
        body[have + take] = '\0';
        k->body = body;
    }
    k->is.len += len;
}

static bool read_bytes(struct connection *c, int64_t len, struct kept *k)
{
    while (len > 0) {
        if (c->filled == 0 && !fill(c))
            return false;
        size_t n = (int64_t)c->filled < len ? c->filled : (size_t)len;
        keep(k, c->in, n);
        use(c, n);
        len -= (int64_t)n;
    }
    return true;
}

static bool read_chunks(struct connection *c, struct kept *k)
{
    for (;;) {
        size_t line = read_to(c, "\r\n");
        if (line == 0)
            return false;
        int64_t len = strtoll(c->in, NULL, 16);
        use(c, line);
        if (len > 0 && !read_bytes(c, len, k))
            return false;
        line = read_to(c, "\r\n");
        if (line != 2)
            return false; /* a chunk ends with its length; no trailers */
        use(c, line);
        if (len == 0)
            return true;
    }
}

bool http_sink_header(const struct http_sink_request *r, const char *name, char *ret,
                      size_t size)
{
    size_t len = strlen(name);

    for (const char *line = strstr(r->head, "\r\n"); line;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) != 0 || line[len] != ':')
            continue;
        const char *value = line + len + 1 + strspn(line + len + 1, " ");
        (void)snprintf(ret, size, "%.*s", (int)strcspn(value, "\r"), value);
        return true;
    }
    return false;
}

/* --- answering --- */

static bool send_text(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static bool answer(struct connection *c, const struct http_reply *r, bool is_head)
{
    char text[4096];
    const char *body = r->body ? r->body : "";
    int64_t len = is_head ? r->length : (int64_t)strlen(body);

    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 %d As told\r\n%sContent-Length: %lld\r\n\r\n%s",
                     r->status ? r->status : 200, r->headers ? r->headers : "",
                     (long long)len, is_head ? "" : body);
    return n > 0 && send_text(c->fd, text, (size_t)n);
}

static void wait_to_go(struct http_sink *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->let_go && !s->stopping)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* What is to be answered to the request whose head is here. */
static struct http_reply next_reply(struct http_sink *s)
{
    struct http_reply r = {.status = 200};

    pthread_mutex_lock(&s->lock);
    if (s->reply_at < s->reply_count)
        r = s->replies[s->reply_at++];
    pthread_mutex_unlock(&s->lock);
    return r;
}

static void store(struct http_sink *s, struct kept *k)
{
    k->is.head = k->head;
    k->is.body = k->body ? k->body : "";
    pthread_mutex_lock(&s->lock);
    if (s->kept_count == HTTP_SINK_REQUESTS)
        die("too many requests");
    s->kept[s->kept_count++] = *k;
    pthread_mutex_unlock(&s->lock);
}

/* One request; false: the connection ends. */
static bool serve_one(struct connection *c)
{
    size_t len = read_to(c, "\r\n\r\n");
    struct kept k = {.head = len > 0 ? strndup(c->in, len) : NULL};
    char value[64];

    if (!k.head || sscanf(k.head, "%15s %4095s", k.is.method, k.is.path) != 2) {
        free(k.head);
        return false;
    }
    use(c, len);
    k.is.head = k.head;
    struct http_reply r = next_reply(c->sink);
    bool is_head = strcmp(k.is.method, "HEAD") == 0;
    k.is.is_chunked = http_sink_header(&k.is, "transfer-encoding", value, sizeof value);
    bool has_length = http_sink_header(&k.is, "content-length", value, sizeof value);
    if (r.kind != HTTP_REPLY_EARLY) {
        char expect[64];
        if (http_sink_header(&k.is, "expect", expect, sizeof expect))
            (void)send_text(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        k.is.is_whole =
            k.is.is_chunked
                ? read_chunks(c, &k)
                : read_bytes(c, has_length ? strtoll(value, NULL, 10) : 0, &k);
    }
    bool is_whole = k.is.is_whole;
    store(c->sink, &k);
    if (r.kind == HTTP_REPLY_HELD)
        wait_to_go(c->sink);
    if (r.kind == HTTP_REPLY_LOST || (r.kind != HTTP_REPLY_EARLY && !is_whole))
        return false;
    return answer(c, &r, is_head) && r.kind != HTTP_REPLY_EARLY;
}

static void *serve(void *ctx)
{
    struct connection *c = ctx;
    struct http_sink *s = c->sink;

    while (serve_one(c))
        continue;
    pthread_mutex_lock(&s->lock);
    s->connections[c->index].fd = -1;
    pthread_mutex_unlock(&s->lock);
    (void)shutdown(c->fd, SHUT_WR); /* what was sent arrives */
    (void)close(c->fd);
    free(c);
    return NULL;
}

static void *accept_all(void *ctx)
{
    struct http_sink *s = ctx;

    for (;;) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return NULL;
        struct connection *c = calloc(1, sizeof *c);
        pthread_mutex_lock(&s->lock);
        if (!c || s->connection_count == CONNECTIONS_MAX)
            die("too many connections");
        c->sink = s;
        c->fd = fd;
        c->index = s->connection_count++;
        s->connections[c->index].fd = fd;
        if (pthread_create(&s->connections[c->index].thread, NULL, serve, c) != 0)
            die("thread");
        pthread_mutex_unlock(&s->lock);
    }
}

/* --- the test's side --- */

struct http_sink *http_sink_start(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct http_sink *s = calloc(1, sizeof *s);

    if (!s)
        die("memory");
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&at, len) < 0 ||
        listen(s->listen_fd, 64) < 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&at, &len) < 0)
        die("listen");
    s->port = ntohs(at.sin_port);
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    if (pthread_create(&s->acceptor, NULL, accept_all, s) != 0)
        die("thread");
    return s;
}

void http_sink_stop(struct http_sink *s)
{
    if (!s)
        return;
    (void)shutdown(s->listen_fd, SHUT_RDWR); /* ends accept */
    (void)pthread_join(s->acceptor, NULL);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    for (size_t i = 0; i < s->connection_count; i++)
        if (s->connections[i].fd >= 0)
            (void)shutdown(s->connections[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->connection_count; i++)
        (void)pthread_join(s->connections[i].thread, NULL);
    (void)close(s->listen_fd);
    for (size_t i = 0; i < s->kept_count; i++) {
        free(s->kept[i].head);
        free(s->kept[i].body);
    }
    free(s);
}

const char *http_sink_url(const struct http_sink *s)
{
    return s->url;
}

int http_sink_port(const struct http_sink *s)
{
    return s->port;
}

void http_sink_push(struct http_sink *s, struct http_reply reply)
{
    pthread_mutex_lock(&s->lock);
    if (s->reply_count == REPLIES_MAX)
        die("too many replies");
    s->replies[s->reply_count++] = reply;
    pthread_mutex_unlock(&s->lock);
}

void http_sink_let_go(struct http_sink *s)
{
    pthread_mutex_lock(&s->lock);
    s->let_go = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

size_t http_sink_count(struct http_sink *s)
{
    pthread_mutex_lock(&s->lock);
    size_t count = s->kept_count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

bool http_sink_request(struct http_sink *s, size_t index, struct http_sink_request *ret)
{
    pthread_mutex_lock(&s->lock);
    bool there = index < s->kept_count;
    if (there)
        *ret = s->kept[index].is;
    pthread_mutex_unlock(&s->lock);
    return there;
}
