#include "tests/support/s3_faulty.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/digest.h"

enum {
    CONNECTIONS_MAX = 512,
    OBJECTS_MAX = 4096,
    FAULTS_MAX = 64,
    HEAD_MAX = 16 * 1024,
    PATH_SIZE = 512,
    CHUNK = 64 * 1024
};

struct object {
    char path[PATH_SIZE];
    struct s3_faulty_object is;
};

struct s3_faulty {
    int listen_fd;
    char url[64];
    pthread_t acceptor;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stopping, gate_closed;
    int waiting;
    struct s3_faulty_traits traits;
    struct s3_fault faults[FAULTS_MAX];
    size_t fault_count, fault_at;
    struct object *objects;
    size_t object_count;
    struct {
        pthread_t thread;
        int fd; /* -1: closed */
    } connections[CONNECTIONS_MAX];
    size_t connection_count;
    int counts[3]; /* as in methods */
    char heads[3][HEAD_MAX + 1];
};

struct connection {
    struct s3_faulty *store;
    size_t index;
    int fd;
    char head[HEAD_MAX + 1];
    size_t filled; /* bytes in head */
};

struct request {
    const char *method; /* one of methods */
    char path[PATH_SIZE];
    int64_t length;
    bool conditional, checksum, expect;
    struct s3_fault fault;
};

static const char *const methods[] = {"PUT", "HEAD", "other"};

static void die(const char *what)
{
    fprintf(stderr, "s3_faulty: %s: %s\n", what, strerror(errno));
    abort();
}

static int method_index(const char *method)
{
    int i = 0;

    while (i < 2 && strcmp(methods[i], method) != 0)
        i++;
    return i;
}

/* --- bytes --- */

static bool send_text(struct connection *c, const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* The value of a header in the NUL-terminated head, or NULL. */
static const char *header(const char *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    }
    return NULL;
}

/* Read one head; what came after it stays in c->head from *ret_rest on. */
static bool read_head(struct connection *c, size_t *ret_rest)
{
    for (;;) {
        c->head[c->filled] = '\0';
        char *end = strstr(c->head, "\r\n\r\n");
        if (end) {
            *ret_rest = (size_t)(end + 4 - c->head);
            return true;
        }
        if (c->filled == HEAD_MAX)
            return false;
        ssize_t n = recv(c->fd, c->head + c->filled, HEAD_MAX - c->filled, 0);
        if (n <= 0)
            return false;
        c->filled += (size_t)n;
    }
}

/* --- objects; the lock is held --- */

static struct object *find(struct s3_faulty *s, const char *path)
{
    for (size_t i = 0; i < s->object_count; i++)
        if (strcmp(s->objects[i].path, path) == 0)
            return &s->objects[i];
    return NULL;
}

static void store(struct s3_faulty *s, const char *path,
                  const struct s3_faulty_object *what)
{
    struct object *o = find(s, path);
    int stored = o ? o->is.stored : 0;

    if (!o) {
        if (s->object_count == OBJECTS_MAX)
            die("too many objects");
        o = &s->objects[s->object_count++];
        (void)snprintf(o->path, sizeof o->path, "%s", path);
    }
    o->is = *what;
    o->is.stored = stored + 1;
}

/* --- one request --- */

struct hashes {
    struct digest_sha256 sha256;
    struct digest_md5 md5;
};

static void hash_end(struct hashes *h, struct s3_faulty_object *o)
{
    uint8_t sha256[DIGEST_SHA256_BYTES], md5[DIGEST_MD5_BYTES];
    struct err e = ERR_INIT;

    if (digest_sha256_final(&h->sha256, sha256, &e) != ERR_OK ||
        digest_md5_final(&h->md5, md5, &e) != ERR_OK)
        die(e.text);
    digest_hex_encode(sha256, sizeof sha256, o->sha256);
    digest_hex_encode(md5, sizeof md5, o->md5);
    digest_sha256_release(&h->sha256);
    digest_md5_release(&h->md5);
}

static void hash_begin(struct hashes *h)
{
    struct err e = ERR_INIT;

    *h = (struct hashes){DIGEST_SHA256_INIT, DIGEST_MD5_INIT};
    if (digest_sha256_init(&h->sha256, &e) != ERR_OK ||
        digest_md5_init(&h->md5, &e) != ERR_OK)
        die(e.text);
}

/* Take len bytes of the body; what was read too far stays in c->head.  Fewer: the client has gone. */
static int64_t read_body(struct connection *c, int64_t len, struct hashes *h)
{
    static _Thread_local char chunk[CHUNK];
    int64_t at = 0;

    while (at < len) {
        int64_t left = len - at;
        size_t want = (size_t)(left < CHUNK ? left : CHUNK);
        ssize_t n;
        if (c->filled > 0) {
            n = (ssize_t)(c->filled < want ? c->filled : want);
            memcpy(chunk, c->head, (size_t)n);
            c->filled -= (size_t)n;
            memmove(c->head, c->head + n, c->filled);
        } else {
            n = recv(c->fd, chunk, want, 0);
        }
        if (n <= 0)
            break;
        digest_sha256_update(&h->sha256, chunk, (size_t)n);
        digest_md5_update(&h->md5, chunk, (size_t)n);
        at += n;
    }
    return at;
}

static void answer_error(struct connection *c, int status, const char *code,
                         const char *headers, bool with_body)
{
    char body[512] = "", text[2048];

    if (code)
        (void)snprintf(
            body, sizeof body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
            "<Message>as scripted</Message></Error>",
            code);
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 %d Scripted\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                   headers ? headers : "", strlen(body), with_body ? body : "");
    (void)send_text(c, text);
}

static void answer_object(struct connection *c, const struct s3_faulty_object *o,
                          bool head, bool etag, bool checksum)
{
    char text[1024], base64[64] = "";
    uint8_t sum[DIGEST_SHA256_BYTES];

    if (!digest_hex_decode(o->sha256, 64, sum, sizeof sum) ||
        !digest_base64_encode(sum, sizeof sum, base64, sizeof base64))
        die("encode");
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 200 OK\r\n%s%s%s%s%s%sContent-Length: %lld\r\n\r\n",
                   etag ? "ETag: \"" : "", etag ? o->md5 : "", etag ? "\"\r\n" : "",
                   checksum ? "x-amz-checksum-sha256: " : "", checksum ? base64 : "",
                   checksum ? "\r\n" : "", head ? (long long)o->size : 0);
    (void)send_text(c, text);
}

static void answer_head(struct connection *c, const struct request *r)
{
    struct s3_faulty *s = c->store;
    struct s3_faulty_object o;
    bool there = s3_faulty_object(s, r->path, &o);

    if (r->fault.kind == S3_FAULT_STATUS) {
        answer_error(c, r->fault.status, r->fault.code, r->fault.headers, false);
        return;
    }
    if (!there) {
        answer_error(c, 404, NULL, NULL, false);
        return;
    }
    answer_object(c, &o, true, true,
                  o.has_checksum && !s->traits.silent_checksums &&
                      !s->traits.no_checksums && r->fault.kind != S3_FAULT_NO_PROOF);
}

/* Wait while the gate is closed. */
static void pass_gate(struct s3_faulty *s)
{
    pthread_mutex_lock(&s->lock);
    s->waiting++;
    while (s->gate_closed && !s->stopping)
        pthread_cond_wait(&s->changed, &s->lock);
    s->waiting--;
    pthread_mutex_unlock(&s->lock);
}

/* Until the test is over. */
static void hang(struct s3_faulty *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->stopping)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static bool stores(enum s3_fault_kind kind)
{
    return kind != S3_FAULT_STATUS && kind != S3_FAULT_EARLY_STATUS &&
           kind != S3_FAULT_ERROR_IN_200 && kind != S3_FAULT_LOST_BODY &&
           kind != S3_FAULT_GARBAGE;
}

/* The answer to a PUT whose body is here.  False: close the connection. */
static bool answer_put(struct connection *c, const struct request *r,
                       struct s3_faulty_object *o)
{
    struct s3_faulty *s = c->store;
    bool tell = r->checksum && !s->traits.silent_checksums;
    bool exists = false, behaves = r->fault.kind == S3_FAULT_NONE;
    static const struct s3_faulty_object other = {
        .sha256 = "0000000000000000000000000000000000000000000000000000000000000000",
        .md5 = "00000000000000000000000000000000"};

    if (r->fault.kind == S3_FAULT_CORRUPT)
        (void)(memcpy(o->md5, other.md5, 33), memcpy(o->sha256, other.sha256, 65));
    if (s->traits.random_etags)
        memcpy(o->md5, "f00f00f00f00f00f00f00f00f00f00f0-1", 33);
    o->has_checksum = r->checksum;
    pthread_mutex_lock(&s->lock);
    exists = find(s, r->path) != NULL;
    if (stores(r->fault.kind) && !(exists && r->conditional))
        store(s, r->path, o);
    pthread_mutex_unlock(&s->lock);
    if (behaves && exists && r->conditional) {
        answer_error(c, 412, "PreconditionFailed", NULL, true);
        return true;
    }
    switch (r->fault.kind) {
    case S3_FAULT_STATUS:
        answer_error(c, r->fault.status, r->fault.code, r->fault.headers, true);
        return true;
    case S3_FAULT_ERROR_IN_200:
        answer_error(c, 200, r->fault.code, r->fault.headers, true);
        return true;
    case S3_FAULT_HALF_ANSWER:
        (void)send_text(c, "HTTP/1.1 20");
        return false;
    case S3_FAULT_HANG:
        hang(s);
        return false;
    case S3_FAULT_GARBAGE:
        (void)send_text(c, "\x16\x03\x01 this is no answer\r\n\r\n");
        return false;
    case S3_FAULT_LOST_ANSWER:
    case S3_FAULT_LOST_BODY:
        return false;
    case S3_FAULT_WRONG_ETAG:
        answer_object(c, &other, false, true, false);
        return true;
    case S3_FAULT_WRONG_CHECKSUM:
        answer_object(c, &other, false, false, true);
        return true;
    case S3_FAULT_NO_PROOF:
        answer_object(c, o, false, false, false);
        return true;
    default:
        answer_object(c, o, false, true, tell);
        return true;
    }
}

static bool serve_put(struct connection *c, const struct request *r)
{
    struct s3_faulty *s = c->store;
    struct s3_faulty_object o = {.size = r->length};
    struct hashes h;
    int64_t limit = r->length, got;
    bool cut = r->fault.kind == S3_FAULT_CLOSE_IN_BODY ||
               r->fault.kind == S3_FAULT_STALL_IN_BODY;

    if (r->fault.kind == S3_FAULT_EARLY_STATUS) {
        answer_error(c, r->fault.status, r->fault.code, r->fault.headers, true);
        return false;
    }
    if ((s->traits.no_conditions && r->conditional) ||
        (s->traits.no_checksums && r->checksum)) {
        answer_error(c, 501, "NotImplemented", "Connection: close\r\n", true);
        return false;
    }
    if (r->expect && !send_text(c, "HTTP/1.1 100 Continue\r\n\r\n"))
        return false;
    if (cut && r->fault.bytes < limit)
        limit = r->fault.bytes;
    hash_begin(&h);
    got = read_body(c, limit, &h);
    hash_end(&h, &o);
    if (r->fault.kind == S3_FAULT_STALL_IN_BODY)
        hang(s);
    if (cut || got < r->length)
        return false;
    pass_gate(s);
    return answer_put(c, r, &o);
}

static void parse(struct connection *c, struct request *r)
{
    const char *length = header(c->head, "content-length");
    const char *expect = header(c->head, "expect");
    char method[16] = "";

    *r = (struct request){.method = methods[2]};
    if (sscanf(c->head, "%15s %511s", method, r->path) == 2)
        r->method = methods[method_index(method)];
    r->length = length ? strtoll(length, NULL, 10) : 0;
    r->conditional = header(c->head, "if-none-match") != NULL;
    r->checksum = header(c->head, "x-amz-checksum-sha256") != NULL;
    r->expect = expect && strncasecmp(expect, "100-continue", 12) == 0;
}

static void note(struct s3_faulty *s, const char *head, struct request *r)
{
    int m = method_index(r->method);

    pthread_mutex_lock(&s->lock);
    s->counts[m]++;
    (void)snprintf(s->heads[m], sizeof s->heads[m], "%s", head);
    if (s->fault_at < s->fault_count)
        r->fault = s->faults[s->fault_at++];
    pthread_mutex_unlock(&s->lock);
}

static void *serve(void *ctx)
{
    struct connection *c = ctx;
    struct s3_faulty *s = c->store;
    struct request r;
    size_t rest = 0;

    for (bool on = true; on && read_head(c, &rest);) {
        char kept = c->head[rest];
        c->head[rest] = '\0';
        parse(c, &r);
        note(s, c->head, &r);
        c->head[rest] = kept;
        c->filled -= rest;
        memmove(c->head, c->head + rest, c->filled);
        if (strcmp(r.method, "PUT") == 0)
            on = serve_put(c, &r);
        else if (strcmp(r.method, "HEAD") == 0)
            answer_head(c, &r);
        else
            on = false;
    }
    pthread_mutex_lock(&s->lock);
    s->connections[c->index].fd = -1;
    pthread_mutex_unlock(&s->lock);
    (void)shutdown(c->fd,
                   SHUT_WR); /* what was sent arrives even where bytes are unread */
    (void)close(c->fd);
    free(c);
    return NULL;
}

static void *accept_all(void *ctx)
{
    struct s3_faulty *s = ctx;

    for (;;) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return NULL;
        struct connection *c = calloc(1, sizeof *c);
        pthread_mutex_lock(&s->lock);
        if (!c || s->connection_count == CONNECTIONS_MAX || s->stopping)
            die("too many connections");
        c->store = s;
        c->fd = fd;
        c->index = s->connection_count++;
        s->connections[c->index].fd = fd;
        if (pthread_create(&s->connections[c->index].thread, NULL, serve, c) != 0)
            die("thread");
        pthread_mutex_unlock(&s->lock);
    }
}

/* --- the test's side --- */

struct s3_faulty *s3_faulty_start(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct s3_faulty *s = calloc(1, sizeof *s);

    if (!s || !(s->objects = calloc(OBJECTS_MAX, sizeof *s->objects)))
        die("memory");
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&at, len) < 0 ||
        listen(s->listen_fd, 128) < 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&at, &len) < 0)
        die("listen");
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    if (pthread_create(&s->acceptor, NULL, accept_all, s) != 0)
        die("thread");
    return s;
}

void s3_faulty_stop(struct s3_faulty *s)
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
    free(s->objects);
    free(s);
}

const char *s3_faulty_url(const struct s3_faulty *s)
{
    return s->url;
}

void s3_faulty_set_traits(struct s3_faulty *s, struct s3_faulty_traits traits)
{
    pthread_mutex_lock(&s->lock);
    s->traits = traits;
    pthread_mutex_unlock(&s->lock);
}

void s3_faulty_push(struct s3_faulty *s, struct s3_fault fault)
{
    pthread_mutex_lock(&s->lock);
    if (s->fault_count == FAULTS_MAX)
        die("too many faults");
    s->faults[s->fault_count++] = fault;
    pthread_mutex_unlock(&s->lock);
}

static void set_gate(struct s3_faulty *s, bool closed)
{
    pthread_mutex_lock(&s->lock);
    s->gate_closed = closed;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void s3_faulty_close_gate(struct s3_faulty *s)
{
    set_gate(s, true);
}

void s3_faulty_open_gate(struct s3_faulty *s)
{
    set_gate(s, false);
}

void s3_faulty_put(struct s3_faulty *s, const char *path, const void *data,
                   int64_t size)
{
    struct s3_faulty_object o = {.size = size, .has_checksum = true};
    struct hashes h;

    hash_begin(&h);
    digest_sha256_update(&h.sha256, data, (size_t)size);
    digest_md5_update(&h.md5, data, (size_t)size);
    hash_end(&h, &o);
    pthread_mutex_lock(&s->lock);
    store(s, path, &o);
    pthread_mutex_unlock(&s->lock);
}

int s3_faulty_count(struct s3_faulty *s, const char *method)
{
    int count = 0;

    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < 3; i++)
        if (!method || i == method_index(method))
            count += s->counts[i];
    pthread_mutex_unlock(&s->lock);
    return count;
}

int s3_faulty_connections(struct s3_faulty *s)
{
    pthread_mutex_lock(&s->lock);
    int count = (int)s->connection_count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

int s3_faulty_waiting(struct s3_faulty *s)
{
    pthread_mutex_lock(&s->lock);
    int waiting = s->gate_closed ? s->waiting : 0;
    pthread_mutex_unlock(&s->lock);
    return waiting;
}

bool s3_faulty_object(struct s3_faulty *s, const char *path,
                      struct s3_faulty_object *ret)
{
    pthread_mutex_lock(&s->lock);
    struct object *o = find(s, path);
    if (o)
        *ret = o->is;
    pthread_mutex_unlock(&s->lock);
    return o != NULL;
}

int s3_faulty_objects(struct s3_faulty *s)
{
    pthread_mutex_lock(&s->lock);
    int count = (int)s->object_count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

void s3_faulty_head(struct s3_faulty *s, const char *method, char *ret, int size)
{
    pthread_mutex_lock(&s->lock);
    (void)snprintf(ret, (size_t)size, "%s", s->heads[method_index(method)]);
    pthread_mutex_unlock(&s->lock);
}
