#include "tests/chaos/wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct head {
    int64_t length; /* -1: not said */
    bool chunked, close;
};

static bool parse_digits(const char *s, size_t len, int base, int64_t *ret)
{
    int64_t n = 0;

    if (len == 0 || len > 9)
        return false;
    for (size_t i = 0; i < len; i++) {
        int c = s[i] | 0x20;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : 99;
        if (digit >= base)
            return false;
        n = n * base + digit;
    }
    *ret = n;
    return true;
}

/* A header of the name "name:", its value without blanks around it. */
static bool is_header(const char *line, size_t len, const char *name,
                      const char **ret_value, size_t *ret_len)
{
    size_t n = strlen(name);

    if (len < n || strncasecmp(line, name, n) != 0)
        return false;
    while (n < len && line[n] == ' ')
        n++;
    while (len > n && line[len - 1] == ' ')
        len--;
    *ret_value = line + n;
    *ret_len = len - n;
    return true;
}

static bool take_header(const char *line, size_t len, struct head *h)
{
    const char *value;
    size_t n;

    if (is_header(line, len, "Content-Length:", &value, &n))
        return parse_digits(value, n, 10, &h->length);
    if (is_header(line, len, "Transfer-Encoding:", &value, &n))
        h->chunked = n == 7 && strncasecmp(value, "chunked", n) == 0;
    else if (is_header(line, len, "Connection:", &value, &n))
        h->close = n == 5 && strncasecmp(value, "close", n) == 0;
    return true;
}

/* Length of a chunked body; -1: not all there; -2: none. */
static int64_t chunked_length(const char *body, size_t len)
{
    const char *at = body, *end = body + len;
    int64_t size;

    for (;;) {
        const char *line = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (!line)
            return end - at > 16 ? -2 : -1;
        if (!parse_digits(at, (size_t)(line - at), 16, &size))
            return -2;
        if (end - line - 4 < size)
            return -1;
        if (memcmp(line + 2 + size, "\r\n", 2) != 0)
            return -2;
        at = line + 4 + size;
        if (size == 0)
            return at - body;
    }
}

static enum wire_result measure_body(const struct head *h, size_t available, bool ended,
                                     const char *body, struct wire_answer *ret)
{
    int64_t len = h->length;

    if (ret->status < 200 || ret->status == 204 || ret->status == 304)
        len = 0;
    else if (h->chunked)
        len = chunked_length(body, available);
    else if (len < 0) {
        ret->close = true;
        len = ended ? (int64_t)available : -1;
    }
    if (len == -2)
        return WIRE_BAD;
    if (len < 0 || (uint64_t)len > available)
        return WIRE_BROKEN;
    ret->body_len = (size_t)len;
    return WIRE_OK;
}

enum wire_result wire_parse_answer(const char *data, size_t len, bool ended,
                                   struct wire_answer *ret)
{
    static const char version[] = "HTTP/1.";
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    struct head h = {.length = -1};
    int64_t status;

    size_t known = len < sizeof version - 1 ? len : sizeof version - 1;
    if (memcmp(data, version, known) != 0)
        return WIRE_BAD;
    if (!end)
        return WIRE_BROKEN;
    const char *line = memmem(data, len, "\r\n", 2);
    if (line - data < 12 || data[8] != ' ' || !parse_digits(data + 9, 3, 10, &status) ||
        status < 100)
        return WIRE_BAD;
    while (line < end) {
        const char *start = line + 2;
        line = memmem(start, (size_t)(end + 2 - start), "\r\n", 2);
        if (!take_header(start, (size_t)(line - start), &h))
            return WIRE_BAD;
    }
    size_t head_len = (size_t)(end + 4 - data);
    struct wire_answer a = {
        .status = (int)status, .head_len = head_len, .close = h.close};
    enum wire_result got = measure_body(&h, len - head_len, ended, data + head_len, &a);
    if (got == WIRE_OK)
        *ret = a;
    return got;
}

bool wire_json_string(const char *text, const char *name, char *ret, size_t size)
{
    size_t name_len = strlen(name);

    for (const char *at = text; (at = strstr(at, name)); at++) {
        const char *value = at + name_len;
        if (at == text || at[-1] != '"' || strncmp(value, "\":\"", 3) != 0)
            continue;
        value += 3;
        size_t len = strcspn(value, "\"\\");
        if (value[len] != '"' || len >= size)
            return false;
        memcpy(ret, value, len);
        ret[len] = '\0';
        return true;
    }
    return false;
}

bool wire_next_job(const char **at, struct wire_job *ret_job)
{
    static const char begin[] = "{\"id\":\"", size[] = "\"size\":";
    const char *job = strstr(*at, begin);
    struct wire_job found = {.size = -1};
    struct job_id id;

    if (!job || !wire_json_string(job, "id", found.id, sizeof found.id) ||
        !id_parse_job(found.id, strlen(found.id), &id))
        return false;
    const char *next = strstr(job + sizeof begin - 1, begin);
    const char *number = strstr(job, size);
    if (number && (!next || number < next))
        found.size = strtoll(number + sizeof size - 1, NULL, 10);
    const char *sum = strstr(job, "\"sha256\":");
    if (sum && (!next || sum < next))
        (void)wire_json_string(sum, "sha256", found.sha256, sizeof found.sha256);
    *at = next ? next : job + strlen(job);
    *ret_job = found;
    return true;
}
