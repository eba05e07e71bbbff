#include "tests/chaos/fake_hoist.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/cleanup.h"
#include "shared/id.h"
#include "tests/chaos/body.h"

enum { REQUEST_MAX = 16 << 20, READ_CHUNK = 64 * 1024 };

struct server {
    struct fake_hoist *fake;
    int fd;
    struct buf in;
};

struct request {
    size_t head_len;
    int64_t length; /* -1: chunked */
    bool form;
};

static void die(const char *what)
{
    fprintf(stderr, "fake_hoist: %s: %s\n", what, strerror(errno));
    abort();
}

void fake_hoist_id(int64_t n, char *ret_id, int size)
{
    struct uuid u = id_format_uuid(1700000000000000000 + n * 1000000, (uint64_t)n);

    (void)snprintf(ret_id, (size_t)size, "default.%s", u.text);
}

static bool receive(struct server *s)
{
    char *to = buf_reserve(&s->in, READ_CHUNK);
    ssize_t n = to ? recv(s->fd, to, READ_CHUNK, 0) : 0;

    if (n > 0)
        buf_added(&s->in, (size_t)n);
    return n > 0;
}

static void answer(struct server *s, const char *status, const char *body)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);

    buf_printf(&b,
               "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n%s",
               status, strlen(body), body);
    /* In one, which no delayed acknowledgement divides.  The client may be gone. */
    (void)send(s->fd, b.data, b.len, MSG_NOSIGNAL);
}

static bool read_head(struct server *s, struct request *r)
{
    const char *end = NULL, *at;

    while (!(end = memmem(s->in.data, s->in.len, "\r\n\r\n", 4)))
        if (!receive(s))
            return false;
    r->head_len = (size_t)(end + 4 - s->in.data);
    at = strcasestr(s->in.data, "Content-Length: ");
    r->length = at && at < end ? strtoll(at + 16, NULL, 10) : -1;
    at = strcasestr(s->in.data, "multipart/form-data");
    r->form = at && at < end;
    return true;
}

/* Undo the chunks of s->in from head_len on; false: the connection ended first. */
static bool read_chunked(struct server *s, size_t at, struct buf *body)
{
    for (;;) {
        char *line;
        while (!(line = memmem(s->in.data + at, s->in.len - at, "\r\n", 2)))
            if (!receive(s))
                return false;
        size_t start = (size_t)(line + 2 - s->in.data);
        size_t size = (size_t)strtoull(s->in.data + at, NULL, 16);
        while (s->in.len < start + size + 2)
            if (!receive(s))
                return false;
        buf_add(body, s->in.data + start, size);
        at = start + size + 2;
        if (size == 0) {
            buf_consume(&s->in, at);
            return true;
        }
    }
}

static bool read_body(struct server *s, const struct request *r, struct buf *body)
{
    if (r->length < 0)
        return read_chunked(s, r->head_len, body);
    bool whole = true;
    size_t want = r->head_len + (size_t)r->length;
    while (whole && s->in.len < want)
        whole = receive(s);
    size_t have = s->in.len < want ? s->in.len : want;
    buf_add(body, s->in.data + r->head_len, have - r->head_len);
    buf_consume(&s->in, have);
    return whole;
}

/* One file at `at`: its job into json. */
static size_t take_file(struct server *s, const char *at, size_t len, struct buf *json)
{
    struct body b = {0};
    char got[DIGEST_SHA256_HEX + 1], want[DIGEST_SHA256_HEX + 1], id[128];
    struct err e = ERR_INIT;

    if (!body_recognise(at, len, &b) || (int64_t)len < b.size ||
        digest_sha256_hex(at, (size_t)b.size, got, &e) != ERR_OK ||
        body_sha256(&b, want, &e) != ERR_OK) {
        s->fake->damaged++;
        return len;
    }
    s->fake->damaged += strcmp(got, want) != 0;
    s->fake->files++;
    if (s->fake->mood == FAKE_LIES)
        got[0] = got[0] == 'a' ? 'b' : 'a';
    fake_hoist_id(b.n, id, sizeof id);
    buf_printf(json,
               "%s{\"id\":\"%s\",\"queue\":\"default\",\"name\":\"x\",\"size\":%lld,"
               "\"sha256\":\"%s\",\"state\":\"waiting\"}",
               json->data[json->len - 1] == '[' ? "" : ",", id, (long long)b.size, got);
    return (size_t)b.size;
}

static void take_files(struct server *s, const struct request *r,
                       const struct buf *body, struct buf *json)
{
    size_t at = 0;

    buf_puts(json, "{\"batch\":\"b\",\"jobs\":[");
    while (at < body->len) {
        if (r->form) {
            const char *part = memmem(body->data + at, body->len - at, "\r\n\r\n", 4);
            if (!part)
                break;
            at = (size_t)(part + 4 - body->data);
        }
        at += take_file(s, body->data + at, body->len - at, json);
    }
    buf_puts(json, "]}\n");
}

static void count_request(struct fake_hoist *f, const struct server *s,
                          const struct request *r)
{
    f->requests++;
    f->puts += memcmp(s->in.data, "PUT ", 4) == 0;
    f->forms += r->form;
    f->chunked += r->length < 0;
    const char *line_end = strstr(s->in.data, "\r\n");
    const char *mark = strchr(s->in.data, '?');
    f->options += mark && mark < line_end;
}

/* False: the connection is over. */
static bool serve_upload(struct server *s, const struct request *r)
{
    CLEANUP(buf_release) struct buf body = BUF_INIT(REQUEST_MAX);
    CLEANUP(buf_release) struct buf json = BUF_INIT(1 << 20);
    struct fake_hoist *f = s->fake;

    (void)pthread_mutex_lock(&f->lock);
    count_request(f, s, r);
    enum fake_mood mood = f->mood;
    (void)pthread_mutex_unlock(&f->lock);
    if (mood == FAKE_REFUSES_FIRST) {
        answer(s, "413 Too Large", "{}");
        return false;
    }
    bool whole = read_body(s, r, &body);
    (void)pthread_mutex_lock(&f->lock);
    f->short_bodies += !whole;
    if (whole)
        take_files(s, r, &body, &json);
    (void)pthread_mutex_unlock(&f->lock);
    if (mood == FAKE_TRUSTS)
        answer(s, "202 Accepted", "{\"jobs\":[]}");
    else if (!whole)
        answer(s, "400 Bad Request", "{}");
    else if (mood == FAKE_REFUSES)
        answer(s, "503 Service Unavailable", "{}");
    else if (mood == FAKE_HALF)
        (void)send(s->fd, "HTTP/1.1 202 Acc", 16, MSG_NOSIGNAL);
    else if (mood != FAKE_HANGS_UP)
        answer(s, "202 Accepted", json.data);
    return whole && mood != FAKE_HALF && mood != FAKE_HANGS_UP;
}

static void serve_status(struct server *s, const struct request *r)
{
    char json[256];

    (void)pthread_mutex_lock(&s->fake->lock);
    (void)snprintf(json, sizeof json, "{\"id\":\"x\",\"state\":\"%s\",\"key\":\"%s\"}",
                   s->fake->state, s->fake->key);
    bool known = s->fake->state[0];
    (void)pthread_mutex_unlock(&s->fake->lock);
    buf_consume(&s->in, r->head_len);
    answer(s, known ? "200 OK" : "404 Not Found", known ? json : "{}");
}

struct start {
    struct fake_hoist *fake;
    int index;
};

static void *serve(void *ctx)
{
    struct start *start = ctx;
    struct fake_hoist *f = start->fake;
    int index = start->index;
    struct server s = {f, f->fds[index], BUF_INIT(REQUEST_MAX)};
    struct request r;
    bool more = true;

    free(start);
    while (more && read_head(&s, &r)) {
        if (memcmp(s.in.data, "GET ", 4) == 0)
            serve_status(&s, &r);
        else
            more = serve_upload(&s, &r);
    }
    buf_release(&s.in);
    (void)pthread_mutex_lock(&f->lock);
    (void)close(s.fd);
    f->fds[index] = -1;
    (void)pthread_mutex_unlock(&f->lock);
    return NULL;
}

static void *accept_all(void *ctx)
{
    struct fake_hoist *f = ctx;

    for (;;) {
        int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || f->connections == FAKE_CONNECTIONS_MAX)
            return NULL; /* stopped; a test with more connections times out */
        struct start *start = malloc(sizeof *start);
        if (!start)
            die("malloc");
        *start = (struct start){f, f->connections};
        f->fds[f->connections] = fd;
        if (pthread_create(&f->threads[f->connections], NULL, serve, start) != 0)
            die("thread");
        f->connections++;
    }
}

void fake_hoist_start(struct fake_hoist *f, enum fake_mood mood)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;

    memset(f, 0, sizeof *f);
    f->mood = mood;
    (void)pthread_mutex_init(&f->lock, NULL);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f->listener < 0 || bind(f->listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(f->listener, 128) < 0 ||
        getsockname(f->listener, (struct sockaddr *)&at, &len) < 0)
        die("listen");
    f->port = ntohs(at.sin_port);
    (void)snprintf(f->address, sizeof f->address, "127.0.0.1:%d", f->port);
    if (pthread_create(&f->acceptor, NULL, accept_all, f) != 0)
        die("thread");
}

void fake_hoist_stop(struct fake_hoist *f)
{
    (void)shutdown(f->listener, SHUT_RDWR); /* wakes the acceptor */
    (void)pthread_join(f->acceptor, NULL);
    (void)pthread_mutex_lock(&f->lock);
    for (int i = 0; i < f->connections; i++)
        if (f->fds[i] >= 0)
            (void)shutdown(f->fds[i], SHUT_RDWR);
    (void)pthread_mutex_unlock(&f->lock);
    for (int i = 0; i < f->connections; i++)
        (void)pthread_join(f->threads[i], NULL);
    (void)close(f->listener);
    (void)pthread_mutex_destroy(&f->lock);
}

void fake_hoist_say(struct fake_hoist *f, const char *state, const char *key)
{
    (void)pthread_mutex_lock(&f->lock);
    (void)snprintf(f->state, sizeof f->state, "%s", state);
    (void)snprintf(f->key, sizeof f->key, "%s", key);
    (void)pthread_mutex_unlock(&f->lock);
}
