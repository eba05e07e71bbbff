#include "shared/json_flat.h"

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

/* A text of up to max bytes into ret, which has room for one more; NULL: it is passed over, however long. */
static bool take_text(struct reader *r, char *ret, size_t max)
{
    size_t len = 0;
    if (!take(r, '"'))
        return wrong(r, "a text in quotes is wanted");
    const char *from = r->s;
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
        if (!ret)
            continue;
        if (len + n > max)
            return wrong(r, "the text is too long");
        memcpy(ret + len, bytes, n);
        len += n;
    }
    if (ret)
        ret[len] = '\0';
    /* What escapes stand for is valid, so that the bytes as they came tell. */
    if (!is_utf8(from, (size_t)(r->s - from)))
        return wrong(r, "the text is no UTF-8");
    return take(r, '"') || wrong(r, "the text has no end");
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

static bool is_text_next(struct reader *r)
{
    skip_blanks(r);
    return r->s < r->end && *r->s == '"';
}

static bool take_value(struct reader *r, struct json_member *m)
{
    if (is_text_next(r)) {
        m->type = JSON_TEXT;
        return take_text(r, m->text, JSON_FLAT_TEXT);
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

static bool take_name(struct reader *r, char name[static JSON_FLAT_NAME + 1])
{
    skip_blanks(r);
    return take_text(r, name, JSON_FLAT_NAME);
}

static bool take_colon(struct reader *r)
{
    return take(r, ':') || wrong(r, "a colon is wanted");
}

static bool take_member(struct reader *r, void *ctx)
{
    struct json_flat *ret = ctx;
    if (ret->count == JSON_FLAT_MAX)
        return wrong(r, "too many members");
    struct json_member *m = &ret->members[ret->count];
    *m = (struct json_member){.type = JSON_NULL};
    if (!take_name(r, m->name))
        return false;
    if (json_flat_find(ret, m->name))
        return wrong(r, "a name is given twice");
    if (!take_colon(r) || !take_value(r, m))
        return false;
    ret->count++;
    return true;
}

/* The object, whose members are taken one by one. */
static enum err_code
read_object(struct reader *r, bool (*take_one)(struct reader *r, void *ctx), void *ctx)
{
    bool ok = take(r, '{') || wrong(r, "an object is wanted");
    if (ok && !take(r, '}')) {
        do {
            ok = take_one(r, ctx);
        } while (ok && take(r, ','));
        if (ok && !take(r, '}'))
            ok = wrong(r, "a comma or the end of the object is wanted");
    }
    skip_blanks(r);
    if (ok && r->s < r->end)
        ok = wrong(r, "nothing is wanted behind the object");
    return ok ? ERR_OK : r->e->code;
}

enum err_code json_flat_parse(const char *s, size_t len, struct json_flat *ret,
                              struct err *e)
{
    struct reader r = {s, s, s + len, e};
    ret->count = 0;
    return read_object(&r, take_member, ret);
}

struct texts {
    struct json_text *items;
    size_t count;
};

static struct json_text *find_text(const struct texts *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->items[i].name, name) == 0)
            return &t->items[i];
    return NULL;
}

static bool take_one_text(struct reader *r, void *ctx)
{
    struct json_member m = {.type = JSON_NULL};
    if (!take_name(r, m.name) || !take_colon(r))
        return false;
    struct json_text *t = find_text(ctx, m.name);
    if (t && t->found)
        return wrong(r, "a name is given twice");
    if (!is_text_next(r))
        return t ? wrong(r, "a text in quotes is wanted") : take_value(r, &m);
    if (t)
        t->found = true;
    return take_text(r, t ? t->ret : NULL, t ? t->size - 1 : 0);
}

enum err_code json_flat_texts(const char *s, size_t len, struct json_text *texts,
                              size_t count, struct err *e)
{
    struct reader r = {s, s, s + len, e};
    struct texts t = {texts, count};
    for (size_t i = 0; i < count; i++) {
        texts[i].found = false;
        texts[i].ret[0] = '\0';
    }
    return read_object(&r, take_one_text, &t);
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
