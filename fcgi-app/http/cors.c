#include "fcgi-app/http/cors.h"

#include "fcgi-app/http/router.h"
#include "shared/cleanup.h"
#include "shared/origin.h"

#include <string.h>
#include <strings.h>

/* What a script may send, next to X-Hoist-... */
static const char *const headers[] = {
    "authorization",
    "content-type",
    "content-disposition",
    "content-md5",
    "content-digest",
    "repr-digest",
    "want-repr-digest",
    "want-content-digest",
    "idempotency-key",
    "if-none-match",
    "prefer",
    "x-request-id",
    "traceparent",
    "tracestate",
    "cache-control",
};

struct seen {
    const char *origin, *host, *site, *method, *headers, *scheme;
};

/* Most are not, which a look at one or two of their bytes tells. */
static bool may_be_wanted(const char *param)
{
    if (param[0] == 'R')
        return strncmp(param, "REQUEST_S", 9) == 0;
    if (strncmp(param, "HTTP_", 5) != 0)
        return false;
    return param[5] == 'O' || param[5] == 'H' || param[5] == 'S' || param[5] == 'A';
}

/* One look at all parameters.  False: one of them twice. */
static bool look(const struct request *r, struct seen *s)
{
    const struct {
        const char *name;
        const char **value;
    } wanted[] = {
        {"HTTP_ORIGIN=", &s->origin},
        {"HTTP_HOST=", &s->host},
        {"HTTP_SEC_FETCH_SITE=", &s->site},
        {"HTTP_ACCESS_CONTROL_REQUEST_METHOD=", &s->method},
        {"HTTP_ACCESS_CONTROL_REQUEST_HEADERS=", &s->headers},
        {"REQUEST_SCHEME=", &s->scheme},
    };
    for (char *const *p = r->params; *p; p++) {
        if (!may_be_wanted(*p))
            continue;
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            size_t len = strlen(wanted[i].name);
            if (strncmp(*p, wanted[i].name, len) != 0)
                continue;
            if (*wanted[i].value)
                return false;
            *wanted[i].value = *p + len;
        }
    }
    return true;
}

static enum problem check_host(const struct config_http *http, bool guarded,
                               const char *host, struct err *e)
{
    if (!host || !*host || (guarded && *http->hosts == '\0') ||
        origin_host_is_literal(host) || origin_host_is_listed(http->hosts, host))
        return PROBLEM_NONE;
    return problem_set(e, PROBLEM_FOREIGN_HOST,
                       "'%.100s' is not a name of this service: [http] hosts", host);
}

static enum problem check_page(const struct config_http *http, const struct seen *s,
                               const struct request *r, struct cors *c, struct err *e)
{
    const unsigned changing = METHOD_POST | METHOD_PUT | METHOD_PATCH | METHOD_DELETE;
    bool https = s->scheme && strcasecmp(s->scheme, "https") == 0;
    if (s->origin && *http->cors_origins &&
        origin_is_listed(http->cors_origins, s->origin))
        c->origin = s->origin;
    if (c->origin || !((unsigned)r->method & changing))
        return PROBLEM_NONE;
    if (s->origin && s->host && origin_is_own(s->origin, s->host, https))
        return PROBLEM_NONE;
    if (s->origin)
        return problem_set(e, PROBLEM_FOREIGN_ORIGIN,
                           "pages of '%.100s' may not do that: [http] cors_origins",
                           s->origin);
    /* No browser leaves Origin away here; if one does, it says at least this. */
    if (s->site && strcasecmp(s->site, "same-origin") != 0 &&
        strcasecmp(s->site, "none") != 0)
        return problem_set(e, PROBLEM_FOREIGN_ORIGIN,
                           "pages of another site may not do that");
    return PROBLEM_NONE;
}

enum problem cors_check(const struct config_http *http, bool guarded,
                        const struct request *r, struct cors *ret, struct err *e)
{
    struct seen s = {.origin = NULL};
    *ret = (struct cors){.headers = ""};
    if (!look(r, &s))
        return problem_set(e, PROBLEM_BAD_REQUEST,
                           "a header that may be there once is there twice");
    ret->is_preflight = r->method == METHOD_OPTIONS && s.origin && s.method;
    if (s.headers)
        ret->headers = s.headers;
    enum problem p = check_page(http, &s, r, ret, e);
    struct err host_error = ERR_INIT;
    if (check_host(http, guarded, s.host, &host_error)) {
        *e = host_error;
        ret->origin = NULL; /* under that name nobody may read anything */
        return PROBLEM_FOREIGN_HOST;
    }
    return p;
}

static bool is_allowed(const char *name, size_t len)
{
    static const char ours[] = "x-hoist-";
    if (len > sizeof ours - 1 && strncasecmp(name, ours, sizeof ours - 1) == 0)
        return true;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (strlen(headers[i]) == len && strncasecmp(headers[i], name, len) == 0)
            return true;
    return false;
}

/* Those of the list that may be sent: names alone, whatever was asked. */
static void add_headers(const char *list, struct buf *b)
{
    static const char name_chars[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "0123456789-_";
    while (*(list += strspn(list, ", \t"))) {
        size_t len = strspn(list, name_chars), whole = strcspn(list, ", \t");
        if (len == whole && is_allowed(list, len)) {
            if (b->len > 0)
                buf_puts(b, ", ");
            buf_add(b, list, len);
        }
        list += whole;
    }
}

void cors_answer(const struct cors *c, unsigned allowed, struct response *r)
{
    CLEANUP(buf_release) struct buf methods = BUF_INIT(128);
    CLEANUP(buf_release) struct buf names = BUF_INIT(2 * CORS_HEADERS_MAX);
    router_format_allowed(allowed, &methods);
    response_begin(r, 204, NULL);
    response_header(r, "Allow", methods.data);
    if (!c->origin)
        return;
    response_header(r, "Access-Control-Allow-Methods", methods.data);
    if (strlen(c->headers) <= CORS_HEADERS_MAX)
        add_headers(c->headers, &names);
    if (names.len > 0)
        response_header(r, "Access-Control-Allow-Headers", names.data);
    response_header(r, "Access-Control-Max-Age", "600");
}
