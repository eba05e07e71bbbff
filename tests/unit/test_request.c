/*
 * request: CGI parameters become a method, decoded segments, a query and a length, or a clear refusal.
 */
#include "fcgi-app/http/request.h"

#include "shared/cleanup.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(request, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define TEN(s) s s s s s s s s s s

/* "a|b c" of the segments, then "?name=value&..." of the query, all decoded. */
static void show(const struct request *r, struct buf *out)
{
    for (size_t i = 0; i < r->segment_count; i++)
        buf_printf(out, "%s%s", i ? "|" : "", r->segments[i].s);
    for (size_t i = 0; i < r->query_count; i++)
        buf_printf(out, "%s%s=%s", i ? "&" : "?", r->query[i].name.s,
                   r->query[i].value.s);
}

static const struct {
    const char *uri, *want; /* NULL: refused */
} uris[] = {
    {"/", ""},
    {"/v1/uploads", "v1|uploads"},
    {"/v1//uploads/", "v1||uploads|"},
    {"/v1/uploads/a%20b.txt?queue=media&x=%26+y",
     "v1|uploads|a b.txt?queue=media&x=& y"},
    {"/v1/uploads/a+b", "v1|uploads|a+b"},
    {"/a%2fb/c", "a/b|c"},
    {"/%252e%252e/x", "%2e%2e|x"},
    {"/../etc", "..|etc"},
    {"/a?", "a"},
    {"/a?&&b&c=&=d", "a?b=&c=&=d"},
    {"/a?b=c=d", "a?b=c=d"},
    {"/%C3%BC", "\xC3\xBC"},
    {"/a%00b", NULL},
    {"/a?b=%00", NULL},
    {"/a%", NULL},
    {"/a%4", NULL},
    {"/a%zz", NULL},
    {"/a?%g0=1", NULL},
    {"a/b", NULL},
    {"*", NULL},
    {"http://x/a", NULL},
    {"/1/2/3/4/5/6/7/8/9", NULL},
    {"/a?" TEN(TEN("b=c&")), NULL},
};

Test(request, targets_are_cut_first_and_decoded_once)
{
    for (size_t i = 0; i < COUNT(uris); i++) {
        struct request r;
        struct err e = ERR_INIT;
        char uri[1024];
        char *params[] = {"REQUEST_METHOD=GET", uri, NULL};
        CLEANUP(buf_release) struct buf got = BUF_INIT(4096);
        (void)snprintf(uri, sizeof uri, "REQUEST_URI=%s", uris[i].uri);
        request_init(&r);
        enum problem p = request_parse(&r, params, &e);
        cr_expect(eq(int, p == PROBLEM_NONE, uris[i].want != NULL), "%s", uris[i].uri);
        if (p == PROBLEM_NONE && uris[i].want) {
            show(&r, &got);
            cr_expect(eq(str, got.data, (char *)uris[i].want), "%s", uris[i].uri);
        } else {
            cr_expect(ne(str, e.text, ""), "%s", uris[i].uri);
        }
        request_release(&r);
    }
}

static const struct {
    const char *text;
    int64_t want; /* -2: refused */
} lengths[] = {
    {"", -1},
    {"0", 0},
    {"5", 5},
    {"007", 7},
    {"9007199254740992", 1LL << 53},
    {"9007199254740993", -2},
    {"-1", -1},
    {"-2", -2},
    {"+5", -2},
    {" 5", -2},
    {"5 ", -2},
    {"5,5", -2},
    {"0x10", -2},
    {"1e3", -2},
    {"99999999999999999999", -2},
    {"18446744073709551620", -2},
    {"9223372036854775808", -2},
    {"000000000000000000000000", -2},
};

Test(request, a_content_length_is_digits_alone)
{
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct request r;
        struct err e = ERR_INIT;
        char length[64];
        char *params[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/", length, NULL};
        (void)snprintf(length, sizeof length, "CONTENT_LENGTH=%s", lengths[i].text);
        request_init(&r);
        enum problem p = request_parse(&r, params, &e);
        cr_expect(
            eq(int, p, lengths[i].want == -2 ? PROBLEM_BAD_REQUEST : PROBLEM_NONE),
            "'%s'", lengths[i].text);
        if (p == PROBLEM_NONE)
            cr_expect(eq(i64, r.content_length, lengths[i].want), "'%s'",
                      lengths[i].text);
        request_release(&r);
    }
}

Test(request, what_decides_a_request_is_given_once)
{
    static const char *const names[] = {
        "REQUEST_METHOD",   "REQUEST_URI",         "CONTENT_LENGTH",
        "CONTENT_TYPE",     "QUERY_STRING",        "HOIST_BODY_FILE",
        "REMOTE_ADDR",      "HTTP_AUTHORIZATION",  "HTTP_HOST",
        "HTTP_CONTENT_MD5", "HTTP_CONTENT_DIGEST", "HTTP_IDEMPOTENCY_KEY"};
    char *others[] = {"REQUEST_METHOD=GET",
                      "REQUEST_URI=/",
                      "HTTP_ACCEPT=1",
                      "HTTP_ACCEPT=2",
                      "HTTP_HOS=1",
                      "HTTP_HOST=1",
                      NULL};
    struct request fine;
    struct err none = ERR_INIT;

    request_init(&fine);
    cr_expect(eq(int, request_parse(&fine, others, &none), PROBLEM_NONE));
    request_release(&fine);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct request r;
        struct err e = ERR_INIT;
        char one[64] = "", two[64] = "";
        char *params[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/", one, two, NULL};
        snprintf(one, sizeof one, "%s=1", names[i]);
        snprintf(two, sizeof two, "%s=2", names[i]);
        request_init(&r);
        cr_expect(eq(int, request_parse(&r, params, &e), PROBLEM_BAD_REQUEST), "%s",
                  names[i]);
        request_release(&r);
    }
}

Test(request, a_path_is_also_found_without_request_uri)
{
    static char *rows[][6] = {
        {"REQUEST_METHOD=PUT", "DOCUMENT_URI=/a/b", "QUERY_STRING=c=d", NULL},
        {"REQUEST_METHOD=PUT", "SCRIPT_NAME=/a", "PATH_INFO=/b", "QUERY_STRING=c=d",
         NULL},
        {"REQUEST_METHOD=PUT", "REQUEST_URI=", "DOCUMENT_URI=/a/b?c=d", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request r;
        struct err e = ERR_INIT;
        CLEANUP(buf_release) struct buf got = BUF_INIT(4096);
        request_init(&r);
        cr_assert(eq(int, request_parse(&r, rows[i], &e), PROBLEM_NONE), "%zu: %s", i,
                  e.text);
        show(&r, &got);
        cr_expect(eq(str, got.data, "a|b?c=d"), "%zu", i);
        cr_expect(eq(int, r.method, METHOD_PUT));
        request_release(&r);
    }
}

Test(request, methods_that_no_route_has_are_other)
{
    static const char *const names[] = {"TRACE", "get",   "G",
                                        "GETX",  "patch", "CONNECT"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct request r;
        struct err e = ERR_INIT;
        char method[64];
        char *params[] = {method, "REQUEST_URI=/", NULL};
        (void)snprintf(method, sizeof method, "REQUEST_METHOD=%s", names[i]);
        request_init(&r);
        cr_expect(eq(int, request_parse(&r, params, &e), PROBLEM_NONE));
        cr_expect(eq(int, r.method, METHOD_OTHER), "%s", names[i]);
        request_release(&r);
    }
}

Test(request, no_method_or_no_path_is_refused)
{
    static char *rows[][3] = {
        {"REQUEST_URI=/", NULL}, {"REQUEST_METHOD=GET", NULL}, {NULL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request r;
        struct err e = ERR_INIT;
        request_init(&r);
        cr_expect(eq(int, request_parse(&r, rows[i], &e), PROBLEM_BAD_REQUEST), "%zu",
                  i);
        request_release(&r);
    }
}

Test(request, a_struct_is_used_again_without_a_trace_of_the_last)
{
    struct request r;
    struct err e = ERR_INIT;
    char *first[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/a/b?c=d", "CONTENT_LENGTH=5",
                     "CONTENT_TYPE=x/y", NULL};
    char *second[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/z", NULL};

    request_init(&r);
    cr_assert(eq(int, request_parse(&r, first, &e), PROBLEM_NONE));
    cr_assert(eq(str, (char *)request_query(&r, "c")->s, "d"));
    cr_assert(eq(str, (char *)r.content_type, "x/y"));
    cr_assert(eq(int, request_parse(&r, second, &e), PROBLEM_NONE));
    cr_assert(eq(sz, r.segment_count, 1));
    cr_assert(eq(i64, r.content_length, -1));
    cr_assert(eq(str, (char *)r.content_type, ""));
    cr_assert(zero(ptr, (void *)request_query(&r, "c")));
    request_release(&r);
}
