/*
 * http: HTTP/1.1 requests on a libuv loop.  The only module that sees libcurl.
 *
 *     http_send --> connect --> headers, body from a descriptor --> answer --> done(result), exactly once, on the loop
 *                      |                 |                            |
 *                   connect_ms        stall_ms                    answer_ms          http_cancel: done comes later
 *
 * Guarantees
 *   - Every request ends: connecting takes at most connect_ms; a body that does not move for stall_ms (its first piece:
 *     connect_ms + stall_ms after the begin), or an answer that has not come answer_ms after the body (or the head) left,
 *     is a time-out.  Looked at once a second.
 *   - Nothing is followed, guessed or added: no redirects, proxies, netrc or cookies, only http and https, the path as
 *     given.  Certificates are checked, against ca_file when given.  User-Agent and Accept are the only headers
 *     that are not the caller's (Content-Length stands for the body's length).
 *   - Connections are kept for 4 s (S3 closes idle ones after 5) and used again.  A body is sent again from its start
 *     on a fresh connection when a kept one turns out to be dead.
 *   - Memory: a buffer of 64 to 512 KiB per upload under way, 8 MiB for all together where they are many; at most
 *     64 KiB of an answer's body is kept.
 *   - A body of at most 32 KiB that waits for neither its turn nor "100 Continue" is read, and passed, when there is a
 *     connection, and leaves with its head, in one piece.
 *   - Where a bandwidth is set (http_limit), all bodies together leave at this rate at most, piece by piece in turns
 *     (bandwidth.h).  A body that waits for its turn has not stalled.
 *   - The head of an answer, interim ones included, has at most HTTP_HEAD_MAX bytes.
 *   - The body of an answer may go to the caller as it comes (http_intake), as fast as it is taken.
 *   - A body waits up to 1 s for "100 Continue" where the caller says so (expect.h).  A 417 is then answered by the body, at once.
 *   - An answer of 300 and more that comes while the body leaves is the answer (RFC 9112, section 9.5): no more is sent, and
 *     that the connection breaks behind it, or ends, is no failure.
 *
 * Everything belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_HTTP_H
#define HOIST_WORKER_HTTP_H

#include "shared/err.h"
#include "worker/http/http_response.h"
#include "worker/flow/retry.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

enum { HTTP_HEAD_MAX = 64 * 1024 };

struct http;      /* the client: connections and requests under way */
struct http_call; /* one request; gone when done returns */

struct http_header {
    const char *name;
    const char *value; /* "" sends the header empty */
};

struct http_result {
    enum retry_net net; /* RETRY_NET_OK: a whole answer came; else why not */
    bool body_sent;     /* all of the request had left */
    bool source_failed; /* ABORTED: the body could not be read, or pass refused it */
    bool refused;       /* CONNECT: may_connect let no address pass */
    int64_t sent;       /* bytes of the body that left */
    const char *error;  /* for people, when net is not OK; no line breaks */
    const struct http_response *response; /* what came; status 0 when nothing did */
};

typedef void http_done_fn(const struct http_result *result, void *ctx);

/* A body: len bytes of fd from offset, read with pread, or of memory.  Both stay the caller's, as they are, until done. */
struct http_body {
    int fd;           /* -1: data counts */
    int64_t offset;   /* in fd */
    const void *data; /* NULL: fd counts */
    int64_t len;
    /* Sees each piece before it is sent, at its place in the body; pieces come in order; offset 0 means that the body
     * starts (again).  False: this piece must not leave, the request ends (source_failed).  NULL: nobody looks.  Must not
     * call into http. */
    bool (*pass)(const void *data, size_t len, int64_t offset, void *ctx);
    void *ctx;
};

/*
 * An answer whose body goes to the caller.  The connection is the request's own (not one that is kept, closed behind it), so
 * that every address is asked about, and the body ends with it, or with the last chunk: Content-Length is not believed, so
 * that more than it says is seen, too.  None of these may call into http but for http_intake_more.
 */
struct http_intake {
    /* Whether this address may be connected to.  NULL: any. */
    bool (*may_connect)(const struct sockaddr *address, socklen_t len, void *ctx);
    /* The head of the final answer has come, once.  False: its body is not wanted; the request ends, ABORTED. */
    bool (*head)(const struct http_response *r, void *ctx);
    /* The next piece, at most 16 KiB.  False: not now; it comes again after http_intake_more, and nothing is read
     * meanwhile. */
    bool (*piece)(const void *data, size_t len, void *ctx);
    void *ctx;
};

struct http_request {
    const char *method; /* "PUT", "POST", "HEAD", "GET", "DELETE" */
    const char *url;    /* http://… or https://… */
    const struct http_header *headers;
    size_t header_count;
    const struct http_body *body;     /* copied; NULL: none */
    bool expects;                     /* the body waits for "100 Continue" */
    const struct http_intake *intake; /* copied; NULL: the answer's body is kept */
    /* With intake stall_ms is of its pieces. */
    int64_t connect_ms, stall_ms, answer_ms;
    const char *ca_file; /* PEM; NULL or "": the system's */
    http_done_fn *done;
    void *ctx;
};

MUST_CHECK enum err_code http_open(uv_loop_t *loop, struct http **ret, struct err *e);
/* Bytes a second, 0 to BANDWIDTH_MAX, of all bodies that are sent; 0, as after open: no limit.  No call may be under way. */
void http_limit(struct http *h, int64_t bytes_per_s);
/* What is under way ends now, with RETRY_NET_ABORTED.  Handles close on later turns of the loop.  Takes NULL. */
void http_close(struct http *h);

/* NULL: no memory, done is not called.  Strings and headers are copied. */
struct http_call *http_send(struct http *h, const struct http_request *r);
/* Stop now.  done comes on a later turn of the loop, with RETRY_NET_ABORTED. */
void http_cancel(struct http_call *call);
/* There is room for the piece that was not taken.  It comes on a later turn of the loop. */
void http_intake_more(struct http_call *call);
/* Bytes of the body that have left. */
int64_t http_sent(const struct http_call *call);

#endif
