#include "fcgi-app/fastcgi/fastcgi_pairs.h"

#include <string.h>

enum { LENGTHS_MAX = 8 /* two of four bytes */ };

size_t fastcgi_pairs_length_size(unsigned char first)
{
    return first & 0x80 ? 4 : 1;
}

size_t fastcgi_pairs_length(const unsigned char *p)
{
    if (!(p[0] & 0x80))
        return p[0];
    return (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

void fastcgi_pairs_begin(struct fastcgi_pairs *p)
{
    p->count = p->bytes = p->text_len = 0;
    p->have = p->name_left = p->value_left = 0;
    p->list[0] = NULL;
}

bool fastcgi_pairs_end(struct fastcgi_pairs *p)
{
    p->list[p->count] = NULL;
    return p->have == 0 && p->name_left == 0 && p->value_left == 0;
}

/* Both lengths of a pair are known.  Its room is there when the limits are kept. */
static enum fastcgi_pairs_verdict open_pair(struct fastcgi_pairs *p,
                                            const unsigned char *lengths)
{
    size_t name = fastcgi_pairs_length(lengths);
    size_t value =
        fastcgi_pairs_length(lengths + fastcgi_pairs_length_size(lengths[0]));
    if (name == 0)
        return FASTCGI_PAIRS_BAD;
    if (name > FASTCGI_PAIRS_BYTES || value > FASTCGI_PAIRS_BYTES ||
        p->bytes + name + value > FASTCGI_PAIRS_BYTES ||
        p->count == FASTCGI_PAIRS_COUNT)
        return FASTCGI_PAIRS_TOO_LONG;
    p->bytes += name + value;
    p->have = 0;
    p->name_left = name;
    p->value_left = value;
    p->list[p->count++] = p->text + p->text_len;
    return FASTCGI_PAIRS_FINE;
}

static bool is_open(const struct fastcgi_pairs *p)
{
    return p->name_left > 0 || p->value_left > 0;
}

/* Bytes of the lengths that begin a pair; *used of them are taken. */
static enum fastcgi_pairs_verdict
take_lengths(struct fastcgi_pairs *p, const unsigned char *s, size_t len, size_t *used)
{
    if (p->have == 0 && len >= LENGTHS_MAX) {
        size_t first = fastcgi_pairs_length_size(s[0]);
        *used = first + fastcgi_pairs_length_size(s[first]);
        return open_pair(p, s);
    }
    p->lengths[p->have++] = s[0];
    *used = 1;
    size_t first = fastcgi_pairs_length_size(p->lengths[0]);
    if (p->have <= first ||
        p->have < first + fastcgi_pairs_length_size(p->lengths[first]))
        return FASTCGI_PAIRS_FINE;
    return open_pair(p, p->lengths);
}

static size_t copy(struct fastcgi_pairs *p, const unsigned char *s, size_t len,
                   size_t *left)
{
    size_t n = len < *left ? len : *left;
    memcpy(p->text + p->text_len, s, n);
    p->text_len += n;
    *left -= n;
    return n;
}

/* Bytes of a pair's name or value; *used of them are taken. */
static enum fastcgi_pairs_verdict
take_text(struct fastcgi_pairs *p, const unsigned char *s, size_t len, size_t *used)
{
    size_t n;
    if (p->name_left > 0) {
        n = copy(p, s, len, &p->name_left);
        if (memchr(s, '=', n))
            return FASTCGI_PAIRS_BAD;
        if (p->name_left == 0)
            p->text[p->text_len++] = '=';
    } else {
        n = copy(p, s, len, &p->value_left);
    }
    if (!is_open(p))
        p->text[p->text_len++] = '\0';
    *used = n;
    return memchr(s, '\0', n) ? FASTCGI_PAIRS_BAD : FASTCGI_PAIRS_FINE;
}

enum fastcgi_pairs_verdict fastcgi_pairs_add(struct fastcgi_pairs *p, const void *bytes,
                                             size_t len)
{
    const unsigned char *s = bytes;
    while (len > 0) {
        size_t used = 0;
        enum fastcgi_pairs_verdict v =
            is_open(p) ? take_text(p, s, len, &used) : take_lengths(p, s, len, &used);
        if (v != FASTCGI_PAIRS_FINE)
            return v;
        s += used;
        len -= used;
    }
    return FASTCGI_PAIRS_FINE;
}
