#include "worker/columns.h"

#include <stdbool.h>
#include <string.h>

/* Whether a character begins here. */
static bool is_first(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

int columns_count(const char *s, size_t len)
{
    int columns = 0;

    for (size_t i = 0; i < len; i++)
        columns += is_first(s[i]);
    return columns;
}

size_t columns_cut(const char *s, size_t len, int columns)
{
    for (size_t i = 0; i < len; i++)
        if (is_first(s[i]) && columns-- <= 0)
            return i;
    return len;
}

static void add_blanks(struct buf *b, int count)
{
    while (count-- > 0)
        buf_putc(b, ' ');
}

void columns_add_left(struct buf *b, const char *s, int columns)
{
    size_t len = columns_cut(s, strlen(s), columns);

    buf_add(b, s, len);
    add_blanks(b, columns - columns_count(s, len));
}

void columns_add_right(struct buf *b, const char *s, int columns)
{
    size_t len = columns_cut(s, strlen(s), columns);

    add_blanks(b, columns - columns_count(s, len));
    buf_add(b, s, len);
}
