#include "tests/support/s3_faulty_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *const s3_faulty_methods[] = {"PUT", "HEAD", "other"};

void s3_faulty_die(const char *what)
{
    fprintf(stderr, "s3_faulty: %s: %s\n", what, strerror(errno));
    abort();
}

int s3_faulty_method(const char *method)
{
    int i = 0;

    while (i < 2 && strcmp(s3_faulty_methods[i], method) != 0)
        i++;
    return i;
}

struct object *s3_faulty_find(struct s3_faulty *s, const char *path)
{
    for (size_t i = 0; i < s->object_count; i++)
        if (strcmp(s->objects[i].path, path) == 0)
            return &s->objects[i];
    return NULL;
}

void s3_faulty_store(struct s3_faulty *s, const char *path,
                     const struct s3_faulty_object *what)
{
    struct object *o = s3_faulty_find(s, path);
    int stored = o ? o->is.stored : 0;

    if (!o) {
        if (s->object_count == OBJECTS_MAX)
            s3_faulty_die("too many objects");
        o = &s->objects[s->object_count++];
        (void)snprintf(o->path, sizeof o->path, "%s", path);
    }
    o->is = *what;
    o->is.stored = stored + 1;
}

void s3_faulty_hash_end(struct s3_faulty_hashes *h, struct s3_faulty_object *o)
{
    uint8_t sha256[DIGEST_SHA256_BYTES], md5[DIGEST_MD5_BYTES];
    struct err e = ERR_INIT;

    if (digest_sha256_final(&h->sha256, sha256, &e) != ERR_OK ||
        digest_md5_final(&h->md5, md5, &e) != ERR_OK)
        s3_faulty_die(e.text);
    digest_hex_encode(sha256, sizeof sha256, o->sha256);
    digest_hex_encode(md5, sizeof md5, o->md5);
    (void)snprintf(o->crc32c, sizeof o->crc32c, "%08" PRIx32, h->crc32c);
    digest_sha256_release(&h->sha256);
    digest_md5_release(&h->md5);
}

void s3_faulty_hash_update(struct s3_faulty_hashes *h, void *data, size_t len)
{
    if (h->flip_at >= h->at && h->flip_at < h->at + (int64_t)len)
        ((unsigned char *)data)[h->flip_at - h->at] ^= 0x10;
    digest_sha256_update(&h->sha256, data, len);
    digest_md5_update(&h->md5, data, len);
    h->crc32c = digest_crc32c(h->crc32c, data, len);
    if (h->keep)
        memcpy(h->keep + h->at, data, len);
    h->at += (int64_t)len;
}

void s3_faulty_tell(const struct s3_faulty_object *o, enum s3_faulty_checksum which,
                    char ret[64])
{
    const char *hex = which == S3_FAULTY_SHA256 ? o->sha256 : o->crc32c;
    uint8_t sum[DIGEST_SHA256_BYTES];
    size_t size = strlen(hex) / 2;

    if (!digest_hex_decode(hex, 2 * size, sum, size) ||
        !digest_base64_encode(sum, size, ret, 64))
        s3_faulty_die("encode");
}

const char *s3_faulty_refuses(const struct request *r, const struct s3_faulty_object *o)
{
    char is[64];

    if (r->checksum != S3_FAULTY_NONE) {
        s3_faulty_tell(o, r->checksum, is);
        if (strcmp(is, r->named) != 0)
            return "BadDigest";
    }
    if (r->payload[0] && strcmp(r->payload, o->sha256) != 0)
        return "XAmzContentSHA256Mismatch";
    return NULL;
}

void s3_faulty_hash_begin(struct s3_faulty_hashes *h)
{
    struct err e = ERR_INIT;

    *h = (struct s3_faulty_hashes){DIGEST_SHA256_INIT, DIGEST_MD5_INIT, 0, 0, -1, NULL};
    if (digest_sha256_init(&h->sha256, &e) != ERR_OK ||
        digest_md5_init(&h->md5, &e) != ERR_OK)
        s3_faulty_die(e.text);
}

static void *serve(void *ctx)
{
    struct connection *c = ctx;
    struct s3_faulty *s = c->store;

    s3_faulty_serve(c);
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
            s3_faulty_die("too many connections");
        c->store = s;
        c->fd = fd;
        c->index = s->connection_count++;
        s->connections[c->index].fd = fd;
        if (pthread_create(&s->connections[c->index].thread, NULL, serve, c) != 0)
            s3_faulty_die("thread");
        pthread_mutex_unlock(&s->lock);
    }
}

/* --- the test's side --- */

/* A port of the kernel's choice when it is 0.  It does not listen yet: connections are refused. */
static void bind_to(struct s3_faulty *s, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int on = 1;

    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listen_fd < 0 ||
        setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(s->listen_fd, (struct sockaddr *)&at, len) < 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&at, &len) < 0)
        s3_faulty_die("bind");
    s->port = ntohs(at.sin_port);
}

void s3_faulty_up(struct s3_faulty *s)
{
    if (listen(s->listen_fd, 128) < 0 ||
        pthread_create(&s->acceptor, NULL, accept_all, s) != 0)
        s3_faulty_die("listen");
    s->is_up = true;
}

static void end_accept(struct s3_faulty *s)
{
    if (s->is_up) {
        (void)shutdown(s->listen_fd, SHUT_RDWR);
        (void)pthread_join(s->acceptor, NULL);
    }
    s->is_up = false;
    (void)close(s->listen_fd);
}

/* With the lock held. */
static void end_connections(struct s3_faulty *s)
{
    for (size_t i = 0; i < s->connection_count; i++)
        if (s->connections[i].fd >= 0)
            (void)shutdown(s->connections[i].fd, SHUT_RDWR);
}

void s3_faulty_down(struct s3_faulty *s)
{
    end_accept(s);
    bind_to(s, s->port);
    pthread_mutex_lock(&s->lock);
    end_connections(s);
    pthread_mutex_unlock(&s->lock);
}

struct s3_faulty *s3_faulty_start(void)
{
    struct s3_faulty *s = calloc(1, sizeof *s);

    if (!s || !(s->objects = calloc(OBJECTS_MAX, sizeof *s->objects)))
        s3_faulty_die("memory");
    bind_to(s, 0);
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    s3_faulty_up(s);
    return s;
}

void s3_faulty_stop(struct s3_faulty *s)
{
    if (!s)
        return;
    end_accept(s);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    end_connections(s);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->connection_count; i++)
        (void)pthread_join(s->connections[i].thread, NULL);
    s3_faulty_forget_parts(s);
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
        s3_faulty_die("too many faults");
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
    struct s3_faulty_object o = {.size = size, .checksum = S3_FAULTY_SHA256};
    struct s3_faulty_hashes h;

    s3_faulty_hash_begin(&h);
    s3_faulty_hash_update(&h, (void *)data, (size_t)size); /* which flips nothing */
    s3_faulty_hash_end(&h, &o);
    pthread_mutex_lock(&s->lock);
    if (s->traits.random_etags)
        memcpy(o.md5, S3_FAULTY_RANDOM_ETAG, sizeof o.md5);
    s3_faulty_store(s, path, &o);
    pthread_mutex_unlock(&s->lock);
}

int s3_faulty_count(struct s3_faulty *s, const char *method)
{
    int count = 0;

    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < 3; i++)
        if (!method || i == s3_faulty_method(method))
            count += s->counts[i];
    pthread_mutex_unlock(&s->lock);
    return count;
}

int s3_faulty_count_of(struct s3_faulty *s, enum s3_op op)
{
    pthread_mutex_lock(&s->lock);
    int count = s->op_counts[op];
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
    struct object *o = s3_faulty_find(s, path);
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
    (void)snprintf(ret, (size_t)size, "%s", s->heads[s3_faulty_method(method)]);
    pthread_mutex_unlock(&s->lock);
}

void s3_faulty_head_of(struct s3_faulty *s, enum s3_op op, char *ret, int size)
{
    pthread_mutex_lock(&s->lock);
    (void)snprintf(ret, (size_t)size, "%s", s->op_heads[op]);
    pthread_mutex_unlock(&s->lock);
}
