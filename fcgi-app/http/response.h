/*
 * response: what is sent back: headers, "Status: 202 Accepted", a blank line, a body (RFC 3875 section 6).  Pure.
 *
 *     response_begin(&r, 202, "application/json");
 *     response_header(&r, "Location", "/v1/jobs/...");
 *     buf_puts(&r.body, ...);
 *     response_finish(&r, head_only);        -> r.head and r.body are the bytes to send, in this order
 *
 * X-Request-Id, and in a problem "request_id", tell the request; with has_etag a 200 carries an ETag (etag.h).
 * With cors_origin it also carries Access-Control-Allow-Origin and -Expose-Headers, with varies `Vary: Origin`.
 * One that is_stream has no length; nginx passes it on as it comes (X-Accel-Buffering).
 * Every other response carries `Cache-Control: no-store` (unless it is begun as one to keep), `X-Content-Type-Options: nosniff`
 * and its Content-Length.
 * Reusable: begin forgets what was there.  A body that did not fit, or a header that holds control characters, makes
 * it a 500.
 */
#ifndef HOIST_FCGI_RESPONSE_H
#define HOIST_FCGI_RESPONSE_H

#include "fcgi-app/http/etag.h"
#include "fcgi-app/http/problem.h"
#include "shared/buf.h"

#include <stdbool.h>

enum {
    RESPONSE_HEAD_MAX = 4096,
    RESPONSE_BODY_MAX = 512 * 1024,
    RESPONSE_REQUEST_ID_MAX = 128
};

struct response {
    int status;
    struct buf head;
    struct buf body;
    /* For browsers (cors.h); kept by begin. */
    const char *cors_origin; /* whose pages may read it; NULL: no CORS header */
    bool varies;             /* by Origin */
    /* Of the request; kept by begin. */
    char request_id[RESPONSE_REQUEST_ID_MAX + 1]; /* X-Request-Id; "": none is sent */
    const char *if_none_match; /* of a GET or HEAD, borrowed; NULL: not given */
    const char *preference;    /* Preference-Applied; NULL: none was */
    bool
        has_etag; /* a 200 gets an ETag, and is a 304 for who has it; begin forgets it */
    bool
        is_stream; /* its body has no end yet: neither length nor tag; begin forgets it */
    char weak
        [ETAG_SIZE]; /* with has_etag, where it is not the bytes' own: response_tag */
};

void response_init(struct response *r);
void response_release(struct response *r);

/* Take the memory for a head and a body of so many bytes now, so that an answer of that size cannot fail for want of it.
 * Before response_begin.  False: there is none. */
bool response_reserve(struct response *r, size_t body_bytes);

/* type NULL: no body will come. */
void response_begin(struct response *r, int status, const char *type);
/* One that a browser may keep, and asks each time whether it is still the same: `Cache-Control: no-cache`. */
void response_begin_kept(struct response *r, int status, const char *type);
void response_header(struct response *r, const char *name, const char *value);
/* The ETag is a weak one of these bytes: what the body says beside them (an age) is no change for who has it.  After
 * response_begin. */
void response_tag(struct response *r, const void *bytes, size_t len);
/* The whole of a problem answer (RFC 9457), Retry-After included where the table has one; then retry_after counts, if it is
 * above 0. */
void response_problem(struct response *r, enum problem p, const char *detail,
                      int retry_after);
/* Complete the head; with head_only (HEAD) the body is dropped, its length kept. */
void response_finish(struct response *r, bool head_only);

#endif
