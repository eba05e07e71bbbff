/*
 * http_client: what the end-to-end tests speak to the web servers with: libcurl, blocking, every call with a deadline.
 *
 * A struct http holds where the server is and keeps its connection; one thread at a time.  Answers are read whole
 * (at most 1 MiB).
 */
#ifndef HOIST_TESTS_E2E_HTTP_CLIENT_H
#define HOIST_TESTS_E2E_HTTP_CLIENT_H

#include "shared/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http {
    void *easy;          /* CURL * */
    char base[256];      /* "http://127.0.0.1:8080" */
    char unix_path[128]; /* "" for TCP */
};

struct http_answer {
    long status;        /* 0: no answer */
    struct buf body;    /* at most 1 MiB */
    char location[256]; /* header, "" when there was none */
    char content_type[128];
    char retry_after[32];
    char error[256]; /* libcurl's text when status is 0 */
};

#define HTTP_ANSWER_INIT                                                               \
    {                                                                                  \
        .body = BUF_INIT(1 << 20)                                                      \
    }

/* listen: "127.0.0.1:8080" or "unix:/path". */
void http_open(struct http *h, const char *listen);
void http_close(struct http *h);
void http_answer_release(struct http_answer *a);

/* One part of a form: a text field (path NULL) or a file. */
struct http_part {
    const char *name;
    const char *value;    /* of a text field */
    const char *path;     /* file to send */
    const char *filename; /* as said in the part; may be any bytes but NUL */
    const char *type;
};

struct http_request {
    const char *method;
    const char *path;              /* "/v1/uploads?queue=x" */
    const char *const *headers;    /* NULL-terminated "Name: value"; may be NULL */
    const struct http_part *parts; /* a form of part_count parts; or */
    size_t part_count;
    const void *body; /* a body of body_len bytes; or */
    size_t body_len;
    const char *body_path; /* a file as the body */
    bool chunked;          /* without Content-Length */
    long timeout_ms;       /* 0: 30 s */
};

void http_send(struct http *h, const struct http_request *r, struct http_answer *ret);

/* The value of "name":"…" or "name":number in a flat reading of a JSON text, first match; false when absent.  Enough for
 * the answers of hoist; not a JSON parser. */
bool http_json_get(const char *json, const char *name, char *ret_value, size_t size);

#endif
