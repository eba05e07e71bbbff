#include "fcgi-app/http/router.h"

#include <string.h>

static bool matches(const char *pattern, const struct request *r)
{
    for (size_t i = 0; i < r->segment_count; i++) {
        const struct request_text *segment = &r->segments[i];
        size_t len = strcspn(pattern, "/");
        bool any = len == 2 && memcmp(pattern, "{}", 2) == 0;
        if (any ? segment->len == 0
                : segment->len != len || memcmp(segment->s, pattern, len) != 0)
            return false;
        pattern += len;
        bool last = i + 1 == r->segment_count;
        if (last)
            return *pattern == '\0';
        if (*pattern != '/')
            return false;
        pattern++;
    }
    return false;
}

const struct route *router_find(const struct route *routes, size_t count,
                                const struct request *r, unsigned *ret_allowed)
{
    enum request_method method = r->method == METHOD_HEAD ? METHOD_GET : r->method;
    const struct route *found = NULL;
    unsigned allowed = 0;
    for (size_t i = 0; i < count; i++) {
        if (!matches(routes[i].pattern, r))
            continue;
        allowed |= (unsigned)routes[i].method | METHOD_OPTIONS;
        if (routes[i].method == METHOD_GET)
            allowed |= METHOD_HEAD;
        if (!found && routes[i].method == method)
            found = &routes[i];
    }
    *ret_allowed = allowed;
    return found;
}

void router_format_allowed(unsigned allowed, struct buf *b)
{
    const char *before = "";
    for (unsigned bit = METHOD_GET; bit <= METHOD_PATCH; bit <<= 1) {
        if (!(allowed & bit))
            continue;
        BUF_PUTS(b, before, request_method_name((enum request_method)bit));
        before = ", ";
    }
}
