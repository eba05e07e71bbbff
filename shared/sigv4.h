/*
 * sigv4: AWS Signature Version 4 as S3 checks it.  A request goes in, headers (or a presigned query) come out; no
 * I/O, no clock: the time is an argument.
 *
 *     method, path, query, headers, payload hash  ->  canonical request  --SHA-256-->  string to sign
 *     secret -> day -> region -> service -> "aws4_request"  =  day key  --HMAC-->  signature of that string
 *
 * Rules (Amazon S3 API Reference, "Authenticating Requests: AWS Signature Version 4"):
 *  - The path is given raw and is percent-encoded once: A-Z a-z 0-9 - . _ ~ and '/' stay, all else is %XX in upper
 *    case.  Nothing is normalised ("//", "/./" and "/../" are parts of a key): the HTTP client must send
 *    `path` exactly as it stands here (libcurl: CURLOPT_PATH_AS_IS).
 *  - The query is given raw, encoded here ('/' too), sorted by encoded name and then value, always "name=".
 *  - Header names are lower-cased; values trimmed, their inner runs of blanks folded to one; sorted by *name*; a
 *    repeated name is merged with commas in the order given.
 *  - Host must be what goes over the wire: the port is there if, and only if, it is not the scheme's default.
 *
 * What to sign: besides the ones added here, content-type, content-md5 and every x-amz-*.  Not what a proxy or the
 * HTTP client may change: user-agent, accept-encoding, connection, expect, content-length, transfer-encoding.
 *
 * Bounds: what goes in is bounded by the enum below, and what comes out by that (SIGV4_TEXT_MAX is never reached).
 * Strings are NUL-terminated and only read.
 * The structs belong to one thread.  Nothing secret is in the output, nor in an error's text.
 */
#ifndef HOIST_SHARED_SIGV4_H
#define HOIST_SHARED_SIGV4_H

#include "shared/buf.h"
#include "shared/digest.h"
#include "shared/err.h"

#include <stddef.h>
#include <stdint.h>

/* Instead of the body's hash, where TLS protects the body or its hash is not known beforehand. */
#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

/* What can be signed; more is refused.  Bytes, raw, unless said otherwise. */
enum {
    SIGV4_PAIRS_MAX = 32,      /* headers, and likewise query parameters */
    SIGV4_PATH_MAX = 4096,     /* the path: an S3 key has at most 1024, a bucket 63 */
    SIGV4_QUERY_MAX = 4096,    /* names and values of all query parameters together */
    SIGV4_HEADERS_MAX = 16384, /* names and values of all headers together */
    SIGV4_HOST_MAX = 512,
    SIGV4_NAME_MAX = 256,   /* access key, secret key, region, service, method: each */
    SIGV4_TOKEN_MAX = 8192, /* the session token */
    SIGV4_TEXT_MAX = 256 * 1024,  /* each text that comes out */
    SIGV4_ADDED_MAX = 5,          /* headers the signer adds to a request */
    SIGV4_EXPIRES_MAX_S = 604800, /* the life of a presigned request: a week */
};

/* A header or a query parameter. */
struct sigv4_pair {
    const char *name;
    const char *value;
};

/*
 * Who signs, and where.  The strings are the caller's and outlive the struct.  `day` belongs to the module: the
 * derived key of the last day signed for.  Changed credentials or another region need a fresh struct, made with
 * designated initialisers.  sigv4_key_wipe forgets the day key.
 */
struct sigv4_key {
    const char *access_key;    /* printable ASCII, no blank, no comma */
    const char *secret_key;    /* any bytes */
    const char *session_token; /* NULL or "" for permanent credentials */
    const char *region;        /* "us-east-1"; letters, digits, - and _ */
    const char *service;       /* "s3"; the same alphabet */
    struct {
        char date[9]; /* "20130524", or "" */
        uint8_t key[DIGEST_SHA256_BYTES];
    } day;
};

/* What is signed.  Arrays and strings are the caller's. */
struct sigv4_request {
    const char *method; /* "PUT" */
    const char *host;   /* exactly the Host header */
    const char *path; /* raw, begins with '/': "/key", or "/bucket/key" in path style */
    const struct sigv4_pair *query;
    size_t query_count;
    const struct sigv4_pair *headers; /* to be signed, besides those added here */
    size_t header_count;
    const char *payload_hash; /* lower-case hex SHA-256, or SIGV4_UNSIGNED_PAYLOAD */
    int64_t time_s;           /* seconds since 1970-01-01 UTC */
};

/*
 * A signed request.  Reusable; after a failure its content means nothing.
 * `added` are the headers to send next to request.headers, in this order: Host, x-amz-date, x-amz-content-sha256
 * (service "s3" only), x-amz-security-token (with a session token), Authorization.  Their strings live in this
 * struct, in the key and in the request.  A presigned request needs Host only.
 */
struct sigv4_signed {
    struct buf path;  /* encoded, for the request line */
    struct buf query; /* encoded, without "?"; carries the signature when presigned */
    struct buf authorization; /* value of the Authorization header; "" when presigned */
    struct buf signed_headers;    /* "host;x-amz-date" */
    struct buf canonical_request; /* S3 shows its own in SignatureDoesNotMatch */
    struct buf string_to_sign;
    char date[17]; /* "20130524T000000Z" */
    char signature[DIGEST_SHA256_HEX + 1];
    struct sigv4_pair added[SIGV4_ADDED_MAX];
    size_t added_count;
};

#define SIGV4_SIGNED_INIT                                                              \
    {                                                                                  \
        .path = BUF_INIT(SIGV4_TEXT_MAX), .query = BUF_INIT(SIGV4_TEXT_MAX),           \
        .authorization = BUF_INIT(SIGV4_TEXT_MAX),                                     \
        .signed_headers = BUF_INIT(SIGV4_TEXT_MAX),                                    \
        .canonical_request = BUF_INIT(SIGV4_TEXT_MAX),                                 \
        .string_to_sign = BUF_INIT(SIGV4_TEXT_MAX),                                    \
    }

/* Free the memory; the struct is reusable. */
void sigv4_signed_release(struct sigv4_signed *s);

/* Forget the derived key (the strings are the caller's to wipe). */
void sigv4_key_wipe(struct sigv4_key *k);

/*
 * Sign with headers.
 * ERR_OK      send s->path, s->query, the request's headers and s->added
 * ERR_REJECT  the request cannot be signed: a bad method, host or path, a header or parameter that holds control
 *             characters or is one that the signer adds itself, a payload hash that is none, too much of anything
 * ERR_CONFIG  a missing or malformed credential, region or service
 * ERR_NOMEM   no memory
 */
MUST_CHECK enum err_code sigv4_sign(struct sigv4_signed *s, struct sigv4_key *k,
                                    const struct sigv4_request *r, struct err *e);

/*
 * Sign in the query ("presign"): the URL alone carries the permission, for expires_s seconds (1 to
 * SIGV4_EXPIRES_MAX_S, else ERR_REJECT).  payload_hash is SIGV4_UNSIGNED_PAYLOAD unless whoever uses the URL sends
 * x-amz-content-sha256 as one of request.headers.  Otherwise as sigv4_sign.
 */
MUST_CHECK enum err_code sigv4_presign(struct sigv4_signed *s, struct sigv4_key *k,
                                       const struct sigv4_request *r, int64_t expires_s,
                                       struct err *e);

#endif
