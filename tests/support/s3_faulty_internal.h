/*
 * s3_faulty_internal: what the files of s3_faulty share.
 *
 *     s3_faulty.c          the test's side, connections, objects
 *     s3_faulty_io.c       reading and answering on a connection, the gate
 *     s3_faulty_request.c  what a head asks for, and the fault it meets
 *     s3_faulty_serve.c    PUT and HEAD: their bodies, their answers
 *     s3_faulty_parts.c    uploads in parts: what is kept of them
 *     s3_faulty_op.c       the requests that are about them, but for the bodies of parts
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
    UPLOADS_MAX = 512,
    PARTS_MAX = 10000,
    HEAD_MAX = 16 * 1024,
    PATH_SIZE = 512,
    CHUNK = 64 * 1024
};

struct object {
    char path[PATH_SIZE];
    struct s3_faulty_object is;
};

/* A part that is there, and what it was stored with. */
struct part {
    struct s3_faulty_object is;
    char etag[200]; /* without quotes */
    void *data;     /* NULL: it is not there */
};

struct upload {
    bool open;
    char id[32];
    char path[PATH_SIZE];
    struct part *parts; /* PARTS_MAX */
};

struct s3_faulty {
    int listen_fd, port;
    bool is_up; /* it listens, acceptor accepts */
    char url[64];
    pthread_t acceptor;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stopping, gate_closed;
    int waiting;
    struct s3_faulty_traits traits;
    struct s3_fault faults[FAULTS_MAX];
    bool fault_used[FAULTS_MAX];
    size_t fault_count;
    struct object *objects;
    size_t object_count;
    struct {
        pthread_t thread;
        int fd; /* -1: closed */
    } connections[CONNECTIONS_MAX];
    size_t connection_count;
    int counts[3]; /* as in methods */
    int op_counts[S3_OP_COUNT];
    char heads[3][HEAD_MAX + 1];
    char op_heads[S3_OP_COUNT][HEAD_MAX + 1];
    struct upload uploads[UPLOADS_MAX];
    size_t upload_count;
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
    enum s3_op op;
    char path[PATH_SIZE]; /* without the query */
    char upload_id[64], prefix[PATH_SIZE];
    int part;
    enum s3_faulty_checksum algorithm; /* CREATE */
    int64_t length;
    bool conditional, expect, mode; /* mode: a checksum is asked for */
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
    char *keep;          /* the bytes are copied to here; NULL: nowhere */
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

/* --- s3_faulty_io.c --- */

/* False: the client has gone. */
bool s3_faulty_send(struct connection *c, const char *text);
/* The value of a header in the NUL-terminated head, or NULL. */
const char *s3_faulty_header(const char *head, const char *name);
/* Read one head; what came after it stays in c->head from *ret_rest on. */
bool s3_faulty_read_head(struct connection *c, size_t *ret_rest);
/* Take len bytes of the body; what was read too far stays in c->head.  Fewer: the client has gone. */
int64_t s3_faulty_read_body(struct connection *c, int64_t len,
                            struct s3_faulty_hashes *h);
void s3_faulty_answer_error(struct connection *c, int status, const char *code,
                            const char *headers, bool with_body);
/* Until the test is over. */
void s3_faulty_hang(struct s3_faulty *s);
/* Wait while the gate is closed. */
void s3_faulty_pass_gate(struct s3_faulty *s);

/* --- s3_faulty_request.c --- */

/* What the head in c asks for, counted, with the fault it meets. */
void s3_faulty_take_request(struct connection *c, struct request *r);

/* --- s3_faulty_parts.c; with the lock held --- */

/* NULL: there is none of this id and path that is unfinished. */
struct upload *s3_faulty_find_upload(struct s3_faulty *s, const struct request *r);
struct upload *s3_faulty_new_upload(struct s3_faulty *s, const char *path);
void s3_faulty_end_upload(struct upload *u);
/* Take a part whose bytes are data, which becomes the store's.  False: no such upload; data stays the caller's. */
bool s3_faulty_store_part(struct s3_faulty *s, const struct request *r,
                          const struct s3_faulty_object *is, char *data);
/* Put the object together from the parts that body lists.  NULL: *ret is what is to be stored; else the error's code. */
const char *s3_faulty_assemble(const struct s3_faulty *s, const struct upload *u,
                               const char *body, struct s3_faulty_object *ret);

/* --- s3_faulty_op.c --- */

/* Every operation on uploads in parts but UploadPart.  False: close the connection. */
bool s3_faulty_serve_op(struct connection *c, const struct request *r);

#endif
