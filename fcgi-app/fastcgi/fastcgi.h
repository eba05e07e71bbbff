/*
 * fastcgi: one request at a time on a connection that the gate accepted: its records read and written.
 *
 *     fastcgi_begin(f, fd)  ->  fastcgi_look ...  ->  fastcgi_params, fastcgi_read ..., fastcgi_write ...  ->  fastcgi_end
 *                                 never waits                                              KEEP | LINGER | CLOSE
 *
 * A request of a few KiB is read by one recv, head and body together, and answered by one send: the answer, the end of
 * STDOUT and END_REQUEST.  A large body is read into the caller's memory, as much at a time as it holds, and moved together
 * over the headers that stand between its records.  Nothing is allocated for a request: the buffers are in this struct
 * (96 KiB of address space, of which a usual request touches 16).
 *
 * Of libfcgi (fcgi2 2.4.2) the protocol is used as its <fastcgi.h> writes it down: the shapes of records, types, roles,
 * states.  Its reader and writer (fcgiapp.h) are not, since this socket is met by whoever reaches it, and they
 *   - smash their stack when GET_VALUES repeats a name, assert when a length is larger than memory, lose step when an
 *     empty record is padded, truncate at a NUL, run any role, and hold a thread for half a head without limit;
 *   - forget how much of a body is unread after FCGX_Finish_r, so that the next request on the connection begins
 *     in the middle of it: the client of one request could write another (request smuggling).  Here a connection is
 *     kept only when its body was read to the empty STDIN record, and only at the end of a record;
 *   - close by shutdown, a poll of up to 2 s and a read without limit.  Here nothing is closed: the gate does it;
 *   - allocate five times for a request, and read 8 KiB at a time.
 * Its FCGX_OpenSocket removes what is at the path, sets no mode and listens on all addresses: listen.h instead.
 * What is refused and how is told in fastcgi_stream.h.
 *
 * Time-outs: those set on the socket (SO_RCVTIMEO, SO_SNDTIMEO) end a read or write as an error.
 * A struct fastcgi belongs to one thread at a time; it may move to another between calls.
 */
#ifndef HOIST_FCGI_FASTCGI_H
#define HOIST_FCGI_FASTCGI_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FASTCGI_DRAIN_MAX = 1024 * 1024, /* more than a socket holds */
    FASTCGI_DRAIN_MS = 5000
};

struct fastcgi;
struct fastcgi_later;

/* max_connections: what GET_VALUES is told.  NULL: no memory. */
struct fastcgi *fastcgi_new(size_t max_connections);
void fastcgi_free(struct fastcgi *f); /* takes NULL */

enum fastcgi_look {
    FASTCGI_REQUEST, /* its head is here: fastcgi_end must follow */
    FASTCGI_NOTHING, /* no byte has come, or nothing but what was answered by the way */
    FASTCGI_PART,    /* of a head */
    FASTCGI_OVER,    /* the peer has closed */
    FASTCGI_REFUSAL, /* answered already: let the web server read that, then close */
    FASTCGI_WRONG    /* not a request: close; e tells why */
};

/* A request may begin on fd, which stays the caller's. */
void fastcgi_begin(struct fastcgi *f, int fd);
/* Read what there is of its head; again after PART when more has come.  Never waits. */
enum fastcgi_look fastcgi_look(struct fastcgi *f, struct err *e);

/* "NAME=value" strings, NULL-terminated; valid until the next fastcgi_begin. */
char *const *fastcgi_params(const struct fastcgi *f);

/* Read len bytes of the body, waiting for them.  Fewer: its end, or an error; fastcgi_body_is_complete tells. */
size_t fastcgi_read(struct fastcgi *f, void *data, size_t len);
/* Read what there is of the body, at most len bytes; waits for the first one alone.  0: its end, or an error.  With 64 KiB or
 * more at a time this is the fastest: what has come is worked on while the rest is on its way. */
size_t fastcgi_read_some(struct fastcgi *f, void *data, size_t len);
/* The empty STDIN record was reached without an error: neither aborted, nor timed out, nor hung up. */
bool fastcgi_body_is_complete(const struct fastcgi *f);

/* Buffered; an error is remembered and told by fastcgi_end. */
void fastcgi_write(struct fastcgi *f, const void *data, size_t len);

/* What is left of a request whose body has been read and to which nothing has been written: f is free for another one, and
 * fastcgi_end is not called.  False: its body is not complete, or more has come than that. */
bool fastcgi_leave(const struct fastcgi *f, struct fastcgi_later *ret);

enum fastcgi_end {
    FASTCGI_KEEP, /* all is read and written, and the web server wants to go on using the connection */
    FASTCGI_LINGER, /* answered, but the body is unread: let the web server read the answer, then close */
    FASTCGI_CLOSE /* answered and not to be kept, or broken: close */
};

/* Read what is left of a body of body_bytes (-1: not known), waiting for it.  True: it has ended.  False: it broke off,
 * more than FASTCGI_DRAIN_MAX bytes are left (then nothing, or so much, has been read), or they are not there after
 * FASTCGI_DRAIN_MS and one more read: a body that drips holds no thread for long. */
bool fastcgi_drain(struct fastcgi *f, int64_t body_bytes);

/* Send what is left, end the request.  drain: first read what is left of the body, as fastcgi_drain does.  A web server
 * that has sent the whole body takes the connection for its next request as soon as it has the answer: closing it
 * then would fail that request.  (Nor may the answer be sent first and the rest be read after it: nginx, unbuffered,
 * sends no more of a chunked body then.)  Without drain, what has come is looked at.  The descriptor stays open. */
enum fastcgi_end fastcgi_end(struct fastcgi *f, bool drain, int64_t body_bytes);

#endif
