/*
 * fuzz columns: the first byte is a width, the rest a text from anywhere.  Made fit for a terminal it holds whole characters
 * and nothing that steers; in columns it is as wide as was asked for, and what was cut would not have fitted.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/buf.h"
#include "shared/cleanup.h"
#include "shared/utf8.h"
#include "worker/columns.h"
#include "worker/top/picture.h"

static void check_safe(const char *s, size_t len)
{
    while (len > 0) {
        uint32_t point = 0;
        size_t n = utf8_decode(s, len, &point);
        must(n > 0 && point >= ' ' && (point < 0x7f || point > 0x9f));
        s += n;
        len -= n;
    }
}

static void check_columns(const char *text, size_t len, int width)
{
    CLEANUP(buf_release) struct buf left = BUF_INIT(1 << 20);
    CLEANUP(buf_release) struct buf right = BUF_INIT(1 << 20);
    size_t cut = columns_cut(text, len, width);

    must(cut <= len && columns_count(text, cut) <= width);
    must(cut == len || columns_count(text, cut) == width);
    check_safe(text, cut);
    columns_add_left(&left, text, width);
    columns_add_right(&right, text, width);
    must(!left.failed && !right.failed && left.len == right.len);
    must(columns_count(left.data, left.len) == width);
    must(columns_count(right.data, right.len) == width);
    must(memcmp(left.data, text, cut) == 0);
    must(memcmp(right.data + right.len - cut, text, cut) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    char *text = malloc(size);

    must(text != NULL);
    picture_text((const char *)data + 1, size - 1, text, size);
    size_t len = strlen(text);
    must(len < size);
    check_safe(text, len);
    check_columns(text, len, 1 + data[0]);
    check_columns(text, len, 1 + 16 * data[0]);
    must(columns_cut((const char *)data, size, data[0]) <= size); /* as it is */
    free(text);
    return 0;
}
