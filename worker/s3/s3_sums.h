/*
 * s3_sums: the digests of parts, what a store makes of them, and the list of parts that completes an upload.  Pure.
 *
 * S3 tells of an object that was made in parts the MD5 of the MD5s of its parts (ETag) and the checksum of their checksums,
 * each with "-" and their number ("Checking object integrity", composite checksums).  Both depend on how it was divided.
 */
#ifndef HOIST_WORKER_S3_SUMS_H
#define HOIST_WORKER_S3_SUMS_H

#include "shared/buf.h"
#include "shared/config.h"
#include "shared/digest.h"
#include "worker/s3/s3_request.h"

#include <stdbool.h>
#include <stdint.h>

struct s3_part_sums {
    uint8_t sha256[DIGEST_SHA256_BYTES];
    uint8_t md5[DIGEST_MD5_BYTES];
    uint32_t crc32c;
    bool has_sha256, has_md5; /* the CRC-32C is always there */
};

/* A part that the store has. */
struct s3_part {
    char *
        etag; /* as it was told, with its quotes; owned; NULL: the store does not have it */
    struct s3_part_sums sums;
};

void s3_part_release(struct s3_part *p);

/* As checksum headers carry them; "" for what is not there. */
void s3_sums_text(const struct s3_part_sums *sums, struct s3_checksums *ret);

/* The 32 hex digits in an ETag that may be an MD5, NULL for any other. */
const char *s3_etag_md5(const char *etag);

enum { S3_COMPOSITE_SIZE = 64 }; /* base64 of 32 bytes, "-", five digits */

/* Each "" where some part lacks what it takes. */
struct s3_composite {
    char etag[S3_COMPOSITE_SIZE]; /* hex, without quotes: of ETags that are MD5s */
    char sha256[S3_COMPOSITE_SIZE];
    char crc32c[S3_COMPOSITE_SIZE];
};

/* Of parts 1 .. count, in their order. */
void s3_composite_make(const struct s3_part *parts, int count,
                       struct s3_composite *ret);

/* The body of CompleteMultipartUpload: number and ETag of each part, and the checksum it was sent with.  False: it does not
 * fit into b. */
bool s3_complete_body(struct buf *b, const struct s3_part *parts, int count,
                      enum config_checksum checksum);

#endif
