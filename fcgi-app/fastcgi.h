/*
 * fastcgi: one request on a connection that the gate accepted, through libfcgi.  The only module that sees fcgiapp.h.
 *
 *     fastcgi_begin(f, fd)  ->  fastcgi_params, fastcgi_read ..., fastcgi_write ...  ->  fastcgi_end(f, drain, ...)
 *                                                                                       KEEP | LINGER | CLOSE
 *
 * What libfcgi 2.4.2 would do wrong by itself, and what is done instead:
 *   - After FCGX_Finish_r it forgets how much of a body is unread, and the next request on that connection begins in
 *     the middle of it: the client of one request could write another (request smuggling).  Here a connection is kept
 *     only when its body was read to the empty STDIN record.
 *   - It closes by shutdown, a poll of up to 2 s and a read without limit, holding the thread.  Here it never closes
 *     (but after a head it cannot read): the gate does.
 *   - Time-outs: those set on the socket (SO_RCVTIMEO, SO_SNDTIMEO) end a read or write as an error.
 *
 * A struct fastcgi belongs to one thread at a time; it may move to another between calls.
 */
#ifndef HOIST_FCGI_FASTCGI_H
#define HOIST_FCGI_FASTCGI_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FASTCGI_DRAIN_MAX = 1024 * 1024 }; /* more than a socket holds */

struct fastcgi;

/* Once, before any thread: prepares libfcgi.  It sets signal handlers; set yours after it. */
MUST_CHECK enum err_code fastcgi_setup(struct err *e);

struct fastcgi *fastcgi_new(void);    /* NULL: no memory */
void fastcgi_free(struct fastcgi *f); /* between requests only; takes NULL */

/* Whether there is memory for a request.  libfcgi asserts that there is: ask first, so that a program that runs short of it
 * closes a connection rather than ends. */
bool fastcgi_has_memory(void);

/* Read the head of a request on fd (fastcgi_head_check has passed it).
 * ERR_REJECT  it could not be read, and fd HAS BEEN CLOSED (libfcgi does that) */
MUST_CHECK enum err_code fastcgi_begin(struct fastcgi *f, int fd, struct err *e);

/* "NAME=value" strings, NULL-terminated; valid until fastcgi_end. */
char *const *fastcgi_params(const struct fastcgi *f);

/* Read len bytes of the body, waiting for them.  Fewer: its end, or an error; fastcgi_body_is_complete tells. */
size_t fastcgi_read(struct fastcgi *f, void *data, size_t len);
/* The empty STDIN record was reached without an error: neither aborted, nor timed out, nor hung up. */
bool fastcgi_body_is_complete(const struct fastcgi *f);

/* Buffered; an error is remembered and told by fastcgi_end. */
void fastcgi_write(struct fastcgi *f, const void *data, size_t len);

enum fastcgi_end {
    FASTCGI_KEEP, /* all is read and written, and the web server wants to go on using the connection */
    FASTCGI_LINGER, /* answered, but the body is unread: let the web server read the answer, then close */
    FASTCGI_CLOSE /* answered and not to be kept, or broken: close */
};

/* Read what is left of a body of body_bytes (-1: not known), waiting for it.  True: it has ended.  False: it broke off,
 * or more than FASTCGI_DRAIN_MAX bytes are left: then nothing, or so much, has been read. */
bool fastcgi_drain(struct fastcgi *f, int64_t body_bytes);

/* Send what is left, end the request.  drain: first read what is left of the body, as fastcgi_drain does.  A web server
 * that has sent the whole body takes the connection for its next request as soon as it has the answer: closing it
 * then would fail that request.  (Nor may the answer be sent first and the rest be read after it: nginx, unbuffered,
 * sends no more of a chunked body then.)  The descriptor stays open; it is the caller's again. */
enum fastcgi_end fastcgi_end(struct fastcgi *f, bool drain, int64_t body_bytes);

#endif
