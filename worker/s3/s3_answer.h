/*
 * s3_answer: what the store's answers to a PUT and to a HEAD mean for an object.  Pure.
 *
 *   PUT:  2xx that proves what was stored -> DONE      412, 304 -> RESOLVE    501 to our extras -> PLAINER
 *         2xx that proves nothing, lost answer -> RESOLVE    clock -> SKEWED      all else -> FAILED (retry.h)
 *   HEAD: the same digest -> DONE;  another size or digest -> OTHER;  no such object -> ABSENT;  else FAILED
 *         the same size and no digest to compare (made in parts, SSE-KMS): DONE where the object can only be ours,
 *         else UNPROVEN: equal sizes are no equal bytes
 *
 * Proof is x-amz-checksum-sha256; else x-amz-checksum-crc32c, which is one against accidents only, so that an object that
 * may be somebody else's must have the right MD5 as well where the store tells one; else an ETag of 32 hex digits that is the
 * MD5 of what was sent (not under SSE-KMS or SSE-C, where the ETag is something else).  Each checksum that is told is compared,
 * whichever was asked for: one that differs is other bytes.  Of an object that was made in parts proof is the checksum of the
 * checksums of the parts that were sent, or the MD5 of their MD5s; that these differ says only that it was divided otherwise,
 * or that this store makes its ETags in another way, unless the store has just put ours together and its checksum differs.
 */
#ifndef HOIST_WORKER_S3_ANSWER_H
#define HOIST_WORKER_S3_ANSWER_H

#include "worker/http/http.h"
#include "worker/flow/retry.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    S3_SKEW_MAX_S = 24 * 60 * 60
}; /* a clock that is off by more is not the one to follow */

struct s3_composite;
struct s3_error;

enum s3_verdict {
    S3_DONE,
    S3_RESOLVE, /* HEAD tells */
    S3_GONE,    /* the store knows no such upload in parts, or not its parts as we do */
    S3_PLAINER, /* the store does not know the condition or the checksum: once more without */
    S3_SKEWED,   /* our clock differs from the store's: once more with its time */
    S3_ABSENT,   /* HEAD: there is no such object */
    S3_OTHER,    /* HEAD: there is one, with other bytes */
    S3_UNPROVEN, /* HEAD: there is one of this size, which may be anybody's */
    S3_FAILED
};

/* What the object should be. */
struct s3_expected {
    int64_t size;
    const char *sha256_base64;
    const char *crc32c_base64; /* "" when it is not known */
    const char *md5_hex;       /* "" when it is not known */
    bool
        only_ours; /* nobody else has this key, or our PUT was taken: the size is proof enough */
    const struct s3_composite *parts; /* sent in these; NULL: as a whole */
    bool taken; /* with parts: the store said that it has put them together */
};

struct s3_answer {
    enum s3_verdict verdict;
    enum retry_class class; /* of S3_FAILED */
    int64_t retry_after_ms;
    int64_t
        skew_s; /* of S3_SKEWED: the store's time less ours, at most S3_SKEW_MAX_S */
    bool taken; /* PUT: the store says that it has the object */
    bool needs_md5;  /* HEAD: only the MD5 could tell, and it is not known */
    char error[256]; /* for people; not of S3_DONE */
};

/* What an answer that is no success means, by retry.h; S3_FAILED.  error: what its body says, all empty for nothing. */
struct s3_answer s3_answer_classify(const char *method, const struct http_result *r,
                                    const struct s3_error *error);
/* Make *a S3_PLAINER or S3_SKEWED where the answer says so; false: it does not.  now_s: our time. */
bool s3_answer_adapt(struct s3_answer *a, const struct http_result *r,
                     const struct s3_error *error, int64_t now_s);

struct s3_answer s3_answer_put(const struct http_result *r,
                               const struct s3_expected *want, int64_t now_s);
struct s3_answer s3_answer_head(const struct http_result *r,
                                const struct s3_expected *want);

#endif
