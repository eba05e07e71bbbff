#include "shared/utf8.h"

#include <stdbool.h>

/* How many bytes a character that begins with c has; 0 for a byte that begins none. */
static size_t length_of(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    return c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t utf8_decode(const char *s, size_t len, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = (unsigned char)s[0];
    size_t n = length_of(c);

    if (n == 0 || n > len)
        return 0;
    uint32_t point = n == 1 ? c : c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (!is_continuation(s[i]))
            return 0;
        point = point << 6 | ((unsigned char)s[i] & 0x3fu);
    }
    if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return n;
}

size_t utf8_whole(const char *s, size_t len)
{
    size_t at = len; /* where the last character begins */

    while (at > 0 && len - at < 3 && is_continuation(s[at - 1]))
        at--;
    if (at == 0)
        return len;
    at--;
    return length_of((unsigned char)s[at]) > len - at ? at : len;
}
