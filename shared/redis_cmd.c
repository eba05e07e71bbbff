#include "shared/redis_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void redis_cmd_init(struct redis_cmd *c)
{
    *c = (struct redis_cmd){.bytes = BUF_INIT(REDIS_CMD_BYTES_MAX)};
}

void redis_cmd_release(struct redis_cmd *c)
{
    buf_release(&c->bytes);
    free(c->end);
    redis_cmd_init(c);
}

void redis_cmd_clear(struct redis_cmd *c)
{
    buf_clear(&c->bytes);
    c->count = 0;
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

static bool has_room(struct redis_cmd *c)
{
    if (c->count < c->capacity)
        return true;
    if (c->capacity >= REDIS_CMD_ARGS_MAX)
        return false;
    size_t capacity = c->capacity ? c->capacity * 2 : 32;
    size_t *end = reallocarray(c->end, capacity, sizeof *end);
    if (!end)
        return false;
    c->end = end;
    c->capacity = capacity;
    return true;
}

/* The bytes of one more argument have been appended, or not. */
static void end_argument(struct redis_cmd *c, bool appended)
{
    if (!appended || c->failed || !has_room(c)) {
        c->failed = true;
        return;
    }
    c->end[c->count++] = c->bytes.len;
}

void redis_cmd_add(struct redis_cmd *c, const void *data, size_t len)
{
    end_argument(c, buf_add(&c->bytes, data, len));
}

void redis_cmd_add_str(struct redis_cmd *c, const char *s)
{
    redis_cmd_add(c, s, strlen(s));
}

void redis_cmd_add_int(struct redis_cmd *c, int64_t n)
{
    end_argument(c, buf_add_int(&c->bytes, n));
}

void redis_cmd_add_format(struct redis_cmd *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    end_argument(c, buf_vprintf(&c->bytes, fmt, ap));
    va_end(ap);
}

void redis_cmd_add_parts(struct redis_cmd *c, const char *const *parts)
{
    end_argument(c, buf_puts_all(&c->bytes, parts));
}

void redis_cmd_append(struct redis_cmd *c, const struct redis_cmd *other)
{
    size_t start = 0;

    c->failed = c->failed || other->failed;
    for (size_t i = 0; i < other->count; start = other->end[i++])
        redis_cmd_add(c, other->bytes.data + start, other->end[i] - start);
}

static bool encode_argument(struct buf *out, const char *s, size_t len)
{
    return buf_putc(out, '$') && buf_add_int(out, (int64_t)len) &&
           buf_add(out, "\r\n", 2) && buf_add(out, s, len) && buf_add(out, "\r\n", 2);
}

/* RESP2, the form of requests: *COUNT CRLF, then $LENGTH CRLF bytes CRLF for each argument. */
bool redis_cmd_encode(const struct redis_cmd *c, bool is_7, struct buf *out)
{
    size_t start = 0;

    if (c->failed || c->count == 0)
        return false;
    buf_putc(out, '*');
    buf_add_int(out, (int64_t)(c->count + (c->script ? 2 : 0)));
    buf_add(out, "\r\n", 2);
    if (c->script) {
        encode_argument(out, "EVALSHA", 7);
        encode_argument(out, is_7 ? c->script->sha1_7 : c->script->sha1, 40);
    }
    for (size_t i = 0; i < c->count; start = c->end[i++])
        encode_argument(out, c->bytes.data + start, c->end[i] - start);
    return !out->failed;
}

bool redis_cmd_copy(const struct redis_cmd *c, struct redis_cmd *ret)
{
    redis_cmd_init(ret);
    ret->end = reallocarray(NULL, c->count ? c->count : 1, sizeof *ret->end);
    if (!ret->end || c->failed || !buf_add(&ret->bytes, c->bytes.data, c->bytes.len)) {
        redis_cmd_release(ret);
        return false;
    }
    memcpy(ret->end, c->end, c->count * sizeof *ret->end);
    ret->count = ret->capacity = c->count;
    ret->script = c->script;
    return true;
}

void redis_cmd_load(struct redis_cmd *c, const struct redis_script *s, bool is_7)
{
    redis_cmd_begin(c, "SCRIPT");
    redis_cmd_add_str(c, "LOAD");
    redis_cmd_add_str(c, is_7 ? s->body_7 : s->body);
}
