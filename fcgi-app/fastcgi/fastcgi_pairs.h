/*
 * fastcgi_pairs: the names and values of a request, out of its PARAMS stream.  Pure.
 *
 *     stream, in pieces cut anywhere:  | 14 | 4 | REQUEST_METHOD POST | 11 | 80 00 01 2c | REQUEST_URI /v1/... |
 *     list:                            "REQUEST_METHOD=POST"  "REQUEST_URI=/v1/..."  NULL
 *
 * Refused: a NUL anywhere (what comes after it would be seen by one reader and not by another), '=' in a name, a name
 * without a byte, a stream that ends within a pair, more than the limits below.  Names may repeat here: request.h
 * refuses those that decide what a request is.
 *
 * Bounds: a length is believed only as far as the limits go, so that 2 GiB announced cost nothing; work is linear.
 * Sources: FastCGI specification 1.0, section 3.4.
 */
#ifndef HOIST_FCGI_FASTCGI_PAIRS_H
#define HOIST_FCGI_FASTCGI_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    FASTCGI_PAIRS_BYTES = 64 * 1024, /* names and values */
    FASTCGI_PAIRS_COUNT = 512
};

enum fastcgi_pairs_verdict {
    FASTCGI_PAIRS_FINE,
    FASTCGI_PAIRS_BAD,
    FASTCGI_PAIRS_TOO_LONG
};

struct fastcgi_pairs {
    size_t count;
    size_t bytes;    /* names and values that were announced */
    size_t text_len; /* of text */
    /* The pair that has begun. */
    size_t have; /* bytes of its lengths */
    size_t name_left, value_left;
    unsigned char lengths[8];
    char *list[FASTCGI_PAIRS_COUNT + 1]; /* into text; NULL-terminated after the end */
    char text[FASTCGI_PAIRS_BYTES + 2 * FASTCGI_PAIRS_COUNT]; /* with '=' and NUL */
};

/* Before a stream; the rest of the struct need not be set. */
void fastcgi_pairs_begin(struct fastcgi_pairs *p);
/* More of the stream.  After anything but FINE: no more. */
enum fastcgi_pairs_verdict fastcgi_pairs_add(struct fastcgi_pairs *p, const void *bytes,
                                             size_t len);
/* The stream has ended.  False: within a pair. */
bool fastcgi_pairs_end(struct fastcgi_pairs *p);

/* One length (section 3.4): its size in bytes, 1 or 4, by its first byte; and its value. */
size_t fastcgi_pairs_length_size(unsigned char first);
size_t fastcgi_pairs_length(const unsigned char *p);

#endif
