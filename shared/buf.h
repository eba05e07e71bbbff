/*
 * buf: a byte string that grows up to a stated maximum.
 *
 *     +--------------------+----------+
 *     | data[0 .. len)     | spare    |     data[len] is always NUL; data is never NULL
 *     +--------------------+----------+
 *     0                   len        cap  <=  max + 1
 *
 * Guarantees: the content may hold any byte, NUL included; the byte after it is NUL, so that text can be used as
 * a C string.  An append that would pass max, or finds no memory, changes nothing, returns false and marks the
 * buf `failed`; every later append fails too.  So a long run of appends is checked once, at its end:
 *
 *     CLEANUP(buf_release) struct buf b = BUF_INIT(64 * 1024);
 *     buf_puts(&b, "HTTP/1.1 ");
 *     buf_printf(&b, "%d", status);
 *     if (b.failed) ...
 *
 * A struct buf belongs to one thread.
 */
#ifndef HOIST_SHARED_BUF_H
#define HOIST_SHARED_BUF_H

#include "shared/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *data;   /* owned; points at a static NUL while cap is 0 */
    size_t len;   /* bytes of content */
    size_t cap;   /* bytes allocated */
    size_t max;   /* bytes of content allowed */
    bool failed;  /* an append did not fit: the content is not complete */
    bool starved; /* because there was no memory: it may fit another time */
};

extern char buf_empty[1]; /* what data points at before the first append */

#define BUF_INIT(max_bytes)                                                            \
    {                                                                                  \
        buf_empty, 0, 0, (max_bytes), false, false                                     \
    }

/* Life cycle.  release frees and leaves an empty, reusable buf with the same max. */
void buf_init(struct buf *b, size_t max_bytes);
void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* empty it, keep the memory, forget `failed` */

/* Take the content out: a heap string the caller frees; the buf is empty afterwards.  NULL when failed. */
char *buf_detach(struct buf *b);

bool buf_add_growing(struct buf *b, const void *data,
                     size_t len); /* buf_add where there may be no room yet */

/* Adding.  Each returns false, and marks the buf, when the result would not fit. */
static inline bool buf_add(struct buf *b, const void *data, size_t len)
{
    /* A buf over somebody else's memory has more of it than it may use. */
    if (b->failed || len == 0 || len >= b->cap - b->len || len > b->max - b->len)
        return buf_add_growing(b, data, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return true;
}
static inline bool buf_puts(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}
bool buf_puts_all(struct buf *b,
                  const char *const *parts); /* one after the other, up to NULL */
/* The same of strings given one by one: a tenth of what buf_printf costs. */
#define BUF_PUTS(b, ...) buf_puts_all(b, (const char *const[]){__VA_ARGS__, NULL})
static inline bool buf_putc(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
bool buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
bool buf_add_int(struct buf *b, int64_t n); /* decimal */

/* Make room for len more bytes and return where they go (b->data + b->len); the caller then sets len with
 * buf_added.  NULL when they would not fit. */
char *buf_reserve(struct buf *b, size_t len);
void buf_added(struct buf *b, size_t len);

/* Drop the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);

/* Text of untrusted origin, made safe to print.
 * json     with quotes; < > & and controls as \u00XX, bad UTF-8 as U+FFFD
 * percent  all but A-Z a-z 0-9 - . _ ~ as %XX, upper case (RFC 3986) */
bool buf_add_json(struct buf *b, const char *s, size_t len);
bool buf_add_percent(struct buf *b, const char *s, size_t len);

#endif
