/*
 * url_server: a web server on 127.0.0.1 whose pages lie, break off, drip and lead elsewhere as a test tells it to.
 *
 *     static const struct url_page pages[] = {{.path = "/a", .size = 100}, {.path = NULL}};
 *     url_server_start(&server, pages);          a port of its own: server.port
 *     url_server_stop(&server);
 *
 * The body of a page is the pattern of url_server_byte.  One connection after the other, one request on each.
 */
#ifndef HOIST_TESTS_SUPPORT_URL_SERVER_H
#define HOIST_TESTS_SUPPORT_URL_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { URL_SERVER_REQUEST_MAX = 4096 };

struct url_page {
    const char *path; /* of the request; NULL ends the list: what is not in it is 404 */
    const char *status;   /* NULL: "200 OK" */
    const char *fields;   /* more of the head, each with its \r\n */
    const char *location; /* a Location, in which PORT is the server's port */
    size_t size;          /* of the body */
    const char *length;   /* what Content-Length says; NULL: size; "": no such field */
    bool chunked;         /* and no length; without_end: the last chunk never comes */
    bool without_end;     /* the connection is kept open behind the body */
    size_t cut;           /* closed after so many bytes of the whole body ... */
    int cuts;             /* ... so many times, then no more */
    bool ranges;          /* Range is honoured, with ETag "v1" */
    const char *range_fields; /* instead of Content-Range and ETag of a 206 */
    int drip_ms;              /* between two bytes */
    bool endless_head;
};

struct url_server {
    int port;
    const struct url_page *pages;
    atomic_int requests;
    char latest
        [URL_SERVER_REQUEST_MAX]; /* the head of the latest request; stopped, or between requests */
    int listener, stop[2];
    int cut_count; /* of the page that was cut last */
    pthread_t thread;
};

/* Aborts the test when it cannot start. */
void url_server_start(struct url_server *s, const struct url_page *pages);
void url_server_stop(struct url_server *s);
/* The at-th byte of any body. */
char url_server_byte(size_t at);

#endif
