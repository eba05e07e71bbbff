/*
 * request: what the client asked for, out of the CGI parameters.  Pure.
 *
 *     REQUEST_METHOD  REQUEST_URI "/v1/uploads/a%20b.txt?queue=media"  CONTENT_LENGTH  CONTENT_TYPE  HTTP_...
 *          method          path: "v1" "uploads" "a b.txt"   query: queue=media
 *
 * The path is that of REQUEST_URI (what the client sent), or DOCUMENT_URI, or SCRIPT_NAME and PATH_INFO; it is cut at
 * '/' first and percent-decoded once after that, so that an encoded slash stays inside its segment and nothing is
 * decoded twice.  Empty segments are kept: "//" matches no route.  In the query '+' is a blank.
 *
 * Refused with PROBLEM_BAD_REQUEST: a parameter of ours given twice, no method, a path that does not begin with '/',
 * NUL or a broken %XX anywhere, more segments or query parameters than below, a CONTENT_LENGTH that is not digits
 * alone or above 2^53 ("-1" and "" are none).
 *
 * A struct request borrows the parameters and owns one buf of decoded text; it is reusable without a release between
 * requests, and belongs to one thread.
 */
#ifndef HOIST_FCGI_REQUEST_H
#define HOIST_FCGI_REQUEST_H

#include "fcgi-app/http/problem.h"
#include "shared/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    REQUEST_SEGMENTS_MAX = 8,
    REQUEST_URI_MAX = 16 * 1024, /* bytes, as sent */
    REQUEST_QUERY_MAX = 64,      /* parameters in the query */
    REQUEST_TEXT_MAX = 64 * 1024 /* decoded bytes of path and query */
};

/* Bits, so that a set of methods is an unsigned. */
enum request_method {
    METHOD_OTHER = 0, /* one that no route has */
    METHOD_GET = 1,
    METHOD_HEAD = 2,
    METHOD_POST = 4,
    METHOD_PUT = 8,
    METHOD_DELETE = 16,
    METHOD_OPTIONS = 32,
    METHOD_PATCH = 64
};

/* "GET" ...; NULL for OTHER. */
const char *request_method_name(enum request_method method);

struct request_text {
    const char *s; /* NUL-terminated, holds no other NUL */
    size_t len;
};

/* Headers that are looked for in many requests, found in one pass. */
enum request_header {
    REQUEST_CONTENT_ENCODING,
    REQUEST_CONTENT_RANGE,
    REQUEST_IDEMPOTENCY_KEY,
    REQUEST_IF_NONE_MATCH,
    REQUEST_PREFER,
    REQUEST_RANGE,
    REQUEST_ID,
    REQUEST_TRACEPARENT,
    REQUEST_TRACESTATE,
    REQUEST_TRANSFER_ENCODING,
    REQUEST_HEADERS /* how many */
};

struct request {
    const char *headers[REQUEST_HEADERS]; /* the first of each; NULL: not given */
    unsigned headers_twice;               /* bits: given again */
    enum request_method method;
    struct request_text segments[REQUEST_SEGMENTS_MAX];
    size_t segment_count;
    struct {
        struct request_text name, value;
    } query[REQUEST_QUERY_MAX];
    size_t query_count;
    int64_t content_length;   /* -1: the web server gave none */
    const char *content_type; /* "" when none */
    char *const *params;      /* "NAME=value", NULL-terminated; borrowed */
    struct buf text;          /* private */
};

void request_init(struct request *r);
void request_release(struct request *r);

/* Read params, which must outlive what is read from r.  On a problem e->text says which. */
enum problem request_parse(struct request *r, char *const *params, struct err *e);

/* The value of a CGI parameter ("HTTP_X_HOIST_QUEUE"), NULL when there is none. */
const char *request_param(const struct request *r, const char *name);
/* The value of a query parameter, NULL when there is none; the first of several. */
const struct request_text *request_query(const struct request *r, const char *name);

/* Whether its body says that it is multipart/form-data. */
bool request_is_form(const struct request *r);

#endif
