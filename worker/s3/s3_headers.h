/*
 * s3_headers: the headers of an S3 request, and what an object is made with: type, metadata.  Private to s3_request*.c.
 *
 * Texts are put one after the other into the request's `values`, which may move while it grows: until all are there a
 * header's name and value are kept as offsets.
 */
#ifndef HOIST_WORKER_S3_HEADERS_H
#define HOIST_WORKER_S3_HEADERS_H

#include "worker/s3/s3_request.h"

struct s3_texts {
    struct s3_request *request;
    struct {
        size_t name, value;
    } at[S3_HEADERS_MAX];
    size_t count;
};

/* Add one; when there is no room for it values.failed is set. */
void s3_texts_add(struct s3_texts *t, const char *name, const char *value);

/* Those that a new object is made with, by PutObject and by CreateMultipartUpload: content type, disposition and caching,
 * storage class, ACL, encryption, tags, metadata. */
void s3_texts_add_object(struct s3_texts *t, const struct s3_ask *ask);

/* The checksum header of a body; which is CRC32C, and there is none: the SHA-256; MD5 and none: no header. */
void s3_texts_add_checksum(struct s3_texts *t, enum config_checksum which,
                           const struct s3_checksums *sums);

#endif
