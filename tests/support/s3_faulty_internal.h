/*
 * s3_faulty_internal: what the two files of s3_faulty share.
 *
 *     s3_faulty.c        the test's side, connections, objects
 *     s3_faulty_serve.c  one request: its head, its body, its answer
 */
#ifndef HOIST_TESTS_SUPPORT_S3_FAULTY_INTERNAL_H
#define HOIST_TESTS_SUPPORT_S3_FAULTY_INTERNAL_H

/* An ETag as of an object made in parts: as long as an MD5, and none. */
#define S3_FAULTY_RANDOM_ETAG "f00f00f00f00f00f00f00f00f00f00-1"

#include "tests/support/s3_faulty.h"

#include <pthread.h>
#include <stddef.h>

#include "shared/digest.h"

enum {
    CONNECTIONS_MAX = 512,
    OBJECTS_MAX = 4096,
    FAULTS_MAX = 1024,
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
    size_t filled;       /* bytes in head */
    const int64_t *most; /* so many bytes of the answer are sent; NULL: all */
};

struct request {
    int method; /* index into s3_faulty_methods */
    char path[PATH_SIZE];
    int64_t length;
    bool conditional, expect;
    enum s3_faulty_checksum checksum;
    char named[64];       /* its value */
    char payload[64 + 1]; /* x-amz-content-sha256, where it is one; else "" */
    struct s3_fault fault;
};

struct s3_faulty_hashes {
    struct digest_sha256 sha256;
    struct digest_md5 md5;
    uint32_t crc32c;
    int64_t at, flip_at; /* a bit of this byte is another; -1: of none */
};

extern const char *const s3_faulty_methods[3]; /* "PUT", "HEAD", "other" */
int s3_faulty_method(const char *name);

/* errno's text, and abort. */
void s3_faulty_die(const char *what);

void s3_faulty_hash_begin(struct s3_faulty_hashes *h);
void s3_faulty_hash_update(struct s3_faulty_hashes *h, void *data, size_t len);
void s3_faulty_hash_end(struct s3_faulty_hashes *h, struct s3_faulty_object *o);

/* The object's checksum as a header has it. */
void s3_faulty_tell(const struct s3_faulty_object *o, enum s3_faulty_checksum which,
                    char ret[64]);
/* The code of the error, when these are not the bytes that the request names; else NULL. */
const char *s3_faulty_refuses(const struct request *r,
                              const struct s3_faulty_object *o);

/* With the lock held: the object of a path, or NULL; put one there. */
struct object *s3_faulty_find(struct s3_faulty *s, const char *path);
void s3_faulty_store(struct s3_faulty *s, const char *path,
                     const struct s3_faulty_object *what);

/* Serve one connection to its end. */
void s3_faulty_serve(struct connection *c);

#endif
