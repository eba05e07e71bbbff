/*
 * flow: what an answer says of the endpoint, and that it says nothing of it where one object is at fault.
 */
#include "worker/http/expect.h"
#include "worker/flow/flow.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(flow_verdict, .timeout = 60);

static const struct {
    const char *label;
    struct retry_outcome outcome;
    enum flow_verdict want;
} answers[] = {
    {"a success", {RETRY_NET_OK, true, 200, NULL}, FLOW_ANSWERED},
    {"no content", {RETRY_NET_OK, true, 204, NULL}, FLOW_ANSWERED},
    {"no such object", {RETRY_NET_OK, true, 404, "NoSuchKey"}, FLOW_ANSWERED},
    {"there already", {RETRY_NET_OK, true, 412, NULL}, FLOW_ANSWERED},
    {"wrong keys", {RETRY_NET_OK, true, 403, "AccessDenied"}, FLOW_ANSWERED},
    {"damaged", {RETRY_NET_OK, true, 400, "BadDigest"}, FLOW_ANSWERED},
    {"too slow for it", {RETRY_NET_OK, true, 400, "RequestTimeout"}, FLOW_ANSWERED},
    {"elsewhere", {RETRY_NET_OK, true, 301, NULL}, FLOW_ANSWERED},
    {"cannot do this", {RETRY_NET_OK, true, 501, "NotImplemented"}, FLOW_ANSWERED},
    {"not this version", {RETRY_NET_OK, true, 505, NULL}, FLOW_ANSWERED},
    {"refused, then cut", {RETRY_NET_SEND, false, 403, "AccessDenied"}, FLOW_ANSWERED},
    {"slow down", {RETRY_NET_OK, true, 503, "SlowDown"}, FLOW_THROTTLED},
    {"in a 200", {RETRY_NET_OK, true, 200, "SlowDown"}, FLOW_THROTTLED},
    {"in a 400", {RETRY_NET_OK, true, 400, "Throttling"}, FLOW_THROTTLED},
    {"too many", {RETRY_NET_OK, true, 429, NULL}, FLOW_THROTTLED},
    {"unavailable", {RETRY_NET_OK, true, 503, NULL}, FLOW_THROTTLED},
    {"unavailable, cut", {RETRY_NET_RECEIVE, true, 503, NULL}, FLOW_THROTTLED},
    {"its own fault", {RETRY_NET_OK, true, 500, "InternalError"}, FLOW_BROKEN},
    {"in a 200", {RETRY_NET_OK, true, 200, "InternalError"}, FLOW_BROKEN},
    {"a bad gateway", {RETRY_NET_OK, true, 502, NULL}, FLOW_BROKEN},
    {"full", {RETRY_NET_OK, true, 507, NULL}, FLOW_BROKEN},
    {"no address", {RETRY_NET_RESOLVE, false, 0, NULL}, FLOW_BROKEN},
    {"refused", {RETRY_NET_CONNECT, false, 0, NULL}, FLOW_BROKEN},
    {"no TLS", {RETRY_NET_TLS, false, 0, NULL}, FLOW_BROKEN},
    {"not trusted", {RETRY_NET_TLS_VERIFY, false, 0, NULL}, FLOW_BROKEN},
    {"broken off", {RETRY_NET_SEND, false, 0, NULL}, FLOW_BROKEN},
    {"no answer", {RETRY_NET_RECEIVE, true, 0, NULL}, FLOW_BROKEN},
    {"half an answer", {RETRY_NET_RECEIVE, true, 200, NULL}, FLOW_BROKEN},
    {"too late", {RETRY_NET_TIMEOUT, true, 0, NULL}, FLOW_BROKEN},
    {"our doing", {RETRY_NET_ABORTED, true, 0, NULL}, FLOW_NOTHING},
    {"ours, too", {RETRY_NET_ABORTED, false, 503, NULL}, FLOW_NOTHING},
};

Test(flow_verdict, tells_endpoints_from_objects)
{
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct retry_outcome *o = &answers[i].outcome;
        struct flow_answer a = {
            .net = o->net, .status = o->status, .class = retry_classify(o)};
        cr_expect(eq(int, flow_verdict(&a), answers[i].want), "%s", answers[i].label);
    }
}

/* --- what it leads to for large bodies (expect.h) --- */

enum { LARGE = EXPECT_FROM };

TestSuite(expect, .timeout = 60);

Test(expect, small_bodies_never_wait_and_teach_nothing_by_success)
{
    struct expect x = {0};

    cr_expect(not(expect_wants(&x, LARGE - 1, true)));
    expect_told(&x, LARGE - 1, RETRY_NET_OK, 200);
    cr_expect(expect_wants(&x, LARGE, false));
}

Test(expect, large_bodies_wait_until_one_was_taken)
{
    struct expect x = {0};

    cr_expect(expect_wants(&x, LARGE, false));
    expect_told(&x, LARGE, RETRY_NET_OK, 200);
    cr_expect(not(expect_wants(&x, LARGE, false)));
    cr_expect(expect_wants(&x, LARGE, true), "this one may be refused");
}

Test(expect, what_refuses_one_may_refuse_the_next)
{
    static const struct {
        enum retry_net net;
        int status;
        bool waits;
    } rows[] = {
        {RETRY_NET_OK, 503, true},     {RETRY_NET_OK, 403, true},
        {RETRY_NET_OK, 307, true},     {RETRY_NET_SEND, 0, true},
        {RETRY_NET_TIMEOUT, 0, true},  {RETRY_NET_OK, 412, false},
        {RETRY_NET_OK, 409, false},    {RETRY_NET_OK, 200, false},
        {RETRY_NET_ABORTED, 0, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int64_t len = 1; len <= LARGE; len += LARGE - 1) {
            struct expect x = {.takes = true};
            expect_told(&x, len, rows[i].net, rows[i].status);
            cr_expect(eq(int, expect_wants(&x, LARGE, false), rows[i].waits), "%d %d",
                      (int)rows[i].net, rows[i].status);
        }
}

Test(expect, who_answers_417_is_not_asked_again)
{
    struct expect x = {0};

    expect_told(&x, LARGE, RETRY_NET_OK, 417);
    expect_told(&x, LARGE, RETRY_NET_OK, 503);
    cr_expect(not(expect_wants(&x, LARGE, true)));
}
