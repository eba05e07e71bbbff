/*
 * sigv4_canonical: the canonical forms of Signature Version 4, for sigv4.c alone.  Pure text; the rules stand in
 * sigv4.h.
 *
 * struct canonical_items holds headers, or query parameters, each already in its canonical form:
 *
 *     text:   "host\0bucket.example\0x-amz-date\020130524T000000Z\0"
 *     item[]:  ^name ^value          ^name       ^value             offsets, because text moves when it grows
 *
 * Add them in any order, sort once, then format.  text.failed says that memory ran out.
 */
#ifndef HOIST_SHARED_SIGV4_CANONICAL_H
#define HOIST_SHARED_SIGV4_CANONICAL_H

#include "shared/buf.h"
#include "shared/sigv4.h"

#include <stddef.h>

enum { CANONICAL_ITEMS_MAX = SIGV4_PAIRS_MAX + 8 }; /* with those the signer adds */

struct canonical_items {
    struct buf text;
    struct {
        size_t name, value;
    } item[CANONICAL_ITEMS_MAX];
    size_t count;
};

#define CANONICAL_ITEMS_INIT                                                           \
    {                                                                                  \
        .text = BUF_INIT(SIGV4_TEXT_MAX)                                               \
    }

void canonical_items_release(struct canonical_items *t);

/* Add a header (name lower-cased, value trimmed and folded), or a query parameter (both percent-encoded).  More than
 * CANONICAL_ITEMS_MAX is a bug of the caller's. */
void canonical_add_header(struct canonical_items *t, const char *name,
                          const char *value);
void canonical_add_parameter(struct canonical_items *t, const char *name,
                             const char *value);

/* Headers: by name, equal names in the order given.  Parameters: by encoded name, then encoded value. */
void canonical_sort_headers(struct canonical_items *t);
void canonical_sort_parameters(struct canonical_items *t);

/* Append "host:bucket.example\nx-amz-date:20130524T000000Z\n", "host;x-amz-date", "a=1&b=2", "/a%20b/c". */
void canonical_format_headers(struct buf *b, const struct canonical_items *t);
void canonical_format_names(struct buf *b, const struct canonical_items *t);
void canonical_format_query(struct buf *b, const struct canonical_items *t);
void canonical_format_path(struct buf *b, const char *path);

#endif
