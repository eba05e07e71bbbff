/*
 * cors: pages that may read, pages that may ask, and what a preflight is told.
 */
#include "fcgi-app/http/cors.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(cors, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static char list[] = "https://app.example, https://*.b.example", none[] = "";
static char names[] = "up.example";

static enum problem check(enum request_method method, bool guarded, char *hosts,
                          const char *const *params, struct cors *ret)
{
    const struct config_http http = {.cors_origins = list, .hosts = hosts};
    struct request r = {.method = method, .params = (char *const *)params};
    struct err e = ERR_INIT;
    enum problem p = cors_check(&http, guarded, &r, ret, &e);
    cr_expect(eq(int, p != PROBLEM_NONE, e.text[0] != '\0'));
    return p;
}

static const struct {
    const char *host, *origin, *site;
    enum problem want;
    bool readable;
} pages[] = {
    /* no browser */
    {"HTTP_HOST=127.0.0.1:8080", NULL, NULL, PROBLEM_NONE, false},
    {NULL, NULL, NULL, PROBLEM_NONE, false},
    /* its own page, and a listed one */
    {"HTTP_HOST=127.0.0.1:8080", "HTTP_ORIGIN=http://127.0.0.1:8080",
     "HTTP_SEC_FETCH_SITE=same-origin", PROBLEM_NONE, false},
    {"HTTP_HOST=127.0.0.1:8080", "HTTP_ORIGIN=https://app.example",
     "HTTP_SEC_FETCH_SITE=cross-site", PROBLEM_NONE, true},
    {"HTTP_HOST=127.0.0.1:8080", NULL, "HTTP_SEC_FETCH_SITE=none", PROBLEM_NONE, false},
    /* others */
    {"HTTP_HOST=127.0.0.1:8080", "HTTP_ORIGIN=https://evil.example", NULL,
     PROBLEM_FOREIGN_ORIGIN, false},
    {"HTTP_HOST=127.0.0.1:8080", "HTTP_ORIGIN=null", NULL, PROBLEM_FOREIGN_ORIGIN,
     false},
    {"HTTP_HOST=127.0.0.1:8080", "HTTP_ORIGIN=http://127.0.0.1:3000", NULL,
     PROBLEM_FOREIGN_ORIGIN, false},
    {"HTTP_HOST=127.0.0.1:8080", "HTTP_ORIGIN=", NULL, PROBLEM_FOREIGN_ORIGIN, false},
    {NULL, "HTTP_ORIGIN=https://evil.example", NULL, PROBLEM_FOREIGN_ORIGIN, false},
    {"HTTP_HOST=127.0.0.1:8080", NULL, "HTTP_SEC_FETCH_SITE=cross-site",
     PROBLEM_FOREIGN_ORIGIN, false},
    {"HTTP_HOST=127.0.0.1:8080", NULL, "HTTP_SEC_FETCH_SITE=same-site",
     PROBLEM_FOREIGN_ORIGIN, false},
    /* a name that somebody has made to be 127.0.0.1 */
    {"HTTP_HOST=evil.example", "HTTP_ORIGIN=http://evil.example",
     "HTTP_SEC_FETCH_SITE=same-origin", PROBLEM_FOREIGN_HOST, false},
    {"HTTP_HOST=evil.example", "HTTP_ORIGIN=https://app.example", NULL,
     PROBLEM_FOREIGN_HOST, false},
};

Test(cors, what_changes_something_is_refused_to_pages_of_others)
{
    static const enum request_method changing[] = {METHOD_POST, METHOD_PUT,
                                                   METHOD_PATCH, METHOD_DELETE};

    for (size_t i = 0; i < COUNT(pages); i++) {
        const char *params[4];
        size_t n = 0;
        struct cors c;
        if (pages[i].host)
            params[n++] = pages[i].host;
        if (pages[i].origin)
            params[n++] = pages[i].origin;
        if (pages[i].site)
            params[n++] = pages[i].site;
        params[n] = NULL;
        for (size_t k = 0; k < COUNT(changing); k++) {
            cr_expect(
                eq(int, check(changing[k], false, none, params, &c), pages[i].want),
                "row %zu", i);
            cr_expect(eq(int, c.origin != NULL, pages[i].readable), "row %zu", i);
        }
        /* Looking is free: it cannot be read without a CORS header. */
        cr_expect(eq(int, check(METHOD_GET, false, none, params, &c),
                     pages[i].want == PROBLEM_FOREIGN_HOST ? PROBLEM_FOREIGN_HOST
                                                           : PROBLEM_NONE),
                  "row %zu", i);
        cr_expect(eq(int, c.origin != NULL, pages[i].readable), "row %zu", i);
    }
}

Test(cors, any_name_will_do_where_who_asks_must_say_who_he_is_unless_names_are_set)
{
    static const char *const evil[] = {"HTTP_HOST=evil.example", NULL},
                             *const up[] = {"HTTP_HOST=up.example:8443", NULL},
                             *const local[] = {"HTTP_HOST=localhost:8080", NULL};
    struct cors c;

    cr_expect(eq(int, check(METHOD_GET, true, none, evil, &c), PROBLEM_NONE));
    cr_expect(eq(int, check(METHOD_GET, true, names, evil, &c), PROBLEM_FOREIGN_HOST));
    cr_expect(eq(int, check(METHOD_GET, true, names, up, &c), PROBLEM_NONE));
    cr_expect(eq(int, check(METHOD_GET, false, names, up, &c), PROBLEM_NONE));
    cr_expect(eq(int, check(METHOD_GET, false, none, up, &c), PROBLEM_FOREIGN_HOST));
    cr_expect(eq(int, check(METHOD_GET, true, names, local, &c), PROBLEM_NONE));
}

Test(cors, a_host_or_origin_that_is_there_twice_is_refused)
{
    static const char *const hosts[] = {"HTTP_HOST=127.0.0.1", "HTTP_HOST=127.0.0.1",
                                        NULL},
                             *const origins[] = {
                                 "HTTP_ORIGIN=https://app.example", "HTTP_X=1",
                                 "HTTP_ORIGIN=https://evil.example", NULL};
    struct cors c;

    cr_expect(eq(int, check(METHOD_GET, false, none, hosts, &c), PROBLEM_BAD_REQUEST));
    cr_expect(
        eq(int, check(METHOD_GET, false, none, origins, &c), PROBLEM_BAD_REQUEST));
    cr_expect(c.origin == NULL);
}

Test(cors, a_preflight_is_told_the_methods_and_those_headers_that_are_known)
{
    static const char *const params[] = {
        "HTTP_ORIGIN=https://x.b.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT",
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS=authorization,x-hoist-meta-a, X-Evil,"
        "content-type,x-hoist-,a\rb",
        NULL};
    struct response r;
    struct cors c;

    cr_assert(eq(int, check(METHOD_OPTIONS, false, none, params, &c), PROBLEM_NONE));
    cr_assert(c.is_preflight);
    response_init(&r);
    r.cors_origin = c.origin;
    r.varies = true;
    cors_answer(&c, METHOD_PUT | METHOD_OPTIONS, &r);
    response_finish(&r, false);
    cr_expect(eq(
        str, r.head.data,
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\nAllow: PUT, OPTIONS\r\n"
        "Access-Control-Allow-Methods: PUT, OPTIONS\r\n"
        "Access-Control-Allow-Headers: authorization, x-hoist-meta-a, content-type\r\n"
        "Access-Control-Max-Age: 600\r\nVary: Origin\r\n"
        "Access-Control-Allow-Origin: https://x.b.example\r\n"
        "Access-Control-Expose-Headers: Location, Retry-After, ETag, Allow, "
        "WWW-Authenticate, X-Request-Id, Repr-Digest, Idempotent-Replayed, "
        "Preference-Applied\r\nStatus: 204 No Content\r\n\r\n"));
    response_release(&r);
}

Test(cors, a_page_that_is_not_listed_is_told_nothing)
{
    static const char *const params[] = {"HTTP_ORIGIN=https://evil.example",
                                         "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT",
                                         NULL};
    struct response r;
    struct cors c;

    cr_assert(eq(int, check(METHOD_OPTIONS, false, none, params, &c), PROBLEM_NONE));
    response_init(&r);
    r.cors_origin = c.origin;
    cors_answer(&c, METHOD_PUT | METHOD_OPTIONS, &r);
    response_finish(&r, false);
    cr_expect(strstr(r.head.data, "Access-Control") == NULL, "%s", r.head.data);
    cr_expect(strstr(r.head.data, "Allow: PUT, OPTIONS\r\n") != NULL);
    response_release(&r);
}

Test(cors, an_error_can_be_read_too)
{
    struct response r;
    response_init(&r);
    r.cors_origin = "https://app.example";
    response_problem(&r, PROBLEM_TOO_LARGE, "much", 0);
    r.body.failed = true; /* and one that was made anew */
    response_finish(&r, false);
    cr_expect(strstr(r.head.data, "Status: 500") != NULL);
    cr_expect(strstr(r.head.data,
                     "Access-Control-Allow-Origin: https://app.example\r\n") != NULL);
    response_release(&r);
}
