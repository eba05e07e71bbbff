/*
 * http_sink: an HTTP/1.1 server that takes what is sent, keeps it, and answers as a test tells it to.
 *
 *     struct http_sink *s = http_sink_start();
 *     http_sink_push(s, (struct http_reply){.status = 503, .headers = "Retry-After: 7\r\n"});
 *     ... http_sink_url(s) ...
 *     struct http_sink_request r;
 *     cr_assert(http_sink_request(s, 0, &r)); r.method, r.path, http_sink_header(&r, "idempotency-key", text), r.body
 *     http_sink_stop(s);
 *
 * Replies are used up by requests in the order in which their heads arrive; without one the answer is 200.  Of the first
 * HTTP_SINK_REQUESTS requests the head and the body (its first HTTP_SINK_BODY bytes) are kept, of a body that was cut what had
 * come.  Bodies come with Content-Length or chunked.  It listens on 127.0.0.1, on a port of the kernel's choice, with a thread per
 * connection.  All functions are thread-safe.  What fails here aborts the test with a message.
 */
#ifndef HOIST_TESTS_SUPPORT_HTTP_SINK_H
#define HOIST_TESTS_SUPPORT_HTTP_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_SINK_REQUESTS = 64,
    HTTP_SINK_HEAD = 16 * 1024,
    HTTP_SINK_BODY = 4 * 1024 * 1024
};

enum http_reply_kind {
    HTTP_REPLY,       /* read the body, answer */
    HTTP_REPLY_EARLY, /* answer without reading the body, close */
    HTTP_REPLY_LOST,  /* read the body, close without an answer */
    HTTP_REPLY_HELD   /* read the body, answer when http_sink_let_go was called */
};

struct http_reply {
    enum http_reply_kind kind;
    int status;          /* 0: 200 */
    const char *headers; /* more lines, each with "\r\n"; a literal; NULL: none */
    const char *body;    /* a literal; NULL: none */
    int64_t length;      /* of HEAD: what Content-Length says */
};

/* What came; of a struct http_sink, and valid until that is stopped. */
struct http_sink_request {
    char method[16];
    char path[4096];
    const char *head; /* NUL-terminated */
    const char *body; /* NUL-terminated, too; NULL: none came */
    size_t
        len; /* of the body, all of it, although its first HTTP_SINK_BODY bytes are kept */
    bool is_whole; /* it came to its end */
    bool is_chunked;
};

struct http_sink;

struct http_sink *http_sink_start(void);
void http_sink_stop(struct http_sink *s);             /* takes NULL */
const char *http_sink_url(const struct http_sink *s); /* http://127.0.0.1:port */
int http_sink_port(const struct http_sink *s);

void http_sink_push(struct http_sink *s, struct http_reply reply);
/* Those held, and those to come, are answered. */
void http_sink_let_go(struct http_sink *s);

/* Requests that have come to their end, or were cut. */
size_t http_sink_count(struct http_sink *s);
/* The index-th of them; false: there are not so many. */
bool http_sink_request(struct http_sink *s, size_t index,
                       struct http_sink_request *ret);
/* The value of a header (any case), at most size - 1 bytes; false: it did not come. */
bool http_sink_header(const struct http_sink_request *r, const char *name, char *ret,
                      size_t size);

#endif
