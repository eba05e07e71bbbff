/*
 * metrics_request: whether these bytes ask for a worker's metrics.  Pure.
 *
 *     "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9112\r\n\r\n" --> METRICS_REQUEST_GET
 *
 * No more than a scraper needs: the first line, the end of the head, and Host, which must name this machine, so that no page
 * in a browser can read the answer under a name of its own (DNS rebinding).  A query is ignored, a body is not read.
 * Lines end with LF or CR LF (RFC 9112, section 2.2).
 */
#ifndef HOIST_WORKER_METRICS_REQUEST_H
#define HOIST_WORKER_METRICS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum { METRICS_REQUEST_MAX = 4096 /* bytes of a head */ };

enum metrics_request {
    METRICS_REQUEST_MORE, /* the head is not complete, and may still grow */
    METRICS_REQUEST_GET,
    METRICS_REQUEST_HEAD,
    METRICS_REQUEST_NOT_FOUND,
    METRICS_REQUEST_METHOD,    /* neither GET nor HEAD */
    METRICS_REQUEST_FORBIDDEN, /* Host is another name */
    METRICS_REQUEST_TOO_LONG,
    METRICS_REQUEST_BAD
};

/* any_host: of a unix socket, where Host says nothing. */
enum metrics_request metrics_request_parse(const char *s, size_t len, bool any_host);

#endif
