#include "worker/http/http_response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { RETRY_AFTER_MAX_S = 3600, DIGITS_MAX = 18 };

#define TEXT(member)                                                                   \
    offsetof(struct http_response, member), sizeof((struct http_response *)0)->member

static const struct {
    const char *name;
    size_t offset, size;
} fields[] = {
    {"etag", TEXT(etag)},
    {"repr-digest", TEXT(repr_digest)},
    {"x-amz-checksum-sha256", TEXT(checksum_sha256)},
    {"x-amz-checksum-crc32c", TEXT(checksum_crc32c)},
    {"x-amz-checksum-type", TEXT(checksum_type)},
    {"x-amz-server-side-encryption", TEXT(encryption)},
    {"x-amz-request-id", TEXT(request_id)},
    {"x-amz-bucket-region", TEXT(region)},
    {"retry-after", TEXT(retry_after)},
    {"date", TEXT(date)},
    {"content-type", TEXT(content_type)},
    {"content-range", TEXT(content_range)},
    {"content-encoding", TEXT(content_encoding)},
    {"transfer-encoding", TEXT(transfer_encoding)},
    {"accept-ranges", TEXT(accept_ranges)},
    {"last-modified", TEXT(last_modified)},
    {"location", TEXT(location)},
};

static void clear(struct http_response *r)
{
    r->status = 0;
    r->has_whole_head = false;
    r->content_length = -1;
    r->is_contradictory = false;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        ((char *)r)[fields[i].offset] = '\0';
    buf_clear(&r->body);
}

void http_response_init(struct http_response *r)
{
    memset(r, 0, sizeof *r);
    buf_init(&r->body, HTTP_BODY_MAX);
    clear(r);
}

void http_response_release(struct http_response *r)
{
    buf_release(&r->body);
}

/* A number of nothing but digits; -1 for anything else. */
static int64_t parse_number(const char *s, size_t len)
{
    int64_t n = 0;

    if (len == 0 || len > DIGITS_MAX)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        n = n * 10 + (s[i] - '0');
    }
    return n;
}

/* "HTTP/1.1 200 OK": the three digits after the first blank. */
static void add_status(struct http_response *r, const char *line, size_t len)
{
    const char *blank = memchr(line, ' ', len);

    clear(r);
    if (!blank || len - (size_t)(blank - line) < 4)
        return;
    int64_t status = parse_number(blank + 1, 3);
    r->status = status >= 100 ? (int)status : 0;
}

static void store(char *field, size_t size, const char *value, size_t len)
{
    if (len >= size)
        return;
    for (size_t i = 0; i < len; i++)
        if (value[i] < ' ' || value[i] > '~')
            return;
    memcpy(field, value, len);
    field[len] = '\0';
}

static void add_length(struct http_response *r, int64_t length)
{
    r->is_contradictory |=
        length < 0 || (r->content_length >= 0 && r->content_length != length);
    r->content_length = length;
}

void http_response_add_line(struct http_response *r, const char *line, size_t len)
{
    while (len > 0 && strchr("\r\n \t", line[len - 1]))
        len--;
    if (len == 0)
        r->has_whole_head = true;
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        add_status(r, line, len);
        return;
    }
    const char *colon = len ? memchr(line, ':', len) : NULL;
    if (!colon)
        return;
    size_t name_len = (size_t)(colon - line);
    const char *value = colon + 1;
    while (value < line + len && (*value == ' ' || *value == '\t'))
        value++;
    size_t value_len = (size_t)(line + len - value);
    if (name_len == 14 && strncasecmp(line, "content-length", name_len) == 0)
        add_length(r, parse_number(value, value_len));
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strlen(fields[i].name) == name_len &&
            strncasecmp(line, fields[i].name, name_len) == 0)
            store((char *)r + fields[i].offset, fields[i].size, value, value_len);
}

int64_t http_response_retry_after_ms(const struct http_response *r)
{
    int64_t s = parse_number(r->retry_after, strlen(r->retry_after));

    if (s < 0)
        return 0;
    return (s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S) * 1000;
}

static bool parse_date(const char *text, int64_t *ret_s)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);

    if (!text[0] || !end || *end)
        return false;
    *ret_s = (int64_t)timegm(&tm);
    return true;
}

bool http_response_date(const struct http_response *r, int64_t *ret_s)
{
    return parse_date(r->date, ret_s);
}

bool http_response_is_dated_well(const struct http_response *r)
{
    int64_t modified_s, date_s;

    return parse_date(r->last_modified, &modified_s) &&
           (!http_response_date(r, &date_s) || modified_s < date_s);
}
