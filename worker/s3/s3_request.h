/*
 * s3_request: the requests about one job's object, signed.  Pure: the time is an argument.
 *
 *     config (endpoint, style, bucket, prefix, keys) + job (key, type, name, meta, sha256)  -->  url, headers
 *
 * PUT  what an object is made with: Content-Type, and what its destination's settings say of disposition, caching, storage
 *      class, ACL, encryption and tags; x-amz-meta-NAME for each meta entry, x-amz-meta-filename for the name;
 *      x-amz-checksum-sha256, -crc32c (SHA-256 for a job that has no CRC-32C) or Content-MD5, and If-None-Match: * when asked
 *      for.  The payload hash that is signed is the manifest's SHA-256 over http, and UNSIGNED-PAYLOAD over https, where TLS
 *      guards the bytes already.
 * All of them carry the job's traceparent and tracestate, where it has them (W3C Trace Context), outside of the signature.
 *
 * HEAD asks for the checksum too (x-amz-checksum-mode).
 * The others are those of an upload in parts; CREATE_PARTS has what PUT has, but for checksum (only its algorithm) and condition,
 * which COMPLETE_PARTS has.  A body that is not the job's own (a part, the list of parts, what a converter made) comes with its
 * own digests.
 *
 * Metadata travels as s3_meta.h says, and in the file name all that is outside A-Z a-z 0-9 - . _ ~ stands as %XX.  What the
 * client gave has been checked to fit when the job was taken; the file name is left out where it does not.
 */
#ifndef HOIST_WORKER_S3_REQUEST_H
#define HOIST_WORKER_S3_REQUEST_H

#include "shared/config.h"
#include "shared/digest.h"
#include "shared/job.h"
#include "shared/s3_address.h"
#include "shared/sigv4.h"
#include "worker/http/http.h"

enum { S3_TRACE_HEADERS = 2, S3_HEADERS_MAX = SIGV4_PAIRS_MAX + S3_TRACE_HEADERS };

struct s3_request {
    struct buf url;
    struct buf values; /* texts of the headers made here */
    struct http_header headers[S3_HEADERS_MAX];
    size_t header_count;
    struct sigv4_signed signature;
};

#define S3_REQUEST_INIT                                                                \
    {                                                                                  \
        .url = BUF_INIT(3 * SIGV4_PATH_MAX + 1024), .values = BUF_INIT(16 * 1024),     \
        .signature = SIGV4_SIGNED_INIT                                                 \
    }

void s3_request_release(struct s3_request *r);

enum s3_operation {
    S3_PUT,
    S3_HEAD,
    S3_CREATE_PARTS,   /* CreateMultipartUpload */
    S3_PUT_PART,       /* UploadPart */
    S3_COMPLETE_PARTS, /* CompleteMultipartUpload */
    S3_ABORT_PARTS,    /* AbortMultipartUpload */
    S3_LIST_PARTS,     /* of an upload, behind part `number` */
    S3_LIST_UPLOADS    /* of the bucket, whose keys begin with that of the job */
};

/* "PUT" ... */
const char *s3_operation_method(enum s3_operation operation);

/* The digests of a job as the checksum headers carry them, base64; "" for one that it does not have. */
struct s3_checksums {
    char sha256[DIGEST_BASE64_SIZE(DIGEST_SHA256_BYTES)];
    char crc32c[DIGEST_BASE64_SIZE(DIGEST_CRC32C_BYTES)]; /* big-endian bytes */
    char md5[DIGEST_BASE64_SIZE(DIGEST_MD5_BYTES)];
};

/* Those of its record, which has no MD5. */
void s3_checksums_of(const struct job *j, struct s3_checksums *ret);
/* Set the MD5 by its 32 hex digits; "" for anything else. */
void s3_checksums_set_md5(struct s3_checksums *sums, const char *md5_hex);

/* What to make. */
struct s3_ask {
    enum s3_operation operation;
    const struct config_destination *config;
    const struct s3_endpoint *endpoint;
    struct sigv4_key *key; /* NULL: there is none, ERR_RETRY */
    const struct job
        *job; /* its key, and for PUT and CREATE_PARTS what an object is made with */
    bool conditional; /* PUT, COMPLETE_PARTS: If-None-Match: * */
    enum config_checksum
        checksum; /* PUT, PUT_PART: send this one; CREATE_PARTS: announce it; HEAD: unless NO, ask for whatever there is */
    int64_t time_s; /* as the store counts it */

    /* Of a body that is not the job's own; NULL: those of the job. */
    const struct s3_checksums *sums;
    const char *body_sha256; /* hex; what is signed over http */

    const char *upload_id; /* PUT_PART, COMPLETE_, ABORT_ and LIST_PARTS */
    int number; /* PUT_PART: from 1; LIST_PARTS: those behind it, 0 for all */
};

/* ret is S3_REQUEST_INIT; its strings refer to ask and to itself.  Errors as of sigv4_sign. */
MUST_CHECK enum err_code s3_request_make(struct s3_request *ret,
                                         const struct s3_ask *ask, struct err *e);

#endif
