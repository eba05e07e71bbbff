#include "shared/redis_internal.h"

#include "shared/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    HEAD_MAX = 24, /* $LENGTH CRLF, and the CRLF behind */
    FORMAT_USUAL = 128,
    INT_DIGITS = 20 /* -9223372036854775808 */
};

void redis_cmd_init(struct redis_cmd *c)
{
    *c = (struct redis_cmd){
        .bytes = BUF_INIT(REDIS_CMD_BYTES_MAX + REDIS_CMD_ARGS_MAX * HEAD_MAX)};
}

void redis_cmd_release(struct redis_cmd *c)
{
    buf_release(&c->bytes);
    redis_cmd_init(c);
}

void redis_cmd_clear(struct redis_cmd *c)
{
    buf_clear(&c->bytes);
    c->count = c->content_bytes = 0;
    c->script = NULL;
    c->failed = false;
}

void redis_cmd_begin(struct redis_cmd *c, const char *name)
{
    redis_cmd_clear(c);
    redis_cmd_add_str(c, name);
}

void redis_cmd_begin_script(struct redis_cmd *c, const struct redis_script *s,
                            size_t numkeys)
{
    redis_cmd_clear(c);
    c->script = s;
    redis_cmd_add_int(c, (int64_t)numkeys);
}

/* The digits of n end at end; where they begin. */
static char *put_digits(char *end, uint64_t n)
{
    do
        *--end = (char)('0' + n % 10);
    while (n /= 10);
    return end;
}

/* Where an argument of len bytes begins, with its head before it, all marked as failed when there is no room; it is complete
 * once the bytes stand there and end_argument has been called with what is behind them. */
static char *begin_argument(struct redis_cmd *c, size_t len)
{
    char digits[INT_DIGITS];
    char *at = NULL;

    if (!c->failed && c->count < REDIS_CMD_ARGS_MAX &&
        len <= REDIS_CMD_BYTES_MAX - c->content_bytes)
        at = buf_reserve(&c->bytes, len + HEAD_MAX);
    if (!at) {
        c->failed = true;
        return NULL;
    }
    char *first = put_digits(digits + sizeof digits, len);
    size_t count = (size_t)(digits + sizeof digits - first);
    *at++ = '$';
    memcpy(at, first, count);
    at[count] = '\r';
    at[count + 1] = '\n';
    c->count++;
    c->content_bytes += len;
    return at + count + 2;
}

static void end_argument(struct redis_cmd *c, char *at)
{
    at[0] = '\r';
    at[1] = '\n';
    buf_added(&c->bytes, (size_t)(at + 2 - (c->bytes.data + c->bytes.len)));
}

void redis_cmd_add(struct redis_cmd *c, const void *data, size_t len)
{
    char *at = begin_argument(c, len);

    if (!at)
        return;
    if (len > 0)
        memcpy(at, data, len);
    end_argument(c, at + len);
}

void redis_cmd_add_str(struct redis_cmd *c, const char *s)
{
    redis_cmd_add(c, s, strlen(s));
}

void redis_cmd_add_int(struct redis_cmd *c, int64_t n)
{
    char digits[INT_DIGITS];
    char *first =
        put_digits(digits + sizeof digits, n < 0 ? -(uint64_t)n : (uint64_t)n);

    if (n < 0)
        *--first = '-';
    redis_cmd_add(c, first, (size_t)(digits + sizeof digits - first));
}

PRINTF(2, 0)
static void add_formatted(struct redis_cmd *c, const char *fmt, va_list ap)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(REDIS_CMD_BYTES_MAX);

    if (buf_vprintf(&text, fmt, ap))
        redis_cmd_add(c, text.data, text.len);
    else
        c->failed = true;
}

void redis_cmd_add_format(struct redis_cmd *c, const char *fmt, ...)
{
    char text[FORMAT_USUAL];
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int len = vsnprintf(text, sizeof text, fmt, ap);
    if (len >= 0 && (size_t)len < sizeof text)
        redis_cmd_add(c, text, (size_t)len);
    else
        add_formatted(c, fmt, again);
    va_end(again);
    va_end(ap);
}

void redis_cmd_add_parts(struct redis_cmd *c, const char *const *parts)
{
    size_t sum = 0;

    for (const char *const *p = parts; *p; p++)
        sum += strlen(*p);
    char *at = begin_argument(c, sum);
    if (!at)
        return;
    for (; *parts; parts++) {
        size_t len = strlen(*parts);
        memcpy(at, *parts, len);
        at += len;
    }
    end_argument(c, at);
}

void redis_cmd_append(struct redis_cmd *c, const struct redis_cmd *other)
{
    c->failed = c->failed || other->failed ||
                other->count > REDIS_CMD_ARGS_MAX - c->count ||
                other->content_bytes > REDIS_CMD_BYTES_MAX - c->content_bytes ||
                !buf_add(&c->bytes, other->bytes.data, other->bytes.len);
    if (c->failed)
        return;
    c->count += other->count;
    c->content_bytes += other->content_bytes;
}

/* RESP2, the form of requests: *COUNT CRLF, then $LENGTH CRLF bytes CRLF for each argument. */
bool redis_cmd_encode(const struct redis_cmd *c, bool is_7, struct buf *out)
{
    if (c->failed || c->count == 0)
        return false;
    buf_putc(out, '*');
    buf_add_int(out, (int64_t)(c->count + (c->script ? 2 : 0)));
    if (c->script)
        BUF_PUTS(out, "\r\n$7\r\nEVALSHA\r\n$40\r\n",
                 is_7 ? c->script->sha1_7 : c->script->sha1);
    buf_puts(out, "\r\n");
    return buf_add(out, c->bytes.data, c->bytes.len);
}

bool redis_cmd_copy(const struct redis_cmd *c, struct redis_cmd *ret)
{
    redis_cmd_init(ret);
    if (c->failed || !buf_add(&ret->bytes, c->bytes.data, c->bytes.len)) {
        redis_cmd_release(ret);
        return false;
    }
    ret->count = c->count;
    ret->content_bytes = c->content_bytes;
    ret->script = c->script;
    return true;
}

void redis_cmd_load(struct redis_cmd *c, const struct redis_script *s, bool is_7)
{
    redis_cmd_begin(c, "SCRIPT");
    redis_cmd_add_str(c, "LOAD");
    redis_cmd_add_str(c, is_7 ? s->body_7 : s->body);
}
