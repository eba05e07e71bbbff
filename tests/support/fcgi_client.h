/*
 * fcgi_client: the web server's side of FastCGI over a unix socket, for tests of the responder: whole requests, and raw
 * records for everything a web server would not send.
 *
 *     struct fcgi_client c;
 *     fcgi_client_open(&c, "/run/x.sock");
 *     fcgi_client_request(&c, &(struct fcgi_request){.method = "GET", .uri = "/healthz", .keep = true});
 *     struct fcgi_response r = fcgi_client_response(&c, 5000);
 *     r.status, r.text (headers and body), r.ended (END_REQUEST came)
 *     fcgi_response_release(&r);
 *
 * Sending never fails a test: a peer that closed is part of what is tested.  Every wait has a deadline.
 */
#ifndef HOIST_TESTS_SUPPORT_FCGI_CLIENT_H
#define HOIST_TESTS_SUPPORT_FCGI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct fcgi_client {
    int fd;           /* -1: closed */
    bool send_failed; /* the peer did not take all that was sent */
};

struct fcgi_request {
    const char *method, *uri;
    const char *type; /* CONTENT_TYPE; NULL: none */
    const char *body; /* NULL: none */
    size_t body_len;
    const char *content_length; /* its text; NULL: that of body; "": none is sent */
    const char *authorization;  /* of the header; NULL: none */
    const char *remote_addr;    /* NULL: 127.0.0.1; "": none is sent */
    const char *param;          /* one more parameter, "NAME=value"; NULL: none */
    const char *param2;         /* and another one */
    bool keep;                  /* FCGI_KEEP_CONN */
    bool open_ended;            /* leave out the empty STDIN record */
};

struct fcgi_response {
    int status;       /* of the Status header; 0: there was none */
    char *text;       /* all of STDOUT, NUL-terminated; owned */
    const char *body; /* within text; "" when none */
    size_t len;       /* of text */
    bool ended;       /* END_REQUEST came */
    bool closed; /* the peer closed; looked at only where END_REQUEST did not come */
};

/* Aborts the test when nobody listens there. */
void fcgi_client_open(struct fcgi_client *c, const char *path);
/* The same; false when nobody listens there. */
bool fcgi_client_try_open(struct fcgi_client *c, const char *path);
void fcgi_client_close(struct fcgi_client *c);

/* BEGIN_REQUEST, PARAMS, STDIN in one go. */
void fcgi_client_request(struct fcgi_client *c, const struct fcgi_request *r);
/* The same up to the empty PARAMS record. */
void fcgi_client_head(struct fcgi_client *c, const struct fcgi_request *r);
/* One record of request 1: type, content of at most 65,535 bytes. */
void fcgi_client_record(struct fcgi_client *c, int type, const void *content,
                        size_t len);
/* STDIN records of up to 32 KiB, without the empty one. */
void fcgi_client_body(struct fcgi_client *c, const void *data, size_t len);
void fcgi_client_raw(struct fcgi_client *c, const void *data, size_t len);

/* Read until END_REQUEST, the peer's close, or the deadline. */
struct fcgi_response fcgi_client_response(struct fcgi_client *c, int deadline_ms);
void fcgi_response_release(struct fcgi_response *r);
/* The peer closes, having sent nothing more, before the deadline. */
bool fcgi_client_is_closed(struct fcgi_client *c, int deadline_ms);

enum {
    FCGI_BEGIN = 1,
    FCGI_ABORT = 2,
    FCGI_END = 3,
    FCGI_PARAMS = 4,
    FCGI_STDIN = 5,
    FCGI_STDOUT = 6,
    FCGI_GET_VALUES = 9
};

#endif
