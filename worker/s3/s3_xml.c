#include "worker/s3/s3_xml.h"

#include <string.h>

#include "shared/utf8.h"

/* What reading a piece came to. */
enum step {
    STEP_DONE, /* read; go on */
    STEP_END,  /* the bytes end inside it */
    STEP_BAD   /* not what S3 sends */
};

struct reader {
    const char *at, *end;
    struct s3_xml_span open[S3_XML_DEPTH_MAX]; /* names of the elements we are in */
    size_t depth;
    const struct s3_xml_visitor *visitor;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-' || c == '.' || c == ':';
}

bool s3_xml_is(struct s3_xml_span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && is_space(*r->at))
        r->at++;
}

static bool starts_with(const struct reader *r, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(r->end - r->at) >= len && memcmp(r->at, text, len) == 0;
}

/* Byte order mark, white space, <?xml ...?>, white space. */
static enum step skip_prolog(struct reader *r)
{
    if (starts_with(r, "\xef\xbb\xbf"))
        r->at += 3;
    skip_space(r);
    if (starts_with(r, "<?xml")) {
        const char *close = memmem(r->at, (size_t)(r->end - r->at), "?>", 2);
        if (!close)
            return STEP_END;
        r->at = close + 2;
        skip_space(r);
    }
    return r->at == r->end ? STEP_END : STEP_DONE;
}

static struct s3_xml_span read_name(struct reader *r)
{
    struct s3_xml_span name = {r->at, 0};

    while (r->at < r->end && is_name(*r->at))
        r->at++;
    name.len = (size_t)(r->at - name.at);
    return name;
}

/* To the '>' of a tag whose name was read, over attributes; quoted values may hold anything but '<'. */
static enum step skip_attributes(struct reader *r, bool *ret_is_empty)
{
    char quote = '\0', last = '\0';

    for (; r->at < r->end; r->at++) {
        char c = *r->at;
        if (c == '<')
            return STEP_BAD;
        if (!quote && c == '>') {
            r->at++;
            *ret_is_empty = last == '/';
            return STEP_DONE;
        }
        if (!quote && (c == '"' || c == '\''))
            quote = c;
        else if (quote == c)
            quote = '\0';
        last = c;
    }
    return STEP_END;
}

/* The first byte at s is, with what s stands for, put into *ret_char; returns how many bytes of s that took. */
static size_t decode_char(struct s3_xml_span s, char *ret_char)
{
    static const struct {
        const char *reference;
        char c;
    } known[] = {{"&amp;", '&'},   {"&lt;", '<'},  {"&gt;", '>'}, {"&quot;", '"'},
                 {"&apos;", '\''}, {"&#34;", '"'}, /* as Go's encoder has them */
                 {"&#39;", '\''}};

    for (size_t i = 0; s.at[0] == '&' && i < sizeof known / sizeof known[0]; i++) {
        size_t len = strlen(known[i].reference);
        if (s.len >= len && memcmp(s.at, known[i].reference, len) == 0) {
            *ret_char = known[i].c;
            return len;
        }
    }
    *ret_char = s.at[0];
    return 1;
}

bool s3_xml_copy(struct s3_xml_span s, char *ret, size_t size)
{
    size_t used = 0;

    while (s.len && is_space(s.at[s.len - 1]))
        s.len--;
    while (s.len && is_space(s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len && used + 1 < size) {
        char c;
        size_t taken = decode_char(s, &c);
        ret[used++] = (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c;
        s.at += taken;
        s.len -= taken;
    }
    ret[s.len ? utf8_whole(ret, used) : used] = '\0';
    return s.len == 0;
}

/* A text that is cut off might say something else than it does. */
static void tell_text(const struct reader *r, struct s3_xml_span name)
{
    const char *stop = memchr(r->at, '<', (size_t)(r->end - r->at));

    if (stop)
        r->visitor->on_text(r->depth, name,
                            (struct s3_xml_span){r->at, (size_t)(stop - r->at)},
                            r->visitor->ctx);
}

/* Behind "<".  What begins no name is refused: '!' and '?' too. */
static enum step read_start_tag(struct reader *r, struct s3_xml *ret)
{
    bool is_empty = false;
    struct s3_xml_span name = read_name(r);

    if (name.len == 0)
        return r->at == r->end ? STEP_END : STEP_BAD;
    if (r->at < r->end && !is_space(*r->at) && *r->at != '/' && *r->at != '>')
        return STEP_BAD;
    enum step step = skip_attributes(r, &is_empty);
    if (step != STEP_DONE)
        return step;
    if (r->depth == S3_XML_DEPTH_MAX)
        return STEP_BAD;
    if (r->depth == 0)
        (void)s3_xml_copy(name, ret->root, sizeof ret->root);
    if (is_empty)
        return STEP_DONE;
    r->open[r->depth++] = name;
    tell_text(r, name);
    return STEP_DONE;
}

/* Behind "</". */
static enum step read_end_tag(struct reader *r)
{
    struct s3_xml_span name = read_name(r);

    skip_space(r);
    if (r->at == r->end)
        return STEP_END;
    if (*r->at++ != '>' || r->depth == 0)
        return STEP_BAD;
    const struct s3_xml_span *open = &r->open[r->depth - 1];
    if (open->len != name.len || memcmp(open->at, name.at, name.len) != 0)
        return STEP_BAD;
    if (r->visitor->on_end)
        r->visitor->on_end(r->depth, name, r->visitor->ctx);
    r->depth--;
    return STEP_DONE;
}

/* One tag and the text before it; r->at is at the root's '<', or inside the root. */
static enum step read_tag(struct reader *r, struct s3_xml *ret)
{
    const char *tag = memchr(r->at, '<', (size_t)(r->end - r->at));

    if (!tag || tag + 1 == r->end)
        return STEP_END;
    r->at = tag + 1;
    if (*r->at != '/')
        return read_start_tag(r, ret);
    r->at++;
    return read_end_tag(r);
}

/* True unless something is refused. */
static bool read_document(struct reader *r, struct s3_xml *ret)
{
    enum step step = skip_prolog(r);

    if (step == STEP_DONE && *r->at != '<')
        return false;
    while (step == STEP_DONE) {
        step = read_tag(r, ret);
        if (step == STEP_DONE && r->depth == 0) {
            skip_space(r);
            ret->is_complete = true;
            return r->at == r->end;
        }
    }
    return step == STEP_END && ret->root[0] != '\0';
}

bool s3_xml_read(const char *body, size_t len, const struct s3_xml_visitor *v,
                 struct s3_xml *ret)
{
    struct s3_xml found = {.is_complete = false};
    size_t seen = len < S3_XML_BODY_MAX ? len : S3_XML_BODY_MAX;

    *ret = found;
    if (seen == 0 || memchr(body, '\0', seen))
        return false;
    struct reader r = {.at = body, .end = body + seen, .visitor = v};
    if (!read_document(&r, &found))
        return false;
    *ret = found;
    return true;
}
