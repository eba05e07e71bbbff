/*
 * dest_http_request: the requests about one job to a destination http(s)://, signed.  Pure: the time is an argument.
 *
 *     config (base, method, token, secret) + job (key, type, name, meta, sha256)  -->  url, headers
 *
 * PUT   to base/key, each segment of the key percent-encoded; If-None-Match: * when the destination is conditional
 * POST  to the url as configured; the key, encoded in the same way, is X-Hoist-Key
 * HEAD  of where PUT goes; of the headers below it has those that authenticate
 *
 *   Content-Type       of the upload, or the destination's content_type
 *   X-Hoist-Job        QUEUE.UUID                      Idempotency-Key  the same
 *   traceparent        of the job, and tracestate (W3C Trace Context), where it has one
 *   X-Hoist-Name       the file's name, X-Hoist-Meta-NAME the metadata; percent-encoded but for A-Z a-z 0-9 - . _ ~
 *   Repr-Digest        sha-256=:base64: of the body (RFC 9530), where it is known beforehand
 *   Authorization      Bearer and the token
 *   Hoist-Signature    t=UNIX,v1=HEX: HEX is HMAC-SHA-256 under the secret of the text "UNIX.METHOD.PATH.SHA256": seconds since
 *                      the epoch; the method; the path as in the request line; the SHA-256 of the body in lower-case hex,
 *                      of nothing for HEAD.  Who verifies it hashes the body himself and refuses a time that is long past.
 */
#ifndef HOIST_WORKER_DEST_HTTP_REQUEST_H
#define HOIST_WORKER_DEST_HTTP_REQUEST_H

#include "shared/config.h"
#include "shared/job.h"
#include "worker/http/http.h"

enum { DEST_HTTP_HEADERS_MAX = 12 + JOB_META_MAX };

struct dest_http_request {
    struct buf url;
    struct buf values; /* texts of the headers, each with its NUL */
    struct http_header headers[DEST_HTTP_HEADERS_MAX];
    size_t header_count;
};

#define DEST_HTTP_REQUEST_INIT                                                         \
    {                                                                                  \
        .url = BUF_INIT(8 * 1024), .values = BUF_INIT(64 * 1024)                       \
    }

void dest_http_request_release(struct dest_http_request *r);

struct dest_http_ask {
    const struct config_destination *config; /* CONFIG_HTTP */
    const struct job *job; /* its sha256 is that of the body, or NULL */
    bool is_head;
    int64_t time_s; /* now */
};

/* ret is DEST_HTTP_REQUEST_INIT; its headers refer to itself.  ERR_REJECT: it does not fit, or a signature is wanted of a body
 * whose SHA-256 is not known.  ERR_NOMEM, ERR_CONFIG: as digest.h says. */
MUST_CHECK enum err_code dest_http_request_make(struct dest_http_request *ret,
                                                const struct dest_http_ask *ask,
                                                struct err *e);

#endif
