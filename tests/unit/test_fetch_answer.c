/*
 * fetch_answer: what the fields of an answer say, and what they do not.
 */
#include "worker/source/fetch_answer.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(fetch_answer, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

Test(fetch_answer, a_content_range_is_whole_or_nothing)
{
    static const char *const bad[] = {"",
                                      "bytes",
                                      "bytes ",
                                      "bytes 5-9",
                                      "bytes 5-9/",
                                      "bytes 5-9/*",
                                      "bytes */10",
                                      "bytes 9-5/10",
                                      "bytes 5-10/10",
                                      "bytes -5-9/10",
                                      "bytes  5-9/10",
                                      "bytes 5-9/10 ",
                                      "bytes 5-9/10,20-29/30",
                                      "bytes=5-9/10",
                                      "items 5-9/10",
                                      "bytes 5-9/99999999999999999999"};
    int64_t first, last, total;

    cr_assert(fetch_parse_content_range("bytes 5-9/10", &first, &last, &total));
    cr_expect(first == 5 && last == 9 && total == 10);
    cr_expect(fetch_parse_content_range("BYTES 0-0/1", &first, &last, &total));
    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect(not(fetch_parse_content_range(bad[i], &first, &last, &total)), "%s",
                  bad[i]);
}

static const struct {
    const char *head;
    const char *validator;
    enum fetch_verdict verdict;
    int64_t length;
} heads[] = {
    {"HTTP/1.1 200 OK|Content-Length: 7|ETag: \"a\"|Last-Modified: x", "\"a\"",
     FETCH_TAKE, 7},
    {"HTTP/1.1 200 OK|Content-Length: 7|ETag: W/\"a\"|Last-Modified: "
     "Sun, 06 Nov 1994 08:49:37 GMT",
     "Sun, 06 Nov 1994 08:49:37 GMT", FETCH_TAKE, 7},
    {"HTTP/1.1 200 OK|Content-Length: 7|Date: Sun, 06 Nov 1994 08:49:38 GMT|"
     "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
     "Sun, 06 Nov 1994 08:49:37 GMT", FETCH_TAKE, 7},
    {"HTTP/1.1 200 OK|Content-Length: 7|Date: Sun, 06 Nov 1994 08:49:37 GMT|"
     "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
     "", FETCH_TAKE, 7}, /* it may change within this second */
    {"HTTP/1.1 200 OK|Content-Length: 7|Last-Modified: W/x", "", FETCH_TAKE, 7},
    {"HTTP/1.1 200 OK|Content-Length: 7|ETag: \"a\"|Accept-Ranges: none", "",
     FETCH_TAKE, 7},
    {"HTTP/1.1 200 OK|Transfer-Encoding: Chunked|Content-Length: 7", "", FETCH_TAKE,
     -1},
    {"HTTP/1.1 200 OK|Content-Length: 7|Content-Length: 7", "", FETCH_TAKE, 7},
    {"HTTP/1.1 200 OK|Content-Length: 7|Content-Length: 8", "", FETCH_REFUSE, 0},
    {"HTTP/1.1 200 OK|Content-Length: 7, 7", "", FETCH_REFUSE, 0},
    {"HTTP/1.1 200 OK|Content-Length: +7", "", FETCH_REFUSE, 0},
    {"HTTP/1.1 200 OK|Content-Length: 7|Content-Encoding: identity", "", FETCH_TAKE, 7},
    {"HTTP/1.1 200 OK|Transfer-Encoding: gzip, chunked", "", FETCH_REFUSE, 0},
    {"HTTP/1.1 200 OK|Content-Length: 1001", "", FETCH_REFUSE, 0},
    {"HTTP/1.1 301 x|Location: /b", "", FETCH_REDIRECT, 0},
    {"HTTP/1.1 300 x|Location: /b", "", FETCH_REFUSE, 0},
    {"HTTP/1.1 304 x|Location: /b", "", FETCH_REFUSE, 0},
    {"HTTP/1.1 200 OK|Location: /b", "", FETCH_REFUSE, 0},
};

static void parse(const char *head, struct http_response *r)
{
    http_response_init(r);
    for (const char *at = head;; at++) {
        size_t len = strcspn(at, "|");
        http_response_add_line(r, at, len);
        at += len;
        if (!*at)
            break;
    }
    http_response_add_line(r, "\r\n", 2);
}

Test(fetch_answer, a_head_is_taken_or_not)
{
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct fetch_want want = {.max_bytes = 1000};
        struct fetch_ruling ruling;
        struct http_response r;
        parse(heads[i].head, &r);
        fetch_judge(&r, &want, &ruling);
        cr_expect(ruling.verdict == heads[i].verdict, "%s: %s", heads[i].head,
                  ruling.text);
        cr_expect(ruling.verdict != FETCH_TAKE || ruling.length == heads[i].length,
                  "%s", heads[i].head);
        cr_expect(strcmp(fetch_validator(&r), heads[i].validator) == 0, "%s: %s",
                  heads[i].head, fetch_validator(&r));
        http_response_release(&r);
    }
}

Test(fetch_answer, a_location_that_does_not_fit_is_none)
{
    char line[HTTP_LOCATION_SIZE + 64] = "Location: ";
    struct http_response r;

    http_response_init(&r);
    http_response_add_line(&r, "HTTP/1.1 302 x", 14);
    memset(line + 10, 'x', HTTP_LOCATION_SIZE);
    http_response_add_line(&r, line, 10 + HTTP_LOCATION_SIZE);
    cr_expect(eq(str, r.location, ""));
    http_response_add_line(&r, line, 10 + HTTP_LOCATION_SIZE - 1);
    cr_expect(eq(sz, strlen(r.location), HTTP_LOCATION_SIZE - 1));
    http_response_release(&r);
}
