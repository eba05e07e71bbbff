#include "worker/metrics/metrics_request.h"

#include <string.h>
#include <strings.h>

/* The next line of *s, without its end; false: there is no end. */
static bool next_line(const char **s, size_t *left, const char **ret, size_t *ret_len)
{
    const char *end = memchr(*s, '\n', *left);
    if (!end)
        return false;
    *ret = *s;
    *ret_len = (size_t)(end - *s);
    *left -= *ret_len + 1;
    *s = end + 1;
    if (*ret_len > 0 && (*ret)[*ret_len - 1] == '\r')
        --*ret_len;
    return true;
}

static bool begins(const char *s, size_t len, const char *what)
{
    size_t n = strlen(what);
    return len >= n && memcmp(s, what, n) == 0;
}

static enum metrics_request judge_first(const char *s, size_t len)
{
    const char *space = memchr(s, ' ', len);
    if (!space || space == s)
        return METRICS_REQUEST_BAD;
    size_t method_len = (size_t)(space - s);
    const char *target = space + 1;
    size_t left = len - method_len - 1;
    const char *end = memchr(target, ' ', left);
    if (!end || end == target ||
        !begins(end + 1, (size_t)(s + len - end - 1), "HTTP/1."))
        return METRICS_REQUEST_BAD;
    size_t target_len = (size_t)(end - target);
    const char *query = memchr(target, '?', target_len);
    if (query)
        target_len = (size_t)(query - target);
    bool is_get = method_len == 3 && memcmp(s, "GET", 3) == 0;
    bool is_head = method_len == 4 && memcmp(s, "HEAD", 4) == 0;
    if (target_len != 8 || memcmp(target, "/metrics", 8) != 0)
        return METRICS_REQUEST_NOT_FOUND;
    return is_get    ? METRICS_REQUEST_GET
           : is_head ? METRICS_REQUEST_HEAD
                     : METRICS_REQUEST_METHOD;
}

/* localhost, an address of 127.0.0.0/8 or [::1], with a port or without. */
static bool is_here(const char *s, size_t len)
{
    size_t host_len = len;
    for (size_t i = len; i > 0 && host_len == len && s[i - 1] != ']'; i--)
        if (s[i - 1] == ':')
            host_len = i - 1;
    if (host_len == 9 && strncasecmp(s, "localhost", 9) == 0)
        return true;
    if (host_len == 5 && memcmp(s, "[::1]", 5) == 0)
        return true;
    if (!begins(s, host_len, "127."))
        return false;
    for (size_t i = 0; i < host_len; i++)
        if ((s[i] < '0' || s[i] > '9') && s[i] != '.')
            return false;
    return true;
}

/* Whether a header line lets the request pass. */
static bool may_pass(const char *s, size_t len)
{
    if (len < 5 || strncasecmp(s, "Host:", 5) != 0)
        return true;
    s += 5;
    len -= 5;
    while (len > 0 && (*s == ' ' || *s == '\t')) {
        s++;
        len--;
    }
    while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
        len--;
    return is_here(s, len);
}

enum metrics_request metrics_request_parse(const char *s, size_t len, bool any_host)
{
    enum metrics_request verdict = METRICS_REQUEST_MORE;
    const char *line;
    size_t left = len, line_len;
    bool passes = true;
    while (next_line(&s, &left, &line, &line_len)) {
        if (verdict == METRICS_REQUEST_MORE) {
            verdict = judge_first(line, line_len);
            if (verdict == METRICS_REQUEST_BAD)
                return verdict;
        } else if (line_len == 0) {
            return passes || any_host ? verdict : METRICS_REQUEST_FORBIDDEN;
        } else {
            passes = passes && may_pass(line, line_len);
        }
    }
    return len < METRICS_REQUEST_MAX ? METRICS_REQUEST_MORE : METRICS_REQUEST_TOO_LONG;
}
