/* What uploads in parts are made of: plans, sums, lists. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "worker/s3/s3_lists.h"
#include "worker/s3/s3_plan.h"
#include "worker/s3/s3_sums.h"

#define MIB INT64_C(1048576)

TestSuite(s3_parts, .timeout = 60);

Test(s3_parts, a_plan_covers_the_object_with_equal_parts_but_the_last)
{
    static const int64_t sizes[] = {
        1, 8 * MIB, 8 * MIB + 1, 40 * MIB, 72000 * MIB, 72000 * MIB + 1, 5242880 * MIB};
    static const int64_t wanted[] = {0, 5 * MIB, 64 * MIB};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t k = 0; k < sizeof wanted / sizeof wanted[0]; k++) {
            struct s3_plan p = s3_plan_make(sizes[i], wanted[k]);
            int64_t last = s3_plan_len(&p, p.count);
            cr_expect(p.count >= 1 && p.count <= 10000);
            cr_expect(p.part_size >= 5 * MIB && p.part_size <= 5120 * MIB);
            cr_expect(last >= 1 && last <= p.part_size);
            cr_expect(eq(i64, s3_plan_offset(&p, p.count) + last, sizes[i]));
        }
    cr_expect(eq(i64, s3_plan_make(40 * MIB, 0).part_size, 8 * MIB));
    cr_expect(eq(int, s3_plan_make(40 * MIB, 0).count, 5));
}

Test(s3_parts, a_part_may_take_three_times_as_long_as_nine_of_ten)
{
    struct s3_pace p = {.count = 0};

    for (int i = 0; i < 3; i++)
        s3_pace_note(&p, 1000);
    cr_expect(eq(i64, s3_pace_limit_ms(&p), -1), "too few are known");
    for (int i = 0; i < 7; i++)
        s3_pace_note(&p, 1000);
    cr_expect(eq(i64, s3_pace_limit_ms(&p), 4000));
    for (int i = 0; i < S3_PACE_PEERS; i++)
        s3_pace_note(&p, 10);
    cr_expect(eq(i64, s3_pace_limit_ms(&p), 2000), "and never less than two seconds");
    for (int i = 0; i < S3_PACE_PEERS; i++)
        s3_pace_note(&p, 5000);
    cr_expect(eq(i64, s3_pace_limit_ms(&p), -1), "all of them are slow");
}

Test(s3_parts, crc32c_of_parts_is_that_of_the_whole)
{
    char bytes[1000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31);
    uint32_t whole = digest_crc32c(0, bytes, sizeof bytes);
    for (size_t at = 0; at <= sizeof bytes; at++)
        cr_expect(
            eq(u32,
               digest_crc32c_combine(digest_crc32c(0, bytes, at),
                                     digest_crc32c(0, bytes + at, sizeof bytes - at),
                                     sizeof bytes - at),
               whole));
}

Test(s3_parts, the_list_of_parts_is_escaped)
{
    struct buf b = BUF_INIT(4096);
    char etag[] = "\"a<b>&'\"";
    struct s3_part part = {.etag = etag};

    cr_assert(s3_complete_body(&b, &part, 1, CONFIG_NO_CHECKSUM));
    cr_expect(strstr(b.data, "<PartNumber>1</PartNumber><ETag>&quot;a&lt;b&gt;&amp;"
                             "&apos;&quot;</ETag></Part>") != NULL,
              "%s", b.data);
    cr_expect(strstr(b.data, "Checksum") == NULL);
    buf_release(&b);
}

Test(s3_parts, the_etag_of_parts_is_the_md5_of_their_md5s)
{
    char etag[] = "\"0cc175b9c0f1b6a831c399e269772661\"", other[] = "\"random\"";
    struct s3_part parts[2] = {{.etag = etag}, {.etag = etag}};
    struct s3_composite c;
    uint8_t sums[2 * DIGEST_MD5_BYTES], sum[DIGEST_MD5_BYTES];
    char want[DIGEST_MD5_HEX + 3];
    struct digest_md5 d = DIGEST_MD5_INIT;
    struct err e = ERR_INIT;

    cr_assert(digest_hex_decode(etag + 1, 32, sums, 16));
    memcpy(sums + 16, sums, 16);
    cr_assert(digest_md5_init(&d, &e) == ERR_OK);
    digest_md5_update(&d, sums, sizeof sums);
    cr_assert(digest_md5_final(&d, sum, &e) == ERR_OK);
    digest_md5_release(&d);
    digest_hex_encode(sum, sizeof sum, want);
    memcpy(want + DIGEST_MD5_HEX, "-2", sizeof "-2");
    s3_composite_make(parts, 2, &c);
    cr_expect(eq(str, c.etag, want));
    parts[1].etag = other;
    s3_composite_make(parts, 2, &c);
    cr_expect(eq(str, c.etag, ""), "an ETag that is no MD5 tells nothing");
}

struct seen {
    char text[512];
};

static void on_upload(const char *key, const char *id, void *ctx)
{
    struct seen *s = ctx;
    size_t used = strlen(s->text);

    (void)snprintf(s->text + used, sizeof s->text - used, "%s=%s;", key, id);
}

Test(s3_parts, uploads_of_a_list)
{
    static const struct {
        const char *xml, *want;
        bool fine, truncated;
    } rows[] = {
        {"<ListMultipartUploadsResult><Upload><Key>a&amp;b</Key><UploadId>1</UploadId>"
         "<Initiator><ID>x</ID></Initiator></Upload><IsTruncated>false</IsTruncated>"
         "</ListMultipartUploadsResult>",
         "a&b=1;", true, false},
        {"<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
         "</ListMultipartUploadsResult>",
         "", true, true},
        {"<ListMultipartUploadsResult><Upload><Key>a</Key><UploadId>1</UploadId></"
         "Upload>"
         "<Upload><Key>b</Key><UploadI",
         "a=1;", true, true},
        {"<ListMultipartUploadsResult><Upload><Key>a</Key><UploadId>1 2</UploadId>"
         "</Upload></ListMultipartUploadsResult>",
         "", true, false},
        {"<ListBucketResult></ListBucketResult>", "", false, true},
        {"<!DOCTYPE x><ListMultipartUploadsResult/>", "", false, true},
        {"", "", false, true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct seen seen = {""};
        struct s3_list list;
        bool fine =
            s3_uploads_parse(rows[i].xml, strlen(rows[i].xml), on_upload, &seen, &list);
        cr_expect(eq(int, fine, rows[i].fine), "%zu", i);
        cr_expect(eq(int, list.truncated, rows[i].truncated), "%zu", i);
        cr_expect(eq(str, seen.text, (char *)rows[i].want), "%zu", i);
    }
}
