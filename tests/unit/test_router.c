/*
 * router: method and path find their route; what is not there is told apart from what is not allowed.
 */
#include "fcgi-app/http/router.h"

#include "shared/cleanup.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(router, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct route routes[] = {
    {METHOD_GET, "v1/jobs/{}", ACCESS_READ, NULL},
    {METHOD_DELETE, "v1/jobs/{}", ACCESS_READ, NULL},
    {METHOD_POST, "v1/jobs/{}/retry", ACCESS_UPLOAD, NULL},
    {METHOD_GET, "healthz", ACCESS_OPEN, NULL},
    {METHOD_POST, "v1/uploads", ACCESS_UPLOAD, NULL},
};

static const struct {
    const char *method, *uri;
    int want; /* index; -1: not found */
    const char *allowed;
} rows[] = {
    {"GET", "/v1/jobs/x", 0, "GET, HEAD, DELETE, OPTIONS"},
    {"HEAD", "/v1/jobs/x", 0, "GET, HEAD, DELETE, OPTIONS"},
    {"DELETE", "/v1/jobs/x", 1, "GET, HEAD, DELETE, OPTIONS"},
    {"PUT", "/v1/jobs/x", -1, "GET, HEAD, DELETE, OPTIONS"},
    {"TRACE", "/v1/jobs/x", -1, "GET, HEAD, DELETE, OPTIONS"},
    {"OPTIONS", "/v1/jobs/x", -1, "GET, HEAD, DELETE, OPTIONS"},
    {"POST", "/v1/jobs/x/retry", 2, "POST, OPTIONS"},
    {"HEAD", "/v1/uploads", -1, "POST, OPTIONS"},
    {"GET", "/healthz", 3, "GET, HEAD, OPTIONS"},
    {"GET", "/healthz/", -1, ""},
    {"GET", "/", -1, ""},
    {"GET", "/v1/jobs", -1, ""},
    {"GET", "/v1/jobs/", -1, ""},
    {"GET", "//v1/jobs/x", -1, ""},
    {"GET", "/v1%2Fjobs/x", -1, ""},
    {"GET", "/v1/jobs/x/retry/y", -1, ""},
    {"GET", "/v1/job", -1, ""},
    {"POST", "/v1/uploadsx", -1, ""},
};

Test(router, finds_the_route_or_says_what_is_allowed)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request r;
        struct err e = ERR_INIT;
        char method[64], uri[128];
        char *params[] = {method, uri, NULL};
        CLEANUP(buf_release) struct buf names = BUF_INIT(128);
        unsigned allowed = 0;
        (void)snprintf(method, sizeof method, "REQUEST_METHOD=%s", rows[i].method);
        (void)snprintf(uri, sizeof uri, "REQUEST_URI=%s", rows[i].uri);
        request_init(&r);
        cr_assert(eq(int, request_parse(&r, params, &e), PROBLEM_NONE));
        const struct route *found = router_find(routes, COUNT(routes), &r, &allowed);
        router_format_allowed(allowed, &names);
        cr_expect(eq(int, found ? (int)(found - routes) : -1, rows[i].want), "%s %s",
                  rows[i].method, rows[i].uri);
        cr_expect(eq(str, names.data, (char *)rows[i].allowed), "%s %s", rows[i].method,
                  rows[i].uri);
        request_release(&r);
    }
}
