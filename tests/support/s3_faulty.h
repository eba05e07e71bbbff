/*
 * s3_faulty: an object store that misbehaves on request, for the answers that no real one gives when asked.
 *
 *     struct s3_faulty *s3 = s3_faulty_start();
 *     s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_STATUS, .status = 503, .code = "SlowDown"});
 *     ... endpoint = s3_faulty_url(s3) ...
 *     s3_faulty_count(s3, "PUT"), s3_faulty_object(s3, "/bucket/key", &object)
 *     s3_faulty_stop(s3);
 *
 * Without a fault it behaves: PUT stores (412 under If-None-Match when the object is there; 400 when the bytes are not those
 * that x-amz-checksum-… or x-amz-content-sha256 names), HEAD tells.  Faults are used up
 * by requests in the order in which their heads arrive.  It keeps sizes and digests of objects, not their bytes.
 * Uploads in parts work as well (s3_faulty_parts.c), conditional completion and checksums of parts included; what is stored of a
 * part is kept until it is completed or aborted.  A fault can wait for an operation (`op`), and for a part's number.
 * It listens on 127.0.0.1, on a port of the kernel's choice, with a thread per connection; signatures are not checked.
 * All functions are thread-safe.  What fails here aborts the test with a message.
 */
#ifndef HOIST_TESTS_SUPPORT_S3_FAULTY_H
#define HOIST_TESTS_SUPPORT_S3_FAULTY_H

#include <stdbool.h>
#include <stdint.h>

enum s3_fault_kind {
    S3_FAULT_NONE, /* behave */
    S3_FAULT_STATUS, /* read the body, store nothing, answer status and <Error> with code */
    S3_FAULT_EARLY_STATUS, /* the same before the body; with `bytes` a PUT is sent the head alone, and read so far; close */
    S3_FAULT_ERROR_IN_200, /* store nothing, answer 200 with <Error> and code */
    S3_FAULT_LOST_ANSWER,  /* store, close without an answer */
    S3_FAULT_LOST_BODY,    /* read all, store nothing, close without an answer */
    S3_FAULT_CLOSE_IN_BODY, /* close after `bytes` of the body */
    S3_FAULT_STALL_IN_BODY, /* read no more after `bytes`, keep the connection open */
    S3_FAULT_FLIP_IN_BODY, /* a bit of byte `bytes` is another when it arrives; behave */
    S3_FAULT_NO_CONTINUE,  /* never say 100 Continue; behave */
    S3_FAULT_GATE_IN_BODY, /* read `bytes`, wait at the gate, read the rest and behave */
    S3_FAULT_HALF_ANSWER,  /* store, send half a status line, close */
    S3_FAULT_CUT_ANSWER,   /* behave, send `bytes` of the answer, close; PUT and HEAD */
    S3_FAULT_HANG,         /* store, never answer */
    S3_FAULT_GARBAGE,      /* store nothing, send no HTTP at all */
    S3_FAULT_WRONG_ETAG, /* store, answer with another object's ETag and no checksum */
    S3_FAULT_WRONG_CHECKSUM, /* store, answer with another object's checksum */
    S3_FAULT_CORRUPT,        /* store other bytes, and say so in the answer */
    S3_FAULT_NO_PROOF, /* store, answer 200 with nothing that proves what was stored */
    S3_FAULT_ETAG,     /* a part: store it under the ETag `code`, as it stands there */
    S3_FAULT_BODY,     /* not PUT, HEAD: do it, answer 200 with the body `code` */
    S3_FAULT_SPACES    /* COMPLETE: white space in front of the answer's body */
};

/* What a request is about. */
enum s3_op {
    S3_OP_ANY, /* of a fault: the next request, whatever it is */
    S3_OP_PUT,
    S3_OP_HEAD,
    S3_OP_CREATE, /* CreateMultipartUpload */
    S3_OP_PART,
    S3_OP_COMPLETE,
    S3_OP_ABORT,
    S3_OP_LIST_PARTS,
    S3_OP_LIST_UPLOADS,
    S3_OP_OTHER,
    S3_OP_COUNT
};

struct s3_fault {
    enum s3_fault_kind kind;
    int status;
    const char *code; /* of the <Error>; a literal; NULL: no body */
    /* More header lines, each with "\r\n"; a literal; may be NULL. */
    const char *headers;
    int64_t bytes;
    enum s3_op op; /* ANY: the next request of them all; else the next of this kind */
    int part;      /* of PART: only this number; 0: any */
};

/* What this kind of store can do. */
struct s3_faulty_traits {
    bool no_conditions;      /* If-None-Match: 501 NotImplemented */
    bool ignores_conditions; /* takes If-None-Match and overwrites all the same */
    bool no_checksums;       /* x-amz-checksum-…: 501, and none is told */
    bool rejects_checksums;  /* 400 "Unsupported header", as B2 says; HEAD, too */
    bool silent_checksums;   /* taken but never told */
    bool random_etags;       /* ETags are not the MD5 */
    bool trusting;    /* stores what arrives, whatever digest the request names */
    bool no_parts;    /* CreateMultipartUpload: 501 */
    int64_t min_part; /* parts but the last are no smaller: EntityTooSmall */
    int page;         /* so many entries of a list at once; 0: 1,000 */
};

/* Which checksum a PUT carries, and an object is told with. */
enum s3_faulty_checksum { S3_FAULTY_NONE, S3_FAULTY_SHA256, S3_FAULTY_CRC32C };

struct s3_faulty_object {
    int64_t size;
    char sha256[65]; /* hex */
    char md5[33];    /* hex */
    char crc32c[9];  /* hex */
    enum s3_faulty_checksum checksum;
    int stored;         /* how many PUTs were taken */
    int parts;          /* it was made of so many; 0: by a PUT */
    char etag[40];      /* of one made of parts, without quotes */
    char composite[64]; /* its checksum: that of those of its parts, and their number */
};

struct s3_faulty;

struct s3_faulty *s3_faulty_start(void);
void s3_faulty_stop(struct s3_faulty *s);             /* takes NULL */
const char *s3_faulty_url(const struct s3_faulty *s); /* http://127.0.0.1:port */

void s3_faulty_set_traits(struct s3_faulty *s, struct s3_faulty_traits traits);
void s3_faulty_push(struct s3_faulty *s, struct s3_fault fault);
/* Every answer to a PUT waits, after its body was read and before anything is stored, until the gate is opened. */
void s3_faulty_close_gate(struct s3_faulty *s);
void s3_faulty_open_gate(struct s3_faulty *s);

/* Refuse connections from now on, those there are end; listen again, at the same address. */
void s3_faulty_down(struct s3_faulty *s);
void s3_faulty_up(struct s3_faulty *s);

/* Put an object there as if somebody else had. */
void s3_faulty_put(struct s3_faulty *s, const char *path, const void *data,
                   int64_t size);

/* Requests of this method whose head has arrived; all, when method is NULL. */
int s3_faulty_count(struct s3_faulty *s, const char *method);
/* The same by what they were about. */
int s3_faulty_count_of(struct s3_faulty *s, enum s3_op op);
/* Uploads in parts that were neither completed nor aborted; parts that the latest of these has. */
int s3_faulty_unfinished(struct s3_faulty *s);
int s3_faulty_parts(struct s3_faulty *s);
/* Begin an upload in parts as if somebody else had. */
void s3_faulty_begin_parts(struct s3_faulty *s, const char *path);
/* Forget all uploads in parts, as a store's own cleaning would. */
void s3_faulty_forget_parts(struct s3_faulty *s);
/* Connections made so far. */
int s3_faulty_connections(struct s3_faulty *s);
/* PUTs that stand at the gate, also in their body. */
int s3_faulty_waiting(struct s3_faulty *s);
bool s3_faulty_object(struct s3_faulty *s, const char *path,
                      struct s3_faulty_object *ret);
int s3_faulty_objects(struct s3_faulty *s);
/* The head of the latest request of this method, NUL-terminated; "" for none. */
void s3_faulty_head(struct s3_faulty *s, const char *method, char *ret, int size);
void s3_faulty_head_of(struct s3_faulty *s, enum s3_op op, char *ret, int size);

#endif
