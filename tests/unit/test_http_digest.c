/*
 * http_digest: what the digest fields of a message say, and what they do not.
 */
#include "shared/http_digest.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(http_digest, .timeout = 60);

/* printf abc | openssl dgst -sha256 -binary | base64 */
#define BASE64 "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define BASE64_512                                                                     \
    "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/"                              \
    "BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw=="
#define EMPTY_256 "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static bool parse(const char *field, struct http_digest *d)
{
    /* At the end of memory of just its size, so that ASan sees a read beyond it. */
    size_t len = strlen(field);
    char *copy = memcpy(malloc(len ? len : 1), field, len);
    bool good = http_digest_parse(copy, len, d);
    free(copy);
    return good;
}

Test(http_digest, the_sha256_is_found_among_others)
{
    static const char *const rows[] = {
        "sha-256=:" BASE64 ":",
        " sha-256=:" BASE64 ": ",
        "sha-512=:AAAA:, sha-256=:" BASE64 ":",
        "sha-512=:" BASE64_512 ":, sha-256=:" BASE64 ":,md5=::",
        EMPTY_256 ",sha-256=:" BASE64 ":",
        "sha-256=:" BASE64 ":;a;b=1;c=\"x\\\"\"",
        "x, sha-256=:" BASE64 ":,y=?0,z=-1.5,t=*/a,l=(1 \"a\" :YQ==:;p);q",
        "a=1\t, \tsha-256=:" BASE64 ":",
        "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0:"};

    for (size_t i = 0; i < COUNT(rows); i++) {
        char hex[DIGEST_SHA256_HEX + 1] = "";
        cr_expect(http_digest_find_sha256(rows[i], hex), "%s", rows[i]);
        cr_expect(eq(str, hex, HEX), "%s", rows[i]);
    }
}

Test(http_digest, what_names_no_known_algorithm_says_nothing)
{
    static const char *const rows[] = {"",           "  ",
                                       "md5=:AAAA:", "unixsum=30637, crc32c=:AAAAAA==:",
                                       "sha=:x=:",   "sha-25=:AAAA:"};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_digest d = HTTP_DIGEST_INIT;
        cr_expect(parse(rows[i], &d), "%s", rows[i]);
        cr_expect(eq(uint, d.has, 0), "%s", rows[i]);
    }
}

Test(http_digest, what_is_broken_is_refused)
{
    static const char *const rows[] = {
        "sha-256",
        "sha-256=" BASE64,
        "sha-256=:" BASE64,
        "sha-256=:" BASE64 ":,",
        "sha-256=:" BASE64 ":;",
        "sha-256=:" BASE64 ":;A",
        "sha-256=:" BASE64 ": x",
        "SHA-256=:" BASE64 ":",
        "sha-512=:" BASE64 ":",
        "sha-256=:ungWv48B:",
        "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa:",
        "sha-256=:" BASE64 "AAAA:",
        "sha-256=:" BASE64 "=:",
        "sha-256=::",
        "sha-256=:!:",
        "sha-256=?1",
        "sha-256=1",
        "sha-256=\"" BASE64 "\"",
        ",sha-256=:" BASE64 ":",
        "\tsha-256=:" BASE64 ":",
        "a=1234567890123456",
        "a=1.",
        "a=1.2345",
        "a=-",
        "a=\"",
        "a=\"\\x\"",
        "a=\"\x7f\"",
        "a=?2",
        "a=(1",
        "a=(1\"x\")",
        "a=((1))",
        "a=",
        "a =1",
        "a=1 b"};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_digest d = HTTP_DIGEST_INIT;
        char hex[DIGEST_SHA256_HEX + 1] = "untouched";
        cr_expect(not(parse(rows[i], &d)), "%s", rows[i]);
        cr_expect(eq(uint, d.has, 0), "%s", rows[i]);
        cr_expect(not(http_digest_find_sha256(rows[i], hex)), "%s", rows[i]);
        cr_expect(eq(str, hex, "untouched"));
    }
}

Test(http_digest, fields_add_up_and_may_contradict_each_other)
{
    struct http_digest d = HTTP_DIGEST_INIT;

    cr_assert(parse("sha-256=:" BASE64 ":", &d));
    cr_assert(parse("sha-512=:" BASE64_512 ":, sha-256=:" BASE64 ":", &d));
    cr_assert(http_digest_parse_hex(HEX, strlen(HEX), &d));
    cr_assert(http_digest_parse_md5("kAFQmDzST7DWlj99KOF/cg==", 24, &d));
    cr_expect(
        eq(uint, d.has, HTTP_DIGEST_SHA256 | HTTP_DIGEST_SHA512 | HTTP_DIGEST_MD5));
    cr_expect(not(d.contradictory));
    cr_assert(parse(EMPTY_256, &d));
    cr_expect(d.contradictory);
}

Test(http_digest, content_md5_is_sixteen_bytes_in_base64)
{
    static const char *const bad[] = {"",
                                      "kAFQmDzST7DWlj99KOF/cg",
                                      "kAFQmDzST7DWlj99KOF/",
                                      "kAFQmDzST7DWlj99KOF/cgAA",
                                      "kAFQmDzST7DWlj99KOF/cg== ",
                                      "900150983cd24fb0d6963f7d28e17f72"};
    struct http_digest d = HTTP_DIGEST_INIT;

    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect(not(http_digest_parse_md5(bad[i], strlen(bad[i]), &d)), "%s", bad[i]);
    cr_expect(eq(uint, d.has, 0));
}

Test(http_digest, a_wish_is_for_the_one_that_weighs_most)
{
    static const struct {
        const char *field;
        enum http_digest_kind kind;
    } rows[] = {
        {"sha-256=1", HTTP_DIGEST_SHA256},
        {"sha-512=3, sha-256=10, unixsum=0", HTTP_DIGEST_SHA256},
        {"sha-512=3, sha-256=2", HTTP_DIGEST_SHA512},
        {"sha-512=3, sha-256=3", HTTP_DIGEST_SHA256},
        {"sha-256=0", HTTP_DIGEST_NONE},
        {"sha-256=0, sha-512=1", HTTP_DIGEST_SHA512},
        {"md5=10", HTTP_DIGEST_NONE},
        {"", HTTP_DIGEST_NONE},
        {"sha-256", HTTP_DIGEST_NONE},
        {"sha-256=11", HTTP_DIGEST_NONE},
        {"sha-256=-1", HTTP_DIGEST_NONE},
        {"sha-256=1,", HTTP_DIGEST_NONE},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect(eq(uint, http_digest_wanted(rows[i].field, strlen(rows[i].field)),
                     rows[i].kind),
                  "%s", rows[i].field);
}

Test(http_digest, what_is_written_can_be_read)
{
    char field[HTTP_DIGEST_FIELD_SIZE];
    struct err e = ERR_INIT;

    http_digest_format_hex(HEX, field);
    cr_expect(eq(str, field, "sha-256=:" BASE64 ":"));
    http_digest_format_hex("xyz", field);
    cr_expect(eq(str, field, ""));
    http_digest_format_hex(NULL, field);
    cr_expect(eq(str, field, ""));
    cr_assert(not(http_digest_compute(HTTP_DIGEST_SHA256, "abc", 3, field, &e)));
    cr_expect(eq(str, field, "sha-256=:" BASE64 ":"));
    cr_assert(not(http_digest_compute(HTTP_DIGEST_SHA512, "abc", 3, field, &e)));
    cr_expect(eq(str, field, "sha-512=:" BASE64_512 ":"));
}
