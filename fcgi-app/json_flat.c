#include "fcgi-app/json_flat.h"

#include "shared/utf8.h"

#include <string.h>

struct reader {
    const char *start, *s, *end;
    struct err *e;
};

static bool wrong(struct reader *r, const char *what)
{
    (void)err_set(r->e, ERR_REJECT, "JSON: %s at byte %zu", what,
                  (size_t)(r->s - r->start));
    return false;
}

static void skip_blanks(struct reader *r)
{
    while (r->s < r->end &&
           (*r->s == ' ' || *r->s == '\t' || *r->s == '\n' || *r->s == '\r'))
        r->s++;
}

static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->s == r->end || *r->s != c)
        return false;
    r->s++;
    return true;
}

/* --- Texts --- */

static bool take_hex(struct reader *r, unsigned *ret)
{
    unsigned n = 0;
    if (r->end - r->s < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = r->s[i];
        if (c >= '0' && c <= '9')
            n = n * 16 + (unsigned)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            n = n * 16 + (unsigned)((c | 32) - 'a' + 10);
        else
            return false;
    }
    r->s += 4;
    *ret = n;
    return true;
}

/* What follows \u, as UTF-8 into to[4]; 0: it is none. */
static size_t take_code_point(struct reader *r, char *to)
{
    unsigned c, low;
    if (!take_hex(r, &c) || c == 0 || (c >= 0xDC00 && c <= 0xDFFF))
        return 0;
    if (c >= 0xD800 && c <= 0xDBFF) {
        if (r->end - r->s < 6 || r->s[0] != '\\' || r->s[1] != 'u')
            return 0;
        r->s += 2;
        if (!take_hex(r, &low) || low < 0xDC00 || low > 0xDFFF)
            return 0;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3F));
    to[0] = (char)(first[n] | c);
    return n;
}

static size_t take_escape(struct reader *r, char *to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (r->s == r->end)
        return 0;
    char c = *r->s++;
    if (c == 'u')
        return take_code_point(r, to);
    const char *at = c ? strchr(from, c) : NULL;
    if (at)
        *to = into[at - from];
    return at ? 1 : 0;
}

static bool is_utf8(const char *s, size_t len)
{
    for (size_t n; len > 0; s += n, len -= n) {
        uint32_t point;
        n = utf8_decode(s, len, &point);
        if (n == 0)
            return false;
    }
    return true;
}

static bool take_text(struct reader *r, char ret[static JSON_FLAT_TEXT + 1])
{
    size_t len = 0;
    if (!take(r, '"'))
        return wrong(r, "a text in quotes is wanted");
    while (r->s < r->end && *r->s != '"') {
        char bytes[4] = {*r->s};
        size_t n = 1;
        if ((unsigned char)*r->s < 0x20)
            return wrong(r, "a control character");
        r->s++;
        if (bytes[0] == '\\')
            n = take_escape(r, bytes);
        if (n == 0)
            return wrong(r, "a broken escape");
        if (len + n > JSON_FLAT_TEXT)
            return wrong(r, "the text is too long");
        memcpy(ret + len, bytes, n);
        len += n;
    }
    ret[len] = '\0';
    if (!take(r, '"'))
        return wrong(r, "the text has no end");
    return is_utf8(ret, len) || wrong(r, "the text is no UTF-8");
}

/* --- Other values --- */

static size_t digits(const char *s, const char *end)
{
    const char *from = s;
    while (s < end && *s >= '0' && *s <= '9')
        s++;
    return (size_t)(s - from);
}

/* The bytes of the number at s, 0 when there is none. */
static size_t number_length(const char *s, const char *end)
{
    const char *at = s + (s < end && *s == '-');
    size_t n = digits(at, end);
    if (n == 0 || (n > 1 && *at == '0'))
        return 0;
    at += n;
    if (at < end && *at == '.') {
        if ((n = digits(at + 1, end)) == 0)
            return 0;
        at += 1 + n;
    }
    if (at < end && (*at | 32) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        if ((n = digits(at, end)) == 0)
            return 0;
        at += n;
    }
    return (size_t)(at - s);
}

static bool take_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->s) < len || memcmp(r->s, word, len) != 0)
        return false;
    r->s += len;
    return true;
}

static bool take_value(struct reader *r, struct json_member *m)
{
    skip_blanks(r);
    if (r->s < r->end && *r->s == '"') {
        m->type = JSON_TEXT;
        return take_text(r, m->text);
    }
    if (take_word(r, "null")) {
        m->type = JSON_NULL;
        return true;
    }
    m->type = JSON_BOOL;
    if ((m->truth = take_word(r, "true")) || take_word(r, "false"))
        return true;
    size_t len = number_length(r->s, r->end);
    if (len == 0 || len > JSON_FLAT_NUMBER)
        return wrong(r, "a text, a number, true, false or null is wanted");
    m->type = JSON_NUMBER;
    memcpy(m->text, r->s, len);
    m->text[len] = '\0';
    r->s += len;
    return true;
}

static bool take_member(struct reader *r, struct json_flat *ret)
{
    if (ret->count == JSON_FLAT_MAX)
        return wrong(r, "too many members");
    struct json_member *m = &ret->members[ret->count];
    *m = (struct json_member){.type = JSON_NULL};
    skip_blanks(r);
    if (!take_text(r, m->name))
        return false;
    if (json_flat_find(ret, m->name))
        return wrong(r, "a name is given twice");
    if (!take(r, ':'))
        return wrong(r, "a colon is wanted");
    if (!take_value(r, m))
        return false;
    ret->count++;
    return true;
}

enum err_code json_flat_parse(const char *s, size_t len, struct json_flat *ret,
                              struct err *e)
{
    struct reader r = {s, s, s + len, e};
    bool ok = true;
    ret->count = 0;
    if (!take(&r, '{'))
        ok = wrong(&r, "an object is wanted");
    if (ok && !take(&r, '}')) {
        do {
            ok = take_member(&r, ret);
        } while (ok && take(&r, ','));
        if (ok && !take(&r, '}'))
            ok = wrong(&r, "a comma or the end of the object is wanted");
    }
    skip_blanks(&r);
    if (ok && r.s < r.end)
        ok = wrong(&r, "nothing is wanted behind the object");
    return ok ? ERR_OK : e->code;
}

const struct json_member *json_flat_find(const struct json_flat *j, const char *name)
{
    for (size_t i = 0; i < j->count; i++)
        if (strcmp(j->members[i].name, name) == 0)
            return &j->members[i];
    return NULL;
}

bool json_member_int(const struct json_member *m, int64_t max, int64_t *ret)
{
    int64_t n = 0;
    if (m->type != JSON_NUMBER || m->text[strspn(m->text, "0123456789")] ||
        strlen(m->text) > 18)
        return false;
    for (const char *s = m->text; *s; s++)
        n = n * 10 + (*s - '0');
    if (n > max)
        return false;
    *ret = n;
    return true;
}
