/*
 * fuzz exposition: the first line is a number, the rest what stands in a label.  It makes one line of UTF-8, in which the
 * label ends where it was to end, and reads as it was where it was UTF-8.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/cleanup.h"
#include "shared/exposition.h"
#include "shared/utf8.h"

#include <stdio.h>

static const char *take_prefix(const char *s, const char *prefix)
{
    must(strncmp(s, prefix, strlen(prefix)) == 0);
    return s + strlen(prefix);
}

/* Reads the label's value; what is left is returned. */
static const char *unescape(const char *s, struct buf *ret)
{
    for (; *s != '"'; s++) {
        must(*s && *s != '\n');
        if (*s != '\\') {
            buf_putc(ret, *s);
            continue;
        }
        s++;
        must(*s == 'n' || *s == '\\' || *s == '"');
        buf_putc(ret, *s == 'n' ? '\n' : *s);
    }
    return s + 1;
}

static bool is_utf8(const char *s)
{
    uint32_t point;

    for (size_t len = strlen(s), n; len > 0; s += n, len -= n)
        if ((n = utf8_decode(s, len, &point)) == 0)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    CLEANUP(str_free) char *number = take_line(&at, end);
    CLEANUP(str_free) char *value = strndup(at, (size_t)(end - at));
    CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20), read = BUF_INIT(1 << 20);
    struct exposition x = {.out = &b};

    must(value != NULL);
    exposition_begin(&x, EXPOSITION_GAUGE, "hoist_x", value);
    const char *line = strchr(b.data, '\n');
    must(line && strncmp(line + 1, "# TYPE hoist_x gauge\n", 21) == 0);
    buf_clear(&b);
    double n = strtod(number, NULL);
    exposition_number(&x, EXPOSITION_LABELS({"name", value}), n);
    must(!b.failed && is_utf8(b.data));
    const char *s = unescape(take_prefix(b.data, "hoist_x{name=\""), &read);
    char *after;
    s = take_prefix(s, "} ");
    double again = strtod(s, &after);
    must((again >= n && again <= n) || (n != n && again != again));
    must(strcmp(after, "\n") == 0);
    must(!is_utf8(value) || strcmp(value, read.data ? read.data : "") == 0);
    return 0;
}
