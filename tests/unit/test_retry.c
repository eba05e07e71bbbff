/*
 * retry: the class of every outcome worth a name, and the bounds of the wait.
 */
#include "worker/flow/retry.h"

#include <stdint.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(retry, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct {
    struct retry_outcome o;
    enum retry_class want;
} outcomes[] = {
    /* The network, before and after the body has left. */
    {{RETRY_NET_RESOLVE, false, 0, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_CONNECT, false, 0, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_TLS, false, 0, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_TLS_VERIFY, false, 0, NULL}, RETRY_CONFIG},
    {{RETRY_NET_SEND, false, 0, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_SEND, true, 0, NULL}, RETRY_RESOLVE},
    {{RETRY_NET_RECEIVE, false, 0, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_RECEIVE, true, 0, NULL}, RETRY_RESOLVE},
    {{RETRY_NET_TIMEOUT, false, 0, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_TIMEOUT, true, 0, NULL}, RETRY_RESOLVE},
    {{RETRY_NET_ABORTED, false, 0, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_ABORTED, true, 0, NULL}, RETRY_RESOLVE},
    {{RETRY_NET_OTHER, false, 0, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OTHER, true, 0, NULL}, RETRY_RESOLVE},
    {{RETRY_NET_OK, false, 0, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 0, NULL}, RETRY_RESOLVE},
    {{RETRY_NET_OK, true, 100, NULL}, RETRY_RESOLVE},
    /* An error that came before the connection broke decides; a success does not. */
    {{RETRY_NET_SEND, false, 403, "AccessDenied"}, RETRY_CONFIG},
    {{RETRY_NET_SEND, false, 413, NULL}, RETRY_NEVER},
    {{RETRY_NET_RECEIVE, true, 503, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_RECEIVE, true, 200, NULL}, RETRY_RESOLVE},
    {{RETRY_NET_TIMEOUT, true, 200, ""}, RETRY_RESOLVE},
    /* Success, and what only looks like it. */
    {{RETRY_NET_OK, true, 200, NULL}, RETRY_NONE},
    {{RETRY_NET_OK, true, 200, ""}, RETRY_NONE},
    {{RETRY_NET_OK, true, 204, NULL}, RETRY_NONE},
    {{RETRY_NET_OK, true, 200, "InternalError"}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 200, "SlowDown"}, RETRY_THROTTLED},
    {{RETRY_NET_OK, true, 200, "NeverHeardOf"}, RETRY_TRANSIENT},
    /* Statuses alone. */
    {{RETRY_NET_OK, true, 301, NULL}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 307, NULL}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 400, NULL}, RETRY_NEVER},
    {{RETRY_NET_OK, true, 401, NULL}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 403, NULL}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 404, NULL}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 405, NULL}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 407, NULL}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 408, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, false, 417, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 409, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 411, NULL}, RETRY_NEVER},
    {{RETRY_NET_OK, true, 412, NULL}, RETRY_RESOLVE},
    {{RETRY_NET_OK, true, 413, NULL}, RETRY_NEVER},
    {{RETRY_NET_OK, true, 429, NULL}, RETRY_THROTTLED},
    {{RETRY_NET_OK, true, 499, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 500, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 501, NULL}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 502, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 503, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 504, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 507, NULL}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 400, "AccessControlListNotSupported"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 400, "InvalidTag"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 400, "KMS.NotFoundException"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 400, "XMinioBucketQuotaExceeded"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 520, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 521, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 524, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 599, NULL}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 999, NULL}, RETRY_TRANSIENT},
    /* The code decides before the status. */
    {{RETRY_NET_OK, true, 403, "SignatureDoesNotMatch"}, RETRY_REFRESH},
    {{RETRY_NET_OK, true, 403, "InvalidAccessKeyId"}, RETRY_REFRESH},
    {{RETRY_NET_OK, true, 403, "RequestTimeTooSkewed"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 400, "InvalidToken"}, RETRY_REFRESH},
    {{RETRY_NET_OK, true, 400, "TokenRefreshRequired"}, RETRY_REFRESH},
    {{RETRY_NET_OK, true, 403, "InvalidSecurity"}, RETRY_REFRESH},
    {{RETRY_NET_OK, true, 403, "AccessDenied"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 400, "ExpiredToken"}, RETRY_REFRESH},
    {{RETRY_NET_OK, true, 400, "AuthorizationHeaderMalformed"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 404, "NoSuchBucket"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 404, "NoSuchKey"}, RETRY_NEVER},
    {{RETRY_NET_OK, true, 404, "NoSuchUpload"}, RETRY_RESOLVE},
    {{RETRY_NET_OK, true, 301, "PermanentRedirect"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 307, "TemporaryRedirect"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 412, "PreconditionFailed"}, RETRY_RESOLVE},
    {{RETRY_NET_OK, true, 409, "ConditionalRequestConflict"}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 409, "OperationAborted"}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 400, "RequestTimeout"}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 400, "IncompleteBody"}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 400, "BadDigest"}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 400, "EntityTooLarge"}, RETRY_NEVER},
    {{RETRY_NET_OK, true, 400, "InvalidArgument"}, RETRY_NEVER},
    {{RETRY_NET_OK, true, 400, "InvalidDigest"}, RETRY_NEVER},
    {{RETRY_NET_OK, true, 503, "SlowDown"}, RETRY_THROTTLED},
    {{RETRY_NET_OK, true, 503, "SlowDownWrite"}, RETRY_THROTTLED},
    {{RETRY_NET_OK, true, 400, "ThrottlingException"}, RETRY_THROTTLED},
    {{RETRY_NET_OK, true, 503, "ServiceUnavailable"}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 500, "InternalError"}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 501, "NotImplemented"}, RETRY_CONFIG},
    /* An unknown code: the status.  Codes are compared whole, and in their case. */
    {{RETRY_NET_OK, true, 400, "NeverHeardOf"}, RETRY_NEVER},
    {{RETRY_NET_OK, true, 403, "QuotaExceeded"}, RETRY_CONFIG},
    {{RETRY_NET_OK, true, 500, "NeverHeardOf"}, RETRY_TRANSIENT},
    {{RETRY_NET_OK, true, 400, "slowdown"}, RETRY_NEVER},
    {{RETRY_NET_OK, true, 400, "SlowDow"}, RETRY_NEVER},
    {{RETRY_NET_OK, true, 400, "SlowDownNow"}, RETRY_NEVER},
};

Test(retry, every_outcome_has_its_class)
{
    for (size_t i = 0; i < COUNT(outcomes); i++) {
        const struct retry_outcome *o = &outcomes[i].o;
        cr_expect(eq(str, (char *)retry_class_name(retry_classify(o)),
                     (char *)retry_class_name(outcomes[i].want)),
                  "net %d, sent %d, status %d, code %s", (int)o->net, (int)o->body_sent,
                  o->status, o->code ? o->code : "-");
    }
}

Test(retry, only_a_whole_answer_in_the_200s_without_a_code_is_success)
{
    static const char *const codes[] = {NULL, "", "SlowDown", "InvalidArgument",
                                        "Unknown"};

    for (int net = RETRY_NET_OK; net <= RETRY_NET_OTHER; net++)
        for (int status = -1; status < 1000; status++)
            for (size_t c = 0; c < COUNT(codes); c++) {
                struct retry_outcome o = {(enum retry_net)net, true, status, codes[c]};
                bool success =
                    net == RETRY_NET_OK && status >= 200 && status < 300 && c < 2;
                enum retry_class class = retry_classify(&o);
                cr_assert(eq(int, class == RETRY_NONE, success), "net %d status %d",
                          net, status);
                cr_assert(class < RETRY_CLASS_COUNT);
            }
}

Test(retry, each_class_has_its_word_and_its_error)
{
    static const struct {
        enum retry_class class;
        const char *word;
        enum err_code code;
    } rows[] = {
        {RETRY_NONE, "none", ERR_OK},
        {RETRY_TRANSIENT, "transient", ERR_RETRY},
        {RETRY_THROTTLED, "throttled", ERR_RETRY},
        {RETRY_CONFIG, "config", ERR_CONFIG},
        {RETRY_REFRESH, "refresh", ERR_RETRY},
        {RETRY_RESOLVE, "resolve", ERR_RETRY},
        {RETRY_NEVER, "never", ERR_REJECT},
    };
    cr_assert(eq(sz, COUNT(rows), RETRY_CLASS_COUNT));
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect(
            eq(str, (char *)retry_class_name(rows[i].class), (char *)rows[i].word));
        cr_expect(eq(int, retry_class_err(rows[i].class), rows[i].code), "%s",
                  rows[i].word);
    }
    cr_expect(eq(str, (char *)retry_class_name((enum retry_class)77), "unknown"));
}

/* The longest wait there is: random is one less than a multiple of every range in use. */
static int64_t longest(const struct retry_policy *p, enum retry_class class,
                       uint32_t attempt, int64_t retry_after_ms)
{
    int64_t best = 0;

    for (uint64_t random = 0; random < 20000; random++) {
        int64_t d = retry_delay_ms(p, class, attempt, retry_after_ms, random);
        best = d > best ? d : best;
    }
    return best;
}

static int64_t shortest(const struct retry_policy *p, enum retry_class class,
                        uint32_t attempt, int64_t retry_after_ms)
{
    int64_t best = INT64_MAX;

    for (uint64_t random = 0; random < 20000; random++) {
        int64_t d = retry_delay_ms(p, class, attempt, retry_after_ms, random);
        best = d < best ? d : best;
    }
    return best;
}

static const struct {
    enum retry_class class;
    uint32_t attempt;
    int64_t retry_after_ms, shortest, longest;
} waits[] = {
    /* base 200, cap 10000 */
    {RETRY_TRANSIENT, 0, 0, 0, 200},
    {RETRY_TRANSIENT, 1, 0, 0, 200},
    {RETRY_TRANSIENT, 2, 0, 0, 400},
    {RETRY_TRANSIENT, 3, 0, 0, 800},
    {RETRY_TRANSIENT, 6, 0, 0, 6400},
    {RETRY_TRANSIENT, 7, 0, 0, 10000},
    {RETRY_TRANSIENT, 1u << 31, 0, 0, 10000},
    {RETRY_TRANSIENT, UINT32_MAX, 0, 0, 10000},
    {RETRY_RESOLVE, 1, 0, 0, 200},
    {RETRY_RESOLVE, 4, 0, 0, 1600},
    {RETRY_THROTTLED, 1, 0, 0, 1000},
    {RETRY_THROTTLED, 2, 0, 0, 2000},
    {RETRY_THROTTLED, 64, 0, 0, 10000},
    {RETRY_CONFIG, 1, 0, 2000, 4000},
    {RETRY_CONFIG, 2, 0, 2000, 6000},
    {RETRY_CONFIG, 3, 0, 2000, 10000},
    {RETRY_CONFIG, 65, 0, 2000, 10000},
    {RETRY_REFRESH, 1, 0, 2000, 4000},
    {RETRY_TRANSIENT, 1, 3000, 3000, 3200},
    {RETRY_THROTTLED, 1, 3000, 3000, 4000},
    {RETRY_THROTTLED, 1, -5, 0, 1000},
    {RETRY_CONFIG, 1, 500, 2000, 4000},
    {RETRY_CONFIG, 1, 3000, 3000, 5000},
    {RETRY_TRANSIENT, 1, 9900, 9900, 10000},
    {RETRY_TRANSIENT, 1, 10000, 10000, 10000},
    {RETRY_TRANSIENT, 1, INT64_MAX, 10000, 10000},
    {RETRY_NONE, 5, 3000, 0, 0},
    {RETRY_NEVER, 5, 3000, 0, 0},
};

Test(retry, the_wait_is_spread_over_exactly_its_range)
{
    static const struct retry_policy p = {.base_ms = 200, .cap_ms = 10000};

    for (size_t i = 0; i < COUNT(waits); i++) {
        cr_expect(
            eq(i64,
               shortest(&p, waits[i].class, waits[i].attempt, waits[i].retry_after_ms),
               waits[i].shortest),
            "row %zu", i);
        cr_expect(
            eq(i64,
               longest(&p, waits[i].class, waits[i].attempt, waits[i].retry_after_ms),
               waits[i].longest),
            "row %zu", i);
    }
}

Test(retry, the_wait_never_leaves_its_bounds_and_its_range_never_shrinks)
{
    static const int64_t values[] = {
        INT64_MIN, -1, 0, 1, 7, 1000, 20000, INT64_MAX / 10, INT64_MAX - 1, INT64_MAX};
    static const uint64_t randoms[] = {
        0, 1, 12345, UINT64_MAX / 2, UINT64_MAX / 2 + 1, UINT64_MAX - 1, UINT64_MAX};
    static const uint32_t attempts[] = {0,  1,  2,  30,       62,
                                        63, 64, 65, 1u << 31, UINT32_MAX};

    for (size_t b = 0; b < COUNT(values); b++)
        for (size_t c = 0; c < COUNT(values); c++)
            for (size_t a = 0; a < COUNT(attempts); a++)
                for (size_t r = 0; r < COUNT(randoms); r++)
                    for (size_t t = 0; t < COUNT(values); t++)
                        for (int class = 0; class < RETRY_CLASS_COUNT; class ++) {
                            struct retry_policy p = {values[b], values[c]};
                            int64_t d =
                                retry_delay_ms(&p, (enum retry_class) class,
                                               attempts[a], values[t], randoms[r]);
                            int64_t cap = values[c] > 0 ? values[c] : 0;
                            cr_assert(d >= 0 && d <= cap,
                                      "base %zu cap %zu attempt %zu", b, c, a);
                        }

    static const struct retry_policy p = {.base_ms = 3, .cap_ms = 5000};
    int64_t before = 0;
    for (uint32_t attempt = 1; attempt < 100; attempt++) {
        int64_t now = longest(&p, RETRY_TRANSIENT, attempt, 0);
        cr_assert(now >= before && now <= 5000);
        before = now;
    }
    cr_expect(eq(i64, before, 5000));
}

Test(retry, all_waits_of_the_range_occur_about_equally_often)
{
    static const struct retry_policy p = {.base_ms = 9, .cap_ms = 100};
    int seen[10] = {0};

    for (uint64_t random = 0; random < 10000; random++) {
        int64_t d = retry_delay_ms(&p, RETRY_TRANSIENT, 1, 0, random);
        cr_assert(d >= 0 && d < 10);
        seen[d]++;
    }
    for (size_t i = 0; i < COUNT(seen); i++)
        cr_expect(eq(int, seen[i], 1000));
}

Test(retry, a_refusal_without_its_reason_is_tried_again)
{
    const struct retry_outcome whole = {
        .net = RETRY_NET_OK, .body_sent = true, .status = 400};
    const struct retry_outcome cut = {
        .net = RETRY_NET_TIMEOUT, .body_sent = true, .status = 400};

    cr_expect(eq(int, retry_classify(&whole), RETRY_NEVER));
    cr_expect(eq(int, retry_classify(&cut), RETRY_TRANSIENT));
}
