/*
 * etag: the tag of an answer, and whether a client has that one already (RFC 9110 sections 8.8.3 and 13.1.2).  Pure.
 *
 *     ETag: "4kWmYk9q0bR0F1cc"                 of the bytes of the body
 *     If-None-Match: W/"a", "4kWmYk9q0bR0F1cc"   -> 304
 */
#ifndef HOIST_FCGI_ETAG_H
#define HOIST_FCGI_ETAG_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { ETAG_SIZE = 19 /* 16 characters, quotes, NUL */ };

MUST_CHECK enum err_code etag_make(const void *body, size_t len,
                                   char ret[static ETAG_SIZE], struct err *e);
/* Whether the list has the tag, by weak comparison, or is "*".  What is broken ends the list. */
bool etag_is_in(const char *etag, const char *list);

#endif
