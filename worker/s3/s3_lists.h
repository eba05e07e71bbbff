/*
 * s3_lists: what the answers about uploads in parts say.  Pure; the bytes are untrusted (s3_xml.h, whose limits hold).
 *
 *     CreateMultipartUpload    -> s3_created_parse     the upload's id
 *     CompleteMultipartUpload  -> s3_completed_parse   the object's ETag and checksum
 *     ListMultipartUploads     -> s3_uploads_parse     key and id of each upload
 *     ListParts                -> s3_parts_parse       number, size and ETag of each part
 *
 * Ids and keys are taken as they are or not at all: one that is too long, or an id that holds anything but printable ASCII
 * without blanks, is as if it were not there.
 */
#ifndef HOIST_WORKER_S3_LISTS_H
#define HOIST_WORKER_S3_LISTS_H

#include "worker/http/http_response.h"
#include "worker/s3/s3_xml.h"

enum {
    S3_UPLOAD_ID_MAX = 512, /* R2's have some 300 */
    S3_KEY_MAX = 1024,
    S3_PARTS_MAX = 10000 /* in an upload */
};

/* False: the answer names none. */
bool s3_created_parse(const char *body, size_t len,
                      char ret_id[static S3_UPLOAD_ID_MAX + 1]);

/* "" for what is not told. */
struct s3_completed {
    char etag[HTTP_VALUE_SIZE]; /* as sent, with its quotes */
    char checksum_sha256[HTTP_VALUE_SIZE];
    char checksum_crc32c[HTTP_VALUE_SIZE];
    char checksum_type[HTTP_VALUE_SIZE];
};

/* True only for a whole <CompleteMultipartUploadResult>: whatever else a 200 brings is no success. */
bool s3_completed_parse(const char *body, size_t len, struct s3_completed *ret);

/* A list.  What is not whole (cut off, too long) is truncated, and so is one that says so. */
struct s3_list {
    size_t count; /* entries told */
    bool truncated;
};

typedef void s3_upload_fn(const char *key, const char *id, void *ctx);
/* False: it is no such list.  Entries were told all the same, as far as it could be read. */
bool s3_uploads_parse(const char *body, size_t len, s3_upload_fn *fn, void *ctx,
                      struct s3_list *ret);

/* size -1: not told. */
typedef void s3_part_fn(int number, int64_t size, const char *etag, void *ctx);
/* The same; only numbers from 1 to S3_PARTS_MAX are told. */
bool s3_parts_parse(const char *body, size_t len, s3_part_fn *fn, void *ctx,
                    struct s3_list *ret);

#endif
