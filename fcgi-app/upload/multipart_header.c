#include "fcgi-app/upload/multipart_header.h"

#include <string.h>
#include <strings.h>

enum {
    SEEN_DISPOSITION = 1,
    SEEN_TYPE = 2,
    SEEN_ENCODING = 4,
    SEEN_MD5 = 8,
    SEEN_CONTENT_DIGEST = 16,
    SEEN_REPR_DIGEST = 32
};

static const struct {
    const char *name;
    unsigned seen;
} headers[] = {
    {"Content-Disposition", SEEN_DISPOSITION},    {"Content-Type", SEEN_TYPE},
    {"Content-Transfer-Encoding", SEEN_ENCODING}, {"Content-MD5", SEEN_MD5},
    {"Content-Digest", SEEN_CONTENT_DIGEST},      {"Repr-Digest", SEEN_REPR_DIGEST},
};
enum { PARAM_NAME = 1, PARAM_FILENAME = 2 };

/* What is left of a header value. */
struct cursor {
    const char *s;
    size_t len;
};

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_word(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(s, word, len) == 0;
}

static size_t token_len(const struct cursor *c)
{
    size_t n = 0;
    while (n < c->len && is_token(c->s[n]))
        n++;
    return n;
}

static void skip(struct cursor *c, size_t n)
{
    c->s += n;
    c->len -= n;
}

static void skip_blanks(struct cursor *c)
{
    while (c->len > 0 && (*c->s == ' ' || *c->s == '\t'))
        skip(c, 1);
}

/* The character that s, of len bytes, stands for in a quoted name, and how many bytes that takes. */
static size_t unescape(const char *s, size_t len, char *ret)
{
    if (len >= 2 && s[0] == '\\' && (s[1] == '"' || s[1] == '\\')) {
        *ret = s[1];
        return 2;
    }
    static const struct {
        char text[4], stands_for;
    } escapes[] = {{"%22", '"'}, {"%0D", '\r'}, {"%0A", '\n'}};
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++)
        if (len >= 3 && strncasecmp(s, escapes[i].text, 3) == 0) {
            *ret = escapes[i].stands_for;
            return 3;
        }
    *ret = s[0];
    return 1;
}

/* A quoted string or a token, into out (NULL: dropped).  False when it is neither, or ends too early. */
static bool take_value(struct cursor *c, struct buf *out)
{
    if (c->len == 0 || *c->s != '"') {
        size_t n = token_len(c);
        bool fits = !out || buf_add(out, c->s, n);
        skip(c, n);
        return n > 0 && fits;
    }
    skip(c, 1);
    while (c->len > 0 && *c->s != '"') {
        char ch;
        size_t n = unescape(c->s, c->len, &ch);
        if (out && !buf_putc(out, ch))
            return false;
        skip(c, n);
    }
    if (c->len == 0)
        return false;
    skip(c, 1);
    return true;
}

/* One `; name=value`.  *got collects which of ours came. */
static const char *take_param(struct cursor *c, struct multipart_part *part,
                              unsigned *got)
{
    skip_blanks(c);
    size_t n = token_len(c);
    const char *name = c->s;
    skip(c, n);
    skip_blanks(c);
    if (n == 0 || c->len == 0 || *c->s != '=')
        return "Content-Disposition: a parameter is not name=value";
    skip(c, 1);
    skip_blanks(c);
    unsigned which = is_word(name, n, "name")       ? PARAM_NAME
                     : is_word(name, n, "filename") ? PARAM_FILENAME
                                                    : 0;
    if (*got & which)
        return "Content-Disposition: name or filename is given twice";
    *got |= which;
    struct buf *out = which == PARAM_NAME       ? &part->name
                      : which == PARAM_FILENAME ? &part->filename
                                                : NULL;
    if (!take_value(c, out))
        return "Content-Disposition: a parameter's value is broken";
    skip_blanks(c);
    return NULL;
}

/* `; a=b; c="d"` to the end. */
static const char *take_params(struct cursor *c, struct multipart_part *part,
                               unsigned *got)
{
    skip_blanks(c);
    while (c->len > 0) {
        if (*c->s != ';')
            return "Content-Disposition: a parameter's value is broken";
        skip(c, 1);
        const char *error = take_param(c, part, got);
        if (error)
            return error;
    }
    return NULL;
}

static const char *parse_disposition(struct cursor c, struct multipart_part *part)
{
    unsigned got = 0;
    size_t n = token_len(&c);
    if (!is_word(c.s, n, "form-data"))
        return "Content-Disposition is not form-data";
    skip(&c, n);
    const char *error = take_params(&c, part, &got);
    if (error)
        return error;
    if (!(got & PARAM_NAME))
        return "Content-Disposition has no name";
    part->has_filename = (got & PARAM_FILENAME) != 0;
    return NULL;
}

static const char *parse_value(const char *name, size_t name_len, struct cursor value,
                               struct multipart_part *part, unsigned *seen)
{
    unsigned which = 0;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (is_word(name, name_len, headers[i].name))
            which = headers[i].seen;
    if (*seen & which)
        return "a header of a part is given twice";
    *seen |= which;
    if (which == SEEN_DISPOSITION)
        return parse_disposition(value, part);
    if (which == SEEN_TYPE) {
        if (value.len >= 10 && strncasecmp(value.s, "multipart/", 10) == 0)
            return "a part is itself multipart";
        return buf_add(&part->type, value.s, value.len) ? NULL : "out of memory";
    }
    if (which == SEEN_ENCODING && !is_word(value.s, value.len, "7bit") &&
        !is_word(value.s, value.len, "8bit") && !is_word(value.s, value.len, "binary"))
        return "Content-Transfer-Encoding of a part is not 7bit, 8bit or binary";
    if (which == SEEN_MD5 && !http_digest_parse_md5(value.s, value.len, &part->digest))
        return "Content-MD5 of a part is broken";
    if ((which == SEEN_CONTENT_DIGEST || which == SEEN_REPR_DIGEST) &&
        !http_digest_parse(value.s, value.len, &part->digest))
        return "a digest of a part is broken";
    return NULL;
}

const char *multipart_header_parse(const char *line, size_t len,
                                   struct multipart_part *part, unsigned *seen)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)line[i];
        if ((ch < 0x20 && ch != '\t') || ch == 0x7f)
            return "a header of a part holds a control character";
    }
    if (line[0] == ' ' || line[0] == '\t')
        return "a header of a part is folded";
    struct cursor c = {line, len};
    size_t n = token_len(&c);
    skip(&c, n);
    if (n == 0 || c.len == 0 || *c.s != ':')
        return "a header of a part is not name: value";
    skip(&c, 1);
    skip_blanks(&c);
    while (c.len > 0 && (c.s[c.len - 1] == ' ' || c.s[c.len - 1] == '\t'))
        c.len--;
    return parse_value(line, n, c, part, seen);
}

const char *multipart_header_check(unsigned seen)
{
    return seen & SEEN_DISPOSITION ? NULL : "a part has no Content-Disposition";
}

bool multipart_header_filename(const char *value, size_t len, struct buf *ret)
{
    struct cursor c = {value, len};
    struct multipart_part part = {.name = BUF_INIT(len), .filename = BUF_INIT(len)};
    unsigned got = 0;
    size_t n = token_len(&c);
    skip(&c, n);
    bool found = n > 0 && !take_params(&c, &part, &got) && (got & PARAM_FILENAME) &&
                 buf_add(ret, part.filename.data, part.filename.len);
    if (part.name.starved || part.filename.starved)
        ret->failed = ret->starved = true;
    buf_release(&part.name);
    buf_release(&part.filename);
    return found;
}

static bool is_boundary(const char *s, size_t len)
{
    if (len == 0 || len > MULTIPART_BOUNDARY_MAX || s[len - 1] == ' ')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || (c != '\0' && strchr("'()+_,-./:=? ", c));
        if (!ok)
            return false;
    }
    return true;
}

/* The value of one parameter, unquoted but not unescaped: a boundary has no character that needs it. */
static bool take_plain(struct cursor *c, struct cursor *ret)
{
    if (c->len > 0 && *c->s == '"') {
        const char *end = memchr(c->s + 1, '"', c->len - 1);
        if (!end)
            return false;
        *ret = (struct cursor){c->s + 1, (size_t)(end - c->s) - 1};
        skip(c, ret->len + 2);
        return true;
    }
    size_t n = 0;
    while (n < c->len && !strchr("; \t", c->s[n]))
        n++;
    *ret = (struct cursor){c->s, n};
    skip(c, n);
    return true;
}

enum err_code multipart_parse_boundary(const char *s, size_t len,
                                       const char **ret_boundary, size_t *ret_len,
                                       struct err *e)
{
    static const char type[] = "multipart/form-data";
    struct cursor c = {s, len}, found = {NULL, 0};
    if (len < sizeof type - 1 || strncasecmp(s, type, sizeof type - 1) != 0)
        return err_set(e, ERR_REJECT, "not multipart/form-data");
    skip(&c, sizeof type - 1);
    skip_blanks(&c);
    while (c.len > 0) {
        if (*c.s != ';')
            return err_set(e, ERR_REJECT, "Content-Type: broken parameter");
        skip(&c, 1);
        skip_blanks(&c);
        if (c.len == 0)
            break; /* a lone ';' at the end is common */
        size_t n = token_len(&c);
        const char *name = c.s;
        struct cursor value;
        skip(&c, n);
        if (n == 0 || c.len == 0 || *c.s != '=')
            return err_set(e, ERR_REJECT, "Content-Type: broken parameter");
        skip(&c, 1);
        if (!take_plain(&c, &value))
            return err_set(e, ERR_REJECT, "Content-Type: broken parameter");
        skip_blanks(&c);
        if (!is_word(name, n, "boundary"))
            continue;
        if (found.s)
            return err_set(e, ERR_REJECT, "Content-Type: boundary is given twice");
        found = value;
    }
    if (!found.s)
        return err_set(e, ERR_REJECT, "Content-Type: boundary is missing");
    if (!is_boundary(found.s, found.len))
        return err_set(e, ERR_REJECT,
                       "Content-Type: boundary is not 1 to 70 characters of RFC 2046");
    *ret_boundary = found.s;
    *ret_len = found.len;
    return ERR_OK;
}
