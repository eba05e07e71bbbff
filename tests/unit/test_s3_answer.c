/* s3_answer: what a HEAD proves, and what it does not. */
#include "worker/s3/s3_answer.h"

#include <stdio.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(s3_answer, .timeout = 60);

#define MD5 "900150983cd24fb0d6963f7d28e17f72"
#define SHA "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define CRC "Nks/tw==" /* of abc, as the others */
#define OTHER_MD5 "\"00150983cd24fb0d6963f7d28e17f720\""

static const struct {
    const char *label, *etag, *sha, *type, *encryption;
    int64_t size;
    bool only_ours;
    enum s3_verdict want;
    const char *crc; /* NULL: none */
} heads[] = {
    {"checksum", "\"x\"", SHA, "", "", 3, false, S3_DONE, NULL},
    {"md5", "\"" MD5 "\"", "", "", "", 3, false, S3_DONE, NULL},
    {"other md5", "\"00150983cd24fb0d6963f7d28e17f720\"", "", "", "", 3, true, S3_OTHER,
     NULL},
    {"other size", "\"" MD5 "\"", "", "", "", 4, true, S3_OTHER, NULL},
    {"in parts", "\"" MD5 "-2\"", "", "", "", 3, false, S3_UNPROVEN, NULL},
    {"in parts, ours", "\"" MD5 "-2\"", "", "", "", 3, true, S3_DONE, NULL},
    {"in parts, other size", "\"" MD5 "-2\"", "", "", "", 4, true, S3_OTHER, NULL},
    {"composite", "\"" MD5 "-2\"", SHA, "COMPOSITE", "", 3, false, S3_UNPROVEN, NULL},
    {"composite by its look", "\"x\"", SHA "-2", "", "", 3, false, S3_UNPROVEN, NULL},
    {"composite, ours", "\"x\"", SHA, "COMPOSITE", "", 3, true, S3_DONE, NULL},
    {"kms", "\"" MD5 "\"", "", "", "aws:kms", 3, false, S3_UNPROVEN, NULL},
    {"kms, ours", "\"00150983cd24fb0d6963f7d28e17f720\"", "", "", "aws:kms", 3, true,
     S3_DONE, NULL},
    {"kms, checksum", "\"x\"", SHA, "", "aws:kms:dsse", 3, false, S3_DONE, NULL},
    {"nothing at all", "", "", "", "", 3, false, S3_UNPROVEN, NULL},
    {"crc", "\"x\"", "", "", "", 3, false, S3_DONE, CRC},
    {"crc, other size", "\"x\"", "", "", "", 4, true, S3_OTHER, CRC},
    {"other crc", "\"" MD5 "\"", "", "", "", 3, true, S3_OTHER, "AAAAAA=="},
    {"other crc, right sha", "\"x\"", SHA, "", "", 3, true, S3_OTHER, "AAAAAA=="},
    {"crc, other sha", "\"x\"", "AAAA", "", "", 3, true, S3_OTHER, CRC},
    {"crc and md5, maybe another's", "\"" MD5 "\"", "", "", "", 3, false, S3_DONE, CRC},
    {"crc, other md5, maybe another's", OTHER_MD5, "", "", "", 3, false, S3_OTHER, CRC},
    {"crc, other md5, ours", OTHER_MD5, "", "", "", 3, true, S3_DONE, CRC},
    {"crc of parts", "\"x\"", "", "", "", 3, false, S3_UNPROVEN, CRC "-2"},
    {"composite crc", "\"x\"", "", "COMPOSITE", "", 3, false, S3_UNPROVEN, CRC},
    {"crc, kms", OTHER_MD5, "", "FULL_OBJECT", "aws:kms", 3, false, S3_DONE, CRC},
};

Test(s3_answer, equal_sizes_are_no_proof_but_where_the_object_can_only_be_ours)
{
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct http_response h = {.status = 200, .content_length = heads[i].size};
        struct http_result r = {.net = RETRY_NET_OK, .response = &h};
        struct s3_expected want = {.size = 3,
                                   .sha256_base64 = SHA,
                                   .crc32c_base64 = CRC,
                                   .md5_hex = MD5,
                                   .only_ours = heads[i].only_ours};

        (void)snprintf(h.etag, sizeof h.etag, "%s", heads[i].etag);
        (void)snprintf(h.checksum_sha256, sizeof h.checksum_sha256, "%s", heads[i].sha);
        (void)snprintf(h.checksum_crc32c, sizeof h.checksum_crc32c, "%s",
                       heads[i].crc ? heads[i].crc : "");
        (void)snprintf(h.checksum_type, sizeof h.checksum_type, "%s", heads[i].type);
        (void)snprintf(h.encryption, sizeof h.encryption, "%s", heads[i].encryption);
        struct s3_answer a = s3_answer_head(&r, &want);
        cr_expect(eq(int, a.verdict, heads[i].want), "%s", heads[i].label);
        cr_expect(eq(int, a.error[0] != '\0', a.verdict != S3_DONE), "%s",
                  heads[i].label);
    }
}

/* Only that one is compared which is known of the job, and asked for or not. */
Test(s3_answer, a_put_is_proven_by_whatever_the_store_tells)
{
    static const struct {
        const char *label, *etag, *sha, *crc, *own_crc, *own_md5;
        enum s3_verdict want;
    } puts[] = {
        {"sha", "\"x\"", SHA, "", CRC, "", S3_DONE},
        {"crc", "\"x\"", "", CRC, CRC, "", S3_DONE},
        {"crc, a job without one", "\"x\"", "", CRC, "", "", S3_RESOLVE},
        {"crc, a job without one, md5", "\"" MD5 "\"", "", CRC, "", MD5, S3_DONE},
        {"other crc", "\"" MD5 "\"", "", "AAAAAA==", CRC, MD5, S3_RESOLVE},
        {"other crc, right sha", "\"x\"", SHA, "AAAAAA==", CRC, "", S3_RESOLVE},
        {"other sha", "\"" MD5 "\"", "AAAA", "", CRC, MD5, S3_RESOLVE},
        {"md5", "\"" MD5 "\"", "", "", CRC, MD5, S3_DONE},
        {"md5, ours not known", "\"" MD5 "\"", "", "", CRC, "", S3_RESOLVE},
        {"other md5", OTHER_MD5, "", "", CRC, MD5, S3_RESOLVE},
        {"nothing", "", "", "", CRC, MD5, S3_RESOLVE},
    };

    for (size_t i = 0; i < sizeof puts / sizeof puts[0]; i++) {
        struct http_response h = {.status = 200};
        struct http_result r = {.net = RETRY_NET_OK, .response = &h};
        struct s3_expected want = {.size = 3,
                                   .sha256_base64 = SHA,
                                   .crc32c_base64 = puts[i].own_crc,
                                   .md5_hex = puts[i].own_md5};

        (void)snprintf(h.etag, sizeof h.etag, "%s", puts[i].etag);
        (void)snprintf(h.checksum_sha256, sizeof h.checksum_sha256, "%s", puts[i].sha);
        (void)snprintf(h.checksum_crc32c, sizeof h.checksum_crc32c, "%s", puts[i].crc);
        struct s3_answer a = s3_answer_put(&r, &want, 0);
        cr_expect(eq(int, a.verdict, puts[i].want), "%s", puts[i].label);
        cr_expect(a.taken, "%s", puts[i].label);
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
        struct s3_expected want = {
            .size = 3, .sha256_base64 = SHA, .crc32c_base64 = "", .md5_hex = MD5};

        cr_assert(buf_puts(&h.body, body));
        (void)snprintf(h.date, sizeof h.date, "%s", rows[i].date);
        struct s3_answer a = s3_answer_put(&r, &want, 1767225600);
        cr_expect(eq(int, a.verdict, rows[i].want), "%s", rows[i].date);
        cr_expect(ne(int, a.class, RETRY_NEVER), "%s", rows[i].date);
        buf_release(&h.body);
    }
}
