/*
 * response: heads and problem bodies, byte for byte; nothing from outside can add a header.
 */
#include "fcgi-app/http/response.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(response, .timeout = 60);

Test(response, a_response_is_status_headers_and_body)
{
    struct response r;
    response_init(&r);
    response_begin(&r, 202, "application/json");
    response_header(&r, "Location", "/v1/jobs/x");
    buf_puts(&r.body, "{}\n");
    response_finish(&r, false);
    cr_expect(eq(str, r.head.data,
                 "Content-Type: application/json\r\n"
                 "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                 "Location: /v1/jobs/x\r\nContent-Length: 3\r\n"
                 "Status: 202 Accepted\r\n\r\n"));
    cr_expect(eq(str, r.body.data, "{}\n"));
    response_release(&r);
}

Test(response, head_keeps_the_length_and_drops_the_body)
{
    struct response r;
    response_init(&r);
    response_begin(&r, 200, "application/json");
    buf_puts(&r.body, "{}\n");
    response_finish(&r, true);
    cr_expect(strstr(r.head.data, "Content-Length: 3\r\n") != NULL);
    cr_expect(eq(sz, r.body.len, 0));
    response_release(&r);
}

Test(response, a_problem_is_rfc_9457_and_its_detail_is_escaped)
{
    struct response r;
    response_init(&r);
    response_problem(&r, PROBLEM_FULL, "a\"<b>\n", 0);
    response_finish(&r, false);
    cr_expect(eq(str, r.head.data,
                 "Content-Type: application/problem+json\r\n"
                 "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                 "Retry-After: 30\r\nContent-Length: 114\r\n"
                 "Status: 507 Insufficient Storage\r\n\r\n"));
    cr_expect(
        eq(str, r.body.data,
           "{\"type\":\"urn:hoist:problem:full\",\"title\":\"There is no space left\","
           "\"status\":507,\"detail\":\"a\\\"\\u003cb\\u003e\\u000a\"}\n"));
    response_release(&r);
}

Test(response, every_problem_has_a_row_and_those_for_later_a_retry_after)
{
    for (int p = PROBLEM_NONE + 1; p <= PROBLEM_FULL; p++) {
        const struct problem_row *row = problem_row((enum problem)p);
        cr_assert(row->type && row->title, "%d", p);
        cr_expect(row->status >= 400 && row->status < 600);
        cr_expect(eq(int, row->retry_after > 0,
                     row->status == 429 || row->status == 503 || row->status == 507 ||
                         p == PROBLEM_KEY_IN_FLIGHT),
                  "%d", p);
    }
}

Test(response, a_header_with_a_line_break_makes_it_a_500)
{
    struct response r;
    response_init(&r);
    response_begin(&r, 202, "application/json");
    response_header(&r, "Location", "/x\r\nSet-Cookie: a=b");
    response_finish(&r, false);
    cr_expect(eq(int, r.status, 500));
    cr_expect(strstr(r.head.data, "Set-Cookie") == NULL);
    response_release(&r);
}

Test(response, a_body_that_does_not_fit_makes_it_a_500)
{
    static char big[RESPONSE_BODY_MAX + 1];
    struct response r;
    response_init(&r);
    response_begin(&r, 200, "application/json");
    buf_add(&r.body, big, sizeof big);
    response_finish(&r, false);
    cr_expect(eq(int, r.status, 500));
    cr_expect(strstr(r.head.data, "Status: 500 ") != NULL);
    response_release(&r);
}

Test(response, no_content_has_no_length)
{
    struct response r;
    response_init(&r);
    response_begin(&r, 204, NULL);
    response_finish(&r, false);
    cr_expect(strstr(r.head.data, "Content-") != NULL); /* X-Content-Type-Options */
    cr_expect(strstr(r.head.data, "Content-Length") == NULL);
    cr_expect(strstr(r.head.data, "\r\nContent-Type") == NULL);
    response_release(&r);
}
