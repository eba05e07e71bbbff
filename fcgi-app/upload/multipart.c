#include "fcgi-app/upload/multipart.h"

#include "fcgi-app/upload/multipart_find.h"
#include "fcgi-app/upload/multipart_header.h"

#include <string.h>

enum {
    IN_PREAMBLE,
    AFTER_DELIMITER, /* CRLF or -- must follow */
    IN_HEADERS,
    IN_DATA,
    IN_EPILOGUE,
    IN_ERROR
};

void multipart_init(struct multipart *m, const char *boundary, size_t len,
                    const struct multipart_limits *limits)
{
    memset(m, 0, sizeof *m);
    m->limits = *limits;
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary, len);
    m->delimiter_len = 4 + len;
    buf_init(&m->line, limits->header_bytes);
    buf_init(&m->part.name, limits->header_bytes);
    buf_init(&m->part.filename, limits->header_bytes);
    buf_init(&m->part.type, limits->header_bytes);
    m->state = IN_PREAMBLE;
    /* The body may begin with the delimiter: as if a CRLF had gone before. */
    m->held = m->resume = 2;
}

void multipart_release(struct multipart *m)
{
    buf_release(&m->line);
    buf_release(&m->part.name);
    buf_release(&m->part.filename);
    buf_release(&m->part.type);
}

void multipart_feed(struct multipart *m, const char *chunk, size_t len)
{
    m->in = chunk;
    m->in_len = len;
}

bool multipart_is_complete(const struct multipart *m)
{
    return m->state == IN_EPILOGUE;
}

static enum multipart_event bad(struct multipart *m, const char *error)
{
    m->state = IN_ERROR;
    m->error = error;
    return MULTIPART_BAD;
}

static enum multipart_event over(struct multipart *m, const char *error)
{
    m->over_limit = true;
    return bad(m, error);
}

/* What was added to this buf did not fit: its limit is that of the headers, which was looked at before. */
static enum multipart_event starved(struct multipart *m)
{
    m->no_memory = true;
    return bad(m, "out of memory");
}

static void skip(struct multipart *m, size_t n)
{
    m->in += n;
    m->in_len -= n;
    m->work += n;
}

/* How many bytes of the delimiter, from its byte `from` on, the input continues with. */
static size_t match(const struct multipart *m, const char *s, size_t len, size_t from)
{
    size_t n = 0;
    while (n < len && from + n < m->delimiter_len && s[n] == m->delimiter[from + n])
        n++;
    return n;
}

/* How many bytes at the end of the input may be the beginning of a delimiter; no whole one is in it.  Only the last CR can begin
 * one, since the delimiter has no other. */
static size_t tail_len(const struct multipart *m)
{
    size_t most = m->in_len < m->delimiter_len ? m->in_len : m->delimiter_len - 1;
    const char *end = m->in + m->in_len;
    const char *cr = memrchr(end - most, '\r', most);
    size_t n = cr ? (size_t)(end - cr) : 0;
    return n > 0 && match(m, cr, n, 0) == n ? n : 0;
}

/* What scan() found in front of it. */
enum found { FOUND_BYTES, FOUND_DELIMITER, FOUND_NOTHING };

/* With a delimiter begun: whether it goes on.  The bytes that were held turn out to be data where it does not, but for those that
 * had been there before. */
static enum found scan_held(struct multipart *m)
{
    size_t n = match(m, m->in, m->in_len, m->held);
    skip(m, n);
    m->held += n;
    if (m->held < m->delimiter_len && m->in_len == 0)
        return FOUND_NOTHING;
    bool whole = m->held == m->delimiter_len;
    m->data = m->delimiter + m->resume;
    m->data_len = m->held - m->resume;
    m->held = m->resume = 0;
    return whole ? FOUND_DELIMITER : FOUND_BYTES;
}

/*
 * Take bytes up to the next delimiter.  FOUND_BYTES: data, data_len were set.  FOUND_DELIMITER: it has been
 * skipped.  FOUND_NOTHING: the chunk is used up.
 * The delimiter holds a CR only at its start, so after a mismatch no earlier match can be under way: the bytes
 * held back are data, and the search goes on at the byte that did not fit.
 */
static enum found scan(struct multipart *m)
{
    if (m->held > 0) {
        enum found found = scan_held(m);
        if (found != FOUND_BYTES || m->data_len > 0)
            return found;
    }
    const char *at = multipart_find(m->in, m->in_len, m->delimiter, m->delimiter_len);
    size_t n = at ? (size_t)(at - m->in) : m->in_len - tail_len(m);
    m->data = m->in;
    m->data_len = n;
    skip(m, n);
    if (n > 0)
        return FOUND_BYTES; /* first what stands before it */
    m->held = at ? m->delimiter_len : m->in_len;
    skip(m, m->held);
    if (!at)
        return FOUND_NOTHING;
    m->held = 0;
    return FOUND_DELIMITER;
}

static enum multipart_event outside(struct multipart *m, size_t n)
{
    m->outside += n;
    if (m->outside > m->limits.outside_bytes)
        return over(m, "too many bytes outside the parts");
    return MULTIPART_MORE;
}

static enum multipart_event next_preamble(struct multipart *m)
{
    enum found found;
    while ((found = scan(m)) == FOUND_BYTES)
        if (outside(m, m->data_len) == MULTIPART_BAD)
            return MULTIPART_BAD;
    if (found == FOUND_NOTHING)
        return MULTIPART_MORE;
    m->outside = 0;
    m->state = AFTER_DELIMITER;
    return multipart_next(m);
}

static void begin_headers(struct multipart *m)
{
    m->state = IN_HEADERS;
    m->header_count = 0;
    m->header_bytes = 0;
    m->seen = 0;
    m->part.has_filename = false;
    m->part.digest = (struct http_digest)HTTP_DIGEST_INIT;
    buf_clear(&m->line);
    buf_clear(&m->part.name);
    buf_clear(&m->part.filename);
    buf_clear(&m->part.type);
}

/* Two bytes decide; the first waits in `line` when a chunk ends between them. */
static enum multipart_event next_after_delimiter(struct multipart *m)
{
    while (m->line.len < 2) {
        if (m->in_len == 0)
            return MULTIPART_MORE;
        if (!buf_putc(&m->line, *m->in))
            return starved(m);
        skip(m, 1);
    }
    if (memcmp(m->line.data, "--", 2) == 0) {
        m->state = IN_EPILOGUE;
        return MULTIPART_END;
    }
    if (memcmp(m->line.data, "\r\n", 2) != 0)
        return bad(m, "a delimiter is followed by neither CRLF nor \"--\"");
    if (m->part_count == m->limits.parts)
        return over(m, "too many parts");
    m->part_count++;
    begin_headers(m);
    return multipart_next(m);
}

/* A whole line without its CRLF stands in m->line. */
static enum multipart_event take_line(struct multipart *m)
{
    if (m->line.len == 0) {
        const char *error = multipart_header_check(m->seen);
        if (error)
            return bad(m, error);
        m->state = IN_DATA;
        /* An empty part: its CRLF is the one that ended the headers. */
        m->held = m->resume = 2;
        return MULTIPART_PART;
    }
    if (++m->header_count > m->limits.headers)
        return over(m, "too many headers in a part");
    const char *error =
        multipart_header_parse(m->line.data, m->line.len, &m->part, &m->seen);
    buf_clear(&m->line);
    if (error &&
        (m->part.name.starved || m->part.filename.starved || m->part.type.starved))
        return starved(m);
    return error ? bad(m, error) : MULTIPART_MORE;
}

static enum multipart_event next_headers(struct multipart *m)
{
    while (m->in_len > 0) {
        const char *lf = memchr(m->in, '\n', m->in_len);
        size_t n = lf ? (size_t)(lf - m->in) + 1 : m->in_len;
        m->header_bytes += n;
        if (m->header_bytes > m->limits.header_bytes)
            return over(m, "the headers of a part are too long");
        if (!buf_add(&m->line, m->in, n))
            return starved(m);
        skip(m, n);
        if (!lf)
            break;
        if (m->line.len < 2 || m->line.data[m->line.len - 2] != '\r')
            return bad(m, "a line of a part's headers does not end in CRLF");
        m->line.len -= 2;
        m->line.data[m->line.len] = '\0';
        enum multipart_event event = take_line(m);
        if (event != MULTIPART_MORE)
            return event;
    }
    return MULTIPART_MORE;
}

static enum multipart_event next_data(struct multipart *m)
{
    enum found found = scan(m);
    if (found == FOUND_NOTHING)
        return MULTIPART_MORE;
    if (found == FOUND_DELIMITER) {
        buf_clear(&m->line);
        m->state = AFTER_DELIMITER;
        return MULTIPART_PART_END;
    }
    return MULTIPART_DATA;
}

enum multipart_event multipart_next(struct multipart *m)
{
    switch (m->state) {
    case IN_PREAMBLE:
        return next_preamble(m);
    case AFTER_DELIMITER:
        return next_after_delimiter(m);
    case IN_HEADERS:
        return next_headers(m);
    case IN_DATA:
        return next_data(m);
    case IN_EPILOGUE: {
        size_t n = m->in_len;
        skip(m, n);
        return outside(m, n);
    }
    default:
        return MULTIPART_BAD;
    }
}
