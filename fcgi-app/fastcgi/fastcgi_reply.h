/*
 * fastcgi_reply: the records that a responder sends besides its answer.  Pure: each is written to ret, and its length
 * returned.
 *
 *     END_REQUEST          a request is over, or is not taken: CANT_MPX_CONN, UNKNOWN_ROLE
 *     GET_VALUES_RESULT    what a web server may ask before it sends anything
 *     UNKNOWN_TYPE         for any other management record
 *
 * The shapes and numbers are those of libfcgi's <fastcgi.h>.
 * Sources: FastCGI specification 1.0, sections 4.1, 4.2, 5.5.
 */
#ifndef HOIST_FCGI_FASTCGI_REPLY_H
#define HOIST_FCGI_FASTCGI_REPLY_H

#include "fcgi-app/http/problem.h"

#include <stddef.h>

enum { FASTCGI_REPLY_MAX = 512 /* bytes of any of them */ };

/* A header: the content of len bytes is the caller's. */
size_t fastcgi_reply_header(unsigned char *ret, int type, unsigned id, size_t len);
/* status: FCGI_REQUEST_COMPLETE, FCGI_CANT_MPX_CONN, FCGI_UNKNOWN_ROLE. */
size_t fastcgi_reply_end(unsigned char *ret, unsigned id, int status);
/* STDOUT with a problem (RFC 9457), and END_REQUEST.  status: "431 Request Header Fields Too Large", that of p. */
size_t fastcgi_reply_refuse(unsigned char *ret, unsigned id, const char *status,
                            enum problem p);
size_t fastcgi_reply_unknown_type(unsigned char *ret, int type);
/* names: the content of GET_VALUES, len bytes.  Each name that is known is answered once, however often it is there; a pair
 * that is cut off ends the list. */
size_t fastcgi_reply_values(unsigned char *ret, const void *names, size_t len,
                            size_t max_connections);

#endif
