#include "fcgi-app/fastcgi_head.h"

#include <string.h>

/* The FastCGI specification, section 8. */
enum { VERSION_1 = 1, BEGIN_REQUEST = 1, PARAMS = 4, RESPONDER = 1 };
enum { HEADER_LEN = 8, BEGIN_LEN = 8 };

/* Name-value pairs, which may cross records (section 3.4). */
struct pairs {
    unsigned char lengths[8]; /* of the pair that begins */
    size_t have;              /* bytes of lengths */
    size_t left;              /* bytes of name and value still to come */
    size_t bytes, count;
};

static size_t length_size(unsigned char first)
{
    return first & 0x80 ? 4 : 1;
}

static size_t length_of(const unsigned char *p)
{
    if (!(p[0] & 0x80))
        return p[0];
    return (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* One more byte of the lengths. */
static enum fastcgi_head add_length(struct pairs *p, unsigned char byte)
{
    p->lengths[p->have++] = byte;
    size_t name_size = length_size(p->lengths[0]);
    if (p->have <= name_size ||
        p->have < name_size + length_size(p->lengths[name_size]))
        return FASTCGI_HEAD_COMPLETE;
    size_t name = length_of(p->lengths);
    p->left = name + length_of(p->lengths + name_size);
    p->bytes += p->left;
    p->count++;
    p->have = 0;
    if (name == 0)
        return FASTCGI_HEAD_BAD;
    return p->bytes > FASTCGI_PARAMS_BYTES || p->count > FASTCGI_PARAMS_COUNT
               ? FASTCGI_HEAD_TOO_LONG
               : FASTCGI_HEAD_COMPLETE;
}

static enum fastcgi_head add_content(struct pairs *p, const unsigned char *s,
                                     size_t len)
{
    while (len > 0) {
        size_t n = 1;
        if (p->left > 0) {
            n = len < p->left ? len : p->left;
            if (memchr(s, '\0', n))
                return FASTCGI_HEAD_BAD;
            p->left -= n;
        } else {
            enum fastcgi_head head = add_length(p, *s);
            if (head != FASTCGI_HEAD_COMPLETE)
                return head;
        }
        s += n;
        len -= n;
    }
    return FASTCGI_HEAD_COMPLETE;
}

static enum fastcgi_head check_params(const unsigned char *s, size_t len, unsigned id)
{
    struct pairs pairs = {.left = 0};
    while (len >= HEADER_LEN) {
        size_t content = (size_t)s[4] << 8 | s[5], record = HEADER_LEN + content + s[6];
        if (s[0] != VERSION_1 || s[1] != PARAMS || ((unsigned)s[2] << 8 | s[3]) != id)
            return FASTCGI_HEAD_BAD;
        if (content == 0)
            return s[6] == 0 && pairs.left == 0 && pairs.have == 0
                       ? FASTCGI_HEAD_COMPLETE
                       : FASTCGI_HEAD_BAD;
        size_t here = len - HEADER_LEN < content ? len - HEADER_LEN : content;
        enum fastcgi_head head = add_content(&pairs, s + HEADER_LEN, here);
        if (head != FASTCGI_HEAD_COMPLETE)
            return head;
        if (len < record)
            return FASTCGI_HEAD_MORE;
        s += record;
        len -= record;
    }
    return FASTCGI_HEAD_MORE;
}

enum fastcgi_head fastcgi_head_check(const void *bytes, size_t len, unsigned *ret_id)
{
    /* version, type, id (any but 0), content length 8, padding 0 */
    static const unsigned char begin[] = {VERSION_1, BEGIN_REQUEST, 0, 0,
                                          0,         BEGIN_LEN,     0};
    const unsigned char *s = bytes;
    for (size_t i = 0; i < sizeof begin && i < len; i++)
        if (i != 2 && i != 3 && s[i] != begin[i])
            return FASTCGI_HEAD_BAD;
    if (len < HEADER_LEN + BEGIN_LEN)
        return FASTCGI_HEAD_MORE;
    unsigned id = (unsigned)s[2] << 8 | s[3];
    unsigned role = (unsigned)s[8] << 8 | s[9];
    if (id == 0 || role != RESPONDER)
        return FASTCGI_HEAD_BAD;
    enum fastcgi_head head =
        check_params(s + HEADER_LEN + BEGIN_LEN, len - HEADER_LEN - BEGIN_LEN, id);
    if (head == FASTCGI_HEAD_MORE && len >= FASTCGI_HEAD_MAX)
        head = FASTCGI_HEAD_TOO_LONG;
    if (head == FASTCGI_HEAD_TOO_LONG)
        *ret_id = id;
    return head;
}
