/*
 * cgi_carry: one request by CGI, carried to the responder as a web server carries it by FastCGI.
 *
 *     environment, in_fd --BEGIN_REQUEST, PARAMS, STDIN--> socketpair --> gate, handler ...
 *     out_fd             <------------ STDOUT -----------'
 *
 * So whatever is true of a request by FastCGI is true of one by CGI.  As RFC 3875 has it:
 *   - The body is CONTENT_LENGTH bytes and not one more is read (4.2); fewer are a body that broke off, and are told so:
 *     no empty STDIN record follows them.
 *   - A body without a length cannot be told from one that broke off, since both end in an end of file: such a request is to
 *     be refused with 411 (cgi_request_is_endless).
 *   - The environment becomes the parameters, but for what begins with HOIST_: those are settings, with secrets among them.
 *
 * An answer that came before the body had been read: what is left of the body is read and thrown away, for at most 2 s and
 * 64 MiB.  Apache reads an answer only after it has written the body, and loses it when its pipe is a socket that was
 * closed with bytes in it.
 */
#ifndef HOIST_FCGI_CGI_CARRY_H
#define HOIST_FCGI_CGI_CARRY_H

#include "shared/buf.h"
#include "shared/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Longer ones are not even offered to the gate, which refuses from FASTCGI_STREAM_HEAD on. */
enum { CGI_HEAD_MAX = 256 * 1024 };

struct cgi_request {
    struct buf head;    /* BEGIN_REQUEST and PARAMS; owned */
    int64_t body_bytes; /* CONTENT_LENGTH; 0 where it is none, or no number */
    bool is_endless;    /* a body of which the length is not known */
};

#define CGI_REQUEST_INIT                                                               \
    {                                                                                  \
        .head = BUF_INIT(CGI_HEAD_MAX)                                                 \
    }

/* Read an environment ("NAME=value", NULL-terminated), which need not last.  Pure.  ERR_REJECT: it is too long. */
MUST_CHECK enum err_code cgi_request_read(struct cgi_request *r, char *const *env,
                                          struct err *e);
void cgi_request_release(struct cgi_request *r);

struct cgi_ends {
    int in_fd, out_fd;        /* the web server's: body and answer */
    int responder_fd;         /* one end of a socketpair */
    int signal_fd;            /* readable: told to stop; -1: none */
    int64_t write_timeout_ms; /* so long the web server may take none of the answer */
};

/* Carry it until its answer has been written.  How long the web server may take for the body is the responder's matter.
 * ERR_RETRY   told to stop, or the web server reads no answer: close responder_fd, and the request is broken off
 * ERR_REJECT  the responder closed without an answer, so nothing has been written */
MUST_CHECK enum err_code cgi_carry(const struct cgi_request *r,
                                   const struct cgi_ends *ends, struct err *e);

/* The request has been answered, and so many bytes of its body (at most) have not been read.  signal_fd as above. */
void cgi_throw_away(int in_fd, int signal_fd, int64_t bytes);

#endif
