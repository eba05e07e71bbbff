#include "fcgi-app/http/request.h"

#include <string.h>
#include <strings.h>

/* Parameters that decide what the request is: given twice, two readers could disagree on it. */
#define NAME(text)                                                                     \
    {                                                                                  \
        text, sizeof(text) - 1                                                         \
    }
static const struct {
    const char *name;
    size_t len;
} single[] = {
    NAME("REQUEST_METHOD"),     NAME("REQUEST_URI"),
    NAME("DOCUMENT_URI"),       NAME("SCRIPT_NAME"),
    NAME("PATH_INFO"),          NAME("QUERY_STRING"),
    NAME("CONTENT_LENGTH"),     NAME("CONTENT_TYPE"),
    NAME("HOIST_BODY_FILE"),    NAME("REMOTE_ADDR"),
    NAME("HTTP_AUTHORIZATION"), NAME("HTTP_HOST"),
    NAME("HTTP_ORIGIN"),        NAME("HTTP_IDEMPOTENCY_KEY"),
    NAME("HTTP_CONTENT_MD5"),   NAME("HTTP_CONTENT_DIGEST"),
    NAME("HTTP_REPR_DIGEST"),   NAME("HTTP_CONTENT_DISPOSITION"),
    NAME("HTTP_CONTENT_RANGE"),
};

static const struct {
    const char *name;
    enum request_method method;
} methods[] = {
    {"GET", METHOD_GET},     {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
    {"PUT", METHOD_PUT},     {"DELETE", METHOD_DELETE}, {"OPTIONS", METHOD_OPTIONS},
    {"PATCH", METHOD_PATCH},
};

const char *request_method_name(enum request_method method)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].method == method)
            return methods[i].name;
    return NULL;
}

static const struct {
    const char *name; /* behind HTTP_ */
    size_t len;
} headers[REQUEST_HEADERS] = {
#define HEADER(text)                                                                   \
    {                                                                                  \
        text, sizeof text - 1                                                          \
    }
    [REQUEST_CONTENT_ENCODING] = HEADER("CONTENT_ENCODING"),
    [REQUEST_CONTENT_RANGE] = HEADER("CONTENT_RANGE"),
    [REQUEST_IDEMPOTENCY_KEY] = HEADER("IDEMPOTENCY_KEY"),
    [REQUEST_IF_NONE_MATCH] = HEADER("IF_NONE_MATCH"),
    [REQUEST_PREFER] = HEADER("PREFER"),
    [REQUEST_RANGE] = HEADER("RANGE"),
    [REQUEST_ID] = HEADER("X_REQUEST_ID"),
    [REQUEST_TRACEPARENT] = HEADER("TRACEPARENT"),
    [REQUEST_TRACESTATE] = HEADER("TRACESTATE"),
    [REQUEST_TRANSFER_ENCODING] = HEADER("TRANSFER_ENCODING"),
};

static void read_headers(struct request *r)
{
    memset(r->headers, 0, sizeof r->headers);
    r->headers_twice = 0;
    for (char *const *p = r->params; *p; p++) {
        if (strncmp(*p, "HTTP_", 5) != 0)
            continue;
        const char *name = *p + 5;
        for (size_t i = 0; i < REQUEST_HEADERS; i++) {
            if (name[0] != headers[i].name[0] ||
                strncmp(name, headers[i].name, headers[i].len) != 0 ||
                name[headers[i].len] != '=')
                continue;
            if (r->headers[i])
                r->headers_twice |= 1U << i;
            else
                r->headers[i] = name + headers[i].len + 1;
        }
    }
}

void request_init(struct request *r)
{
    memset(r, 0, sizeof *r);
    buf_init(&r->text, REQUEST_TEXT_MAX);
}

void request_release(struct request *r)
{
    buf_release(&r->text);
}

const char *request_param(const struct request *r, const char *name)
{
    size_t len = strlen(name);
    for (char *const *p = r->params; *p; p++)
        if (strncmp(*p, name, len) == 0 && (*p)[len] == '=')
            return *p + len + 1;
    return NULL;
}

const struct request_text *request_query(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->query_count; i++)
        if (strcmp(r->query[i].name.s, name) == 0)
            return &r->query[i].value;
    return NULL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Append the decoded form of s and a NUL; room was reserved.  False: NUL or a broken escape. */
static bool decode(struct request *r, const char *s, size_t len, bool plus,
                   struct request_text *ret)
{
    size_t start = r->text.len;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (c == '+' && plus)
            c = ' ';
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(s[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (!buf_putc(&r->text, c))
            return false;
    }
    *ret = (struct request_text){r->text.data + start, r->text.len - start};
    return buf_putc(&r->text, '\0');
}

/* path begins with '/'. */
static enum problem parse_path(struct request *r, const char *path, size_t len,
                               struct err *e)
{
    size_t at = 1;
    for (;;) {
        const char *slash = at < len ? memchr(path + at, '/', len - at) : NULL;
        size_t end = slash ? (size_t)(slash - path) : len;
        if (r->segment_count == REQUEST_SEGMENTS_MAX)
            return problem_set(e, PROBLEM_NOT_FOUND, "the path has too many segments");
        if (!decode(r, path + at, end - at, false, &r->segments[r->segment_count]))
            return problem_set(e, PROBLEM_BAD_REQUEST, "the path is wrongly encoded");
        r->segment_count++;
        if (!slash)
            return PROBLEM_NONE;
        at = end + 1;
    }
}

static enum problem parse_query(struct request *r, const char *query, struct err *e)
{
    while (*query) {
        size_t len = strcspn(query, "&");
        size_t name_len = strcspn(query, "=&");
        if (len > 0) {
            size_t skip = name_len < len ? name_len + 1 : len;
            if (r->query_count == REQUEST_QUERY_MAX)
                return problem_set(e, PROBLEM_BAD_REQUEST,
                                   "the query has more than %d parameters",
                                   REQUEST_QUERY_MAX);
            if (!decode(r, query, name_len, true, &r->query[r->query_count].name) ||
                !decode(r, query + skip, len - skip, true,
                        &r->query[r->query_count].value))
                return problem_set(e, PROBLEM_BAD_REQUEST,
                                   "the query is wrongly encoded");
            r->query_count++;
        }
        query += len + (query[len] == '&');
    }
    return PROBLEM_NONE;
}

static enum problem parse_length(struct request *r, struct err *e)
{
    const char *s = request_param(r, "CONTENT_LENGTH");
    r->content_length = -1;
    if (!s || !*s || strcmp(s, "-1") == 0) /* -1: Caddy 2.6, of a chunked body */
        return PROBLEM_NONE;
    size_t digits = strspn(s, "0123456789");
    int64_t n = 0;
    for (size_t i = 0; i < digits && n <= INT64_C(1) << 53; i++)
        n = n * 10 + (s[i] - '0');
    if (s[digits] || digits > 20 || n > INT64_C(1) << 53)
        return problem_set(e, PROBLEM_BAD_REQUEST, "Content-Length is not a number");
    r->content_length = n;
    return PROBLEM_NONE;
}

static enum problem check_single(const struct request *r, struct err *e)
{
    unsigned seen = 0;
    for (char *const *p = r->params; *p; p++) {
        size_t len = strcspn(*p, "=");
        for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
            if (len != single[i].len || memcmp(*p, single[i].name, len) != 0)
                continue;
            if (seen & 1U << i)
                return problem_set(e, PROBLEM_BAD_REQUEST, "%s is given twice",
                                   single[i].name);
            seen |= 1U << i;
        }
    }
    return PROBLEM_NONE;
}

static enum problem parse_target(struct request *r, struct err *e)
{
    const char *uri = request_param(r, "REQUEST_URI");
    if (!uri || !*uri)
        uri = request_param(r, "DOCUMENT_URI");
    if (uri && strlen(uri) > REQUEST_URI_MAX)
        return problem_set(e, PROBLEM_URI_LONG, "the address is longer than %d bytes",
                           REQUEST_URI_MAX);
    if (uri && *uri == '/') {
        size_t path_len = strcspn(uri, "?#");
        enum problem p = parse_path(r, uri, path_len, e);
        const char *query = uri[path_len] == '?' ? uri + path_len + 1 : NULL;
        if (!query)
            query = request_param(r, "QUERY_STRING");
        return p || !query ? p : parse_query(r, query, e);
    }
    const char *script = request_param(r, "SCRIPT_NAME");
    const char *info = request_param(r, "PATH_INFO");
    char path[2048];
    size_t script_len = script ? strlen(script) : 0, info_len = info ? strlen(info) : 0;
    if (uri || script_len + info_len >= sizeof path || script_len + info_len == 0)
        return problem_set(e, PROBLEM_BAD_REQUEST, "there is no path");
    memcpy(path, script ? script : "", script_len);
    memcpy(path + script_len, info ? info : "", info_len);
    if (path[0] != '/')
        return problem_set(e, PROBLEM_BAD_REQUEST, "there is no path");
    enum problem p = parse_path(r, path, script_len + info_len, e);
    const char *query = request_param(r, "QUERY_STRING");
    return p || !query ? p : parse_query(r, query, e);
}

enum problem request_parse(struct request *r, char *const *params, struct err *e)
{
    r->params = params;
    read_headers(r);
    r->segment_count = r->query_count = 0;
    r->method = METHOD_OTHER;
    /* One allocation: the segments point into it and must not move. */
    buf_clear(&r->text);
    const char *type = request_param(r, "CONTENT_TYPE");
    r->content_type = type ? type : "";
    enum problem p = parse_length(r, e);
    if (!p)
        p = check_single(r, e);
    if (p)
        return p;
    size_t bytes = 1;
    for (char *const *param = params; *param; param++)
        bytes += strlen(*param) + 1;
    bytes += 2 * REQUEST_QUERY_MAX + REQUEST_SEGMENTS_MAX;
    bool fits = bytes <= REQUEST_TEXT_MAX && buf_reserve(&r->text, bytes);
    if (r->text.starved)
        return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    if (!fits)
        return problem_set(e, PROBLEM_HEAD_LONG, "the request's head is too long");
    const char *method = request_param(r, "REQUEST_METHOD");
    if (!method || !*method)
        return problem_set(e, PROBLEM_BAD_REQUEST, "there is no method");
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(method, methods[i].name) == 0)
            r->method = methods[i].method;
    return parse_target(r, e);
}

bool request_is_form(const struct request *r)
{
    static const char form[] = "multipart/form-data";
    return strncasecmp(r->content_type, form, sizeof form - 1) == 0;
}
