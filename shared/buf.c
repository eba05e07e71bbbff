#include "shared/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/utf8.h"

enum { BUF_FIRST = 64 };

char buf_empty[1] = {'\0'};

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf)BUF_INIT(max_bytes);
}

void buf_release(struct buf *b)
{
    if (b->cap)
        free(b->data);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    if (b->cap)
        b->data[0] = '\0';
    b->len = 0;
    b->failed = false;
    b->starved = false;
}

char *buf_detach(struct buf *b)
{
    if (b->failed || !buf_reserve(b, 0)) {
        buf_release(b);
        return NULL;
    }
    char *data = b->data;
    b->cap = 0;
    buf_release(b);
    return data;
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (b->failed)
        return NULL;
    if (len > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + len + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : BUF_FIRST;
        while (cap < need)
            cap = cap > b->max / 2 ? b->max + 1 : cap * 2;
        if (cap > b->max + 1)
            cap = b->max + 1;
        char *data = realloc(b->cap ? b->data : NULL, cap);
        if (!data) {
            b->failed = true;
            b->starved = true;
            return NULL;
        }
        data[b->len] = '\0';
        b->data = data;
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_added(struct buf *b, size_t len)
{
    b->len += len;
    b->data[b->len] = '\0';
}

bool buf_add_growing(struct buf *b, const void *data, size_t len)
{
    char *at = buf_reserve(b, len);

    if (!at)
        return false;
    if (len > 0)
        memcpy(at, data, len);
    buf_added(b, len);
    return true;
}

bool buf_puts_all(struct buf *b, const char *const *parts)
{
    while (*parts && buf_puts(b, *parts))
        parts++;
    return !b->failed;
}

bool buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    size_t room = b->cap ? b->cap - b->len : 0; /* with the NUL */

    if (b->failed)
        return false;
    va_copy(again, ap);
    int need = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
    bool fits = need >= 0 && (size_t)need < room && (size_t)need <= b->max - b->len;
    if (!fits) {
        if (room)
            b->data[b->len] = '\0';
        char *at = need < 0 ? NULL : buf_reserve(b, (size_t)need);
        if (at)
            (void)vsnprintf(at, (size_t)need + 1, fmt, again); /* as just measured */
        else
            b->failed = true;
    }
    va_end(again);
    if (!b->failed)
        buf_added(b, (size_t)need);
    return !b->failed;
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    bool fits = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return fits;
}

bool buf_add_int(struct buf *b, int64_t n)
{
    char digits[20]; /* -9223372036854775808 */
    size_t at = sizeof digits;
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;

    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (n < 0)
        digits[--at] = '-';
    return buf_add(b, digits + at, sizeof digits - at);
}

void buf_consume(struct buf *b, size_t n)
{
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

static bool json_special(unsigned char c)
{
    return c < 0x20 || c == 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' ||
           c == '&';
}

/* How many bytes from s on need no look at UTF-8, and no change. */
static size_t count_plain_ascii(const char *s, size_t len)
{
    size_t n = 0;

    while (n < len && (unsigned char)s[n] < 0x80 && !json_special((unsigned char)s[n]))
        n++;
    return n;
}

static void add_json_ascii(struct buf *b, unsigned char c)
{
    if (c == '"' || c == '\\') {
        buf_putc(b, '\\');
        buf_putc(b, (char)c);
    } else {
        buf_printf(b, "\\u%04x", c);
    }
}

bool buf_add_json(struct buf *b, const char *s, size_t len)
{
    size_t run = 0; /* bytes before s that need no change */

    buf_putc(b, '"');
    while (len > 0) {
        uint32_t point;
        size_t ascii = count_plain_ascii(s, len);
        run += ascii;
        s += ascii;
        len -= ascii;
        if (len == 0)
            break;
        size_t n = utf8_decode(s, len, &point);
        bool plain = n > 1 || (n == 1 && !json_special((unsigned char)*s));
        if (plain) {
            run += n;
            s += n;
            len -= n;
            continue;
        }
        buf_add(b, s - run, run);
        run = 0;
        if (n == 0)
            buf_puts(b, "\\ufffd");
        else
            add_json_ascii(b, (unsigned char)*s);
        s++;
        len--;
    }
    buf_add(b, s - run, run);
    return buf_putc(b, '"');
}

/* RFC 3986, section 2.3. */
static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

bool buf_add_percent(struct buf *b, const char *s, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t run = 0; /* bytes before s[i] that stay as they are */

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (is_unreserved(c)) {
            run++;
            continue;
        }
        buf_add(b, s + i - run, run);
        run = 0;
        buf_add(b, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
    return buf_add(b, s + len - run, run);
}
