/*
 * bearer, bucket, token: who sends a token, how often, and what a new one looks like.
 */
#include "fcgi-app/auth/bearer.h"

#include "fcgi-app/auth/bucket.h"
#include "fcgi-app/auth/token.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(bearer, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct {
    const char *header;
    enum bearer want;
    const char *token;
} headers[] = {
    {NULL, BEARER_NONE, ""},
    {"", BEARER_NONE, ""},
    {"Bearer abc", BEARER_TOKEN, "abc"},
    {"bEARER   a-._~+/9==", BEARER_TOKEN, "a-._~+/9=="},
    {"Basic abc", BEARER_OTHER, ""},
    {"Bearerabc", BEARER_OTHER, ""},
    {"Bearer\tabc", BEARER_OTHER, ""},
    {" Bearer abc", BEARER_OTHER, ""},
    {"Bearer", BEARER_BROKEN, ""},
    {"Bearer ", BEARER_BROKEN, ""},
    {"Bearer a b", BEARER_BROKEN, ""},
    {"Bearer abc ", BEARER_BROKEN, ""},
    {"Bearer a,b", BEARER_BROKEN, ""},
    {"Bearer a=b", BEARER_BROKEN, ""},
    {"Bearer ==", BEARER_BROKEN, ""},
    {"Bearer \"abc\"", BEARER_BROKEN, ""},
    {"Bearer \xc3\xa4", BEARER_BROKEN, ""},
};

Test(bearer, one_token_and_nothing_else_is_taken_from_the_header)
{
    for (size_t i = 0; i < COUNT(headers); i++) {
        const char *token = "";
        size_t len = 0;
        cr_expect(
            eq(int, bearer_parse(headers[i].header, &token, &len), headers[i].want),
            "%s", headers[i].header);
        cr_expect(eq(sz, len, strlen(headers[i].token)), "%s", headers[i].header);
        cr_expect(eq(int, memcmp(token, headers[i].token, len), 0));
    }
}

Test(bearer, a_token_has_256_characters_at_most)
{
    char header[300] = "Bearer ";
    const char *token;
    size_t len;

    memset(header + 7, 'a', CONFIG_TOKEN_MAX);
    cr_expect(eq(int, bearer_parse(header, &token, &len), BEARER_TOKEN));
    header[7 + CONFIG_TOKEN_MAX] = 'a';
    cr_expect(eq(int, bearer_parse(header, &token, &len), BEARER_BROKEN));
}

Test(bearer, a_hash_finds_its_section_among_all_and_only_with_all_its_bytes)
{
    static struct config c;
    unsigned char hash[DIGEST_SHA256_BYTES];

    c.auth_count = CONFIG_AUTHS_MAX;
    for (size_t i = 0; i < c.auth_count; i++) {
        memset(c.auths[i].hashes, (int)i + 1, sizeof c.auths[i].hashes);
        c.auths[i].hashes[1][31] = 0xff;
        c.auths[i].hash_count = 1 + i % 2;
    }
    for (size_t i = 0; i < c.auth_count; i++) {
        memcpy(hash, c.auths[i].hashes[0], sizeof hash);
        cr_expect(eq(ptr, (void *)bearer_find(&c, hash), &c.auths[i]));
        for (size_t k = 0; k < sizeof hash; k++) {
            hash[k] ^= 0x40;
            cr_expect(eq(ptr, (void *)bearer_find(&c, hash), NULL));
            hash[k] ^= 0x40;
        }
        hash[31] = 0xff;
        cr_expect(eq(ptr, (void *)bearer_find(&c, hash), i % 2 ? &c.auths[i] : NULL),
                  "a second one counts where there is one");
    }
    memset(hash, 0, sizeof hash);
    c.auth_count = 0;
    cr_expect(eq(ptr, (void *)bearer_find(&c, hash), NULL));
}

Test(bearer, a_bucket_gives_its_burst_and_then_its_rate)
{
    struct bucket b = {0};
    int64_t now = INT64_C(5000000000000), wait = 0;
    int taken = 0;

    for (int i = 0; i < 10; i++)
        taken += bucket_take(&b, 2, 4, now, &wait);
    cr_expect(eq(int, taken, 4));
    cr_expect(eq(i64, wait, 500000000));
    cr_expect(not(bucket_take(&b, 2, 4, now + wait - 1, &wait)));
    cr_expect(eq(i64, wait, 1));
    cr_expect(bucket_take(&b, 2, 4, now + 500000000, &wait));
    cr_expect(not(bucket_take(&b, 2, 4, now + 500000000, &wait)));
    now += INT64_C(3600) * 1000000000;
    for (taken = 0; bucket_take(&b, 2, 4, now, &wait);)
        taken++;
    cr_expect(eq(int, taken, 4), "an hour's rest is no more than a burst");
}

Test(bearer, a_new_token_is_one_that_the_header_takes_and_its_hash_is_the_line)
{
    unsigned char bytes[TOKEN_BYTES];
    char token[TOKEN_LEN + 1], line[7 + DIGEST_SHA256_HEX + 1];
    char hex[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;

    memset(bytes, 0xfb, sizeof bytes);
    cr_assert(eq(int, token_format(bytes, token, line, &e), ERR_OK));
    cr_expect(eq(str, token, "hoist_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s"));
    cr_expect(config_token_is_well_formed(token, strlen(token)));
    cr_assert(eq(int, digest_sha256_hex(token, strlen(token), hex, &e), ERR_OK));
    cr_expect(eq(str, line + 7, hex));
    cr_expect(eq(int, memcmp(line, "sha256:", 7), 0));
}
