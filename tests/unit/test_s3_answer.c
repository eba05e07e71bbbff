/* s3_answer: what a HEAD proves, and what it does not. */
#include "worker/s3_answer.h"

#include <stdio.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(s3_answer, .timeout = 10);

#define MD5 "900150983cd24fb0d6963f7d28e17f72"
#define SHA "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="

static const struct {
    const char *label, *etag, *sha, *type, *encryption;
    int64_t size;
    bool only_ours;
    enum s3_verdict want;
} heads[] = {
    {"checksum", "\"x\"", SHA, "", "", 3, false, S3_DONE},
    {"md5", "\"" MD5 "\"", "", "", "", 3, false, S3_DONE},
    {"other md5", "\"00150983cd24fb0d6963f7d28e17f720\"", "", "", "", 3, true,
     S3_OTHER},
    {"other size", "\"" MD5 "\"", "", "", "", 4, true, S3_OTHER},
    {"in parts", "\"" MD5 "-2\"", "", "", "", 3, false, S3_UNPROVEN},
    {"in parts, ours", "\"" MD5 "-2\"", "", "", "", 3, true, S3_DONE},
    {"in parts, other size", "\"" MD5 "-2\"", "", "", "", 4, true, S3_OTHER},
    {"composite", "\"" MD5 "-2\"", SHA, "COMPOSITE", "", 3, false, S3_UNPROVEN},
    {"composite by its look", "\"x\"", SHA "-2", "", "", 3, false, S3_UNPROVEN},
    {"composite, ours", "\"x\"", SHA, "COMPOSITE", "", 3, true, S3_DONE},
    {"kms", "\"" MD5 "\"", "", "", "aws:kms", 3, false, S3_UNPROVEN},
    {"kms, ours", "\"00150983cd24fb0d6963f7d28e17f720\"", "", "", "aws:kms", 3, true,
     S3_DONE},
    {"kms, checksum", "\"x\"", SHA, "", "aws:kms:dsse", 3, false, S3_DONE},
    {"nothing at all", "", "", "", "", 3, false, S3_UNPROVEN},
};

Test(s3_answer, equal_sizes_are_no_proof_but_where_the_object_can_only_be_ours)
{
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct http_response h = {.status = 200, .content_length = heads[i].size};
        struct http_result r = {.net = RETRY_NET_OK, .response = &h};
        struct s3_expected want = {.size = 3,
                                   .sha256_base64 = SHA,
                                   .md5_hex = MD5,
                                   .only_ours = heads[i].only_ours};

        (void)snprintf(h.etag, sizeof h.etag, "%s", heads[i].etag);
        (void)snprintf(h.checksum_sha256, sizeof h.checksum_sha256, "%s", heads[i].sha);
        (void)snprintf(h.checksum_type, sizeof h.checksum_type, "%s", heads[i].type);
        (void)snprintf(h.encryption, sizeof h.encryption, "%s", heads[i].encryption);
        struct s3_answer a = s3_answer_head(&r, &want);
        cr_expect(eq(int, a.verdict, heads[i].want), "%s", heads[i].label);
        cr_expect(eq(int, a.error[0] != '\0', a.verdict != S3_DONE), "%s",
                  heads[i].label);
    }
}

Test(s3_answer, a_clock_that_is_wildly_off_is_not_followed)
{
    static const struct {
        const char *date;
        enum s3_verdict want;
    } rows[] = {
        {"Thu, 01 Jan 2026 00:20:00 GMT", S3_SKEWED},
        {"Fri, 31 Dec 9999 23:59:59 GMT", S3_FAILED},
        {"Thu, 01 Jan 1970 00:00:00 GMT", S3_FAILED},
    };
    static const char body[] = "<Error><Code>RequestTimeTooSkewed</Code></Error>";

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_response h = {.status = 403, .body = BUF_INIT(1024)};
        struct http_result r = {.net = RETRY_NET_OK, .response = &h};
        struct s3_expected want = {.size = 3, .sha256_base64 = SHA, .md5_hex = MD5};

        cr_assert(buf_puts(&h.body, body));
        (void)snprintf(h.date, sizeof h.date, "%s", rows[i].date);
        struct s3_answer a = s3_answer_put(&r, &want, 1767225600);
        cr_expect(eq(int, a.verdict, rows[i].want), "%s", rows[i].date);
        cr_expect(ne(int, a.class, RETRY_NEVER), "%s", rows[i].date);
        buf_release(&h.body);
    }
}
