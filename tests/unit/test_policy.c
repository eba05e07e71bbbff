/*
 * policy: nothing that is not signed is read, nothing but one algorithm counts, and what is signed is obeyed to the letter.
 */
#include "fcgi-app/auth/policy.h"

#include "shared/cleanup.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(policy, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define NOW INT64_C(1795000000)

static const char first[] = "first-key-0123456789-0123456789-",
                  second[] = "second-key-of-two";

static const struct policy_keys keys = {
    {{first, sizeof first - 1}, {second, sizeof second - 1}}};

static struct policy p;
static struct err e;
static struct buf text;

static void begin(void)
{
    policy_init(&p);
    buf_init(&text, POLICY_TEXT_MAX);
}

static void end(void)
{
    policy_release(&p);
    buf_release(&text);
}

static enum problem open_text(const char *s, size_t len, const struct policy_keys *k)
{
    struct policy_parts parts;
    e = (struct err)ERR_INIT;
    return policy_split(s, len, &parts) ? policy_open(&p, s, &parts, k, NOW, &e)
                                        : PROBLEM_NOT_FOUND;
}

static const char *sign(const char *json, struct digest_span key)
{
    buf_clear(&text);
    cr_assert(policy_sign("shop", json, key, &text), "%s", json);
    return text.data;
}

/* What is signed by the first key. */
static enum problem open_json(const char *json)
{
    const char *s = sign(json, keys.keys[0]);
    return open_text(s, strlen(s), &keys);
}

Test(policy, what_another_program_signed_is_read, .init = begin, .fini = end)
{
    /* printf %s '{"expires":1795003600,"to":"s3","priority":3}' | basenc --base64url, and openssl dgst -sha256 -hmac. */
    static const char made[] =
        "v1.shop.eyJleHBpcmVzIjoxNzk1MDAzNjAwLCJ0byI6InMzIiwicHJpb3JpdHkiOjN9."
        "yVLo5KRvzTNqJ8FPtFGtSpYUIsrmXf1vENLgFqs1EyQ";
    struct policy_parts parts;

    cr_assert(eq(int, open_text(made, strlen(made), &keys), PROBLEM_NONE), "%s",
              e.text);
    cr_assert(policy_split(made, strlen(made), &parts));
    cr_expect(eq(str, parts.name, "shop"));
    cr_expect(eq(i64, p.expires, 1795003600));
    cr_assert(eq(sz, p.option_count, 2));
    cr_expect(eq(str, (char *)p.options[0].name, "to"));
    cr_expect(eq(str, (char *)p.options[0].value, "s3"));
    cr_expect(eq(str, (char *)p.options[1].value, "3"));
    cr_expect(eq(i64, p.max_files, 1));
    cr_expect(eq(sz, strlen(p.id), POLICY_ID_LEN));
    cr_expect(eq(str,
                 (char *)sign("{\"expires\":1795003600,\"to\":\"s3\",\"priority\":3}",
                              keys.keys[0]),
                 (char *)made));
}

Test(policy, each_of_two_keys_is_good_and_no_other, .init = begin, .fini = end)
{
    static const char other[] = "first-key-0123456789-0123456789_";
    static const struct policy_keys none = {{{NULL, 0}, {NULL, 0}}},
                                    one = {{{NULL, 0}, {second, sizeof second - 1}}};
    const char json[] = "{\"expires\":1795003600}";
    const char *s = sign(json, keys.keys[1]);

    cr_expect(eq(int, open_text(s, strlen(s), &keys), PROBLEM_NONE));
    cr_expect(eq(int, open_text(s, strlen(s), &one), PROBLEM_NONE));
    cr_expect(eq(int, open_text(s, strlen(s), &none), PROBLEM_POLICY));
    s = sign(json, keys.keys[0]);
    cr_expect(eq(int, open_text(s, strlen(s), &keys), PROBLEM_NONE));
    cr_expect(eq(int, open_text(s, strlen(s), &one), PROBLEM_POLICY));
    s = sign(json, (struct digest_span){other, sizeof other - 1});
    cr_expect(eq(int, open_text(s, strlen(s), &keys), PROBLEM_POLICY));
    cr_expect(eq(str, e.text, "the policy is not valid"));
    /* An empty key is no key. */
    s = sign(json, (struct digest_span){"", 0});
    cr_expect(eq(int, open_text(s, strlen(s), &none), PROBLEM_POLICY));
}

Test(policy, no_byte_of_it_can_be_changed_added_or_left_out, .init = begin, .fini = end)
{
    const char *s = sign("{\"expires\":1795003600,\"max_bytes\":100}", keys.keys[0]);
    CLEANUP(str_free) char *copy = strdup(s);
    size_t len = strlen(copy);
    char longer[512];

    cr_assert(eq(int, open_text(copy, len, &keys), PROBLEM_NONE));
    for (size_t i = 0; i < len; i++) {
        static const char others[] = "A.Bz0-_=+/ ";
        char was = copy[i];
        for (const char *c = others; *c; c++) {
            copy[i] = *c;
            if (*c != was)
                cr_expect(eq(int, open_text(copy, len, &keys) != PROBLEM_NONE, 1),
                          "'%c' at %zu", *c, i);
        }
        copy[i] = was;
        cr_expect(eq(int, open_text(copy, i, &keys) != PROBLEM_NONE, 1), "cut at %zu",
                  i);
        cr_expect(
            eq(int, open_text(copy + i + 1, len - i - 1, &keys) != PROBLEM_NONE, 1));
    }
    static const char *const tails[] = {"A", "=", "==", ".", ".AAAA", " ", "\n"};
    for (size_t i = 0; i < COUNT(tails); i++) {
        (void)snprintf(longer, sizeof longer, "%s%s", copy, tails[i]);
        cr_expect(eq(int, open_text(longer, strlen(longer), &keys) != PROBLEM_NONE, 1));
    }
    cr_expect(eq(int, open_text(copy, len, &keys), PROBLEM_NONE));
}

Test(policy, the_text_cannot_choose_how_it_is_verified, .init = begin, .fini = end)
{
    static const char *const forged[] = {
        "",
        "v1",
        "v1.",
        "v1..",
        "v1...",
        "v1.shop",
        "v1.shop.",
        "v1.shop..",
        "v1.shop.e30.",
        "v2.shop.e30.e30",
        "V1.shop.e30.e30",
        "none.shop.e30.",
        "v1.012345678901234567890123456789012.e30.e30",
        "eyJhbGciOiJub25lIn0.eyJleHBpcmVzIjoxNzk1MDAzNjAwfQ.",
        "v1.shop.eyJleHBpcmVzIjoxNzk1MDAzNjAwLCJhbGciOiJub25lIn0.",
    };
    struct policy_parts parts;
    char large[POLICY_TEXT_MAX + 64];

    for (size_t i = 0; i < COUNT(forged); i++)
        cr_expect(
            eq(int, open_text(forged[i], strlen(forged[i]), &keys) != PROBLEM_NONE, 1),
            "%s", forged[i]);
    memset(large, 'a', sizeof large);
    memcpy(large, "v1.s.", 5);
    large[POLICY_TEXT_MAX - 5] = '.';
    cr_expect(policy_split(large, POLICY_TEXT_MAX, &parts));
    cr_expect(eq(int, policy_split(large, POLICY_TEXT_MAX + 1, &parts), 0));
    cr_expect(eq(int, open_text(large, POLICY_TEXT_MAX, &keys), PROBLEM_POLICY));
}

Test(policy, it_expires_and_lives_for_a_week_at_most, .init = begin, .fini = end)
{
    char json[64];
    static const struct {
        int64_t expires;
        enum problem want;
    } rows[] = {{NOW + 1, PROBLEM_NONE},
                {NOW + POLICY_LIFE_MAX, PROBLEM_NONE},
                {NOW, PROBLEM_POLICY},
                {NOW - 1, PROBLEM_POLICY},
                {NOW + POLICY_LIFE_MAX + 1, PROBLEM_POLICY},
                {INT64_C(1) << 53, PROBLEM_POLICY}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        (void)snprintf(json, sizeof json, "{\"expires\":%lld}",
                       (long long)rows[i].expires);
        cr_expect(eq(int, open_json(json), rows[i].want), "%s", json);
    }
    cr_expect(eq(int, open_json("{}"), PROBLEM_POLICY));
}

Test(policy, what_is_signed_and_makes_no_sense_is_refused, .init = begin, .fini = end)
{
#define BAD(members) "{\"expires\":1795003600," members "}"
    static const char *const bad[] = {"",
                                      "[]",
                                      "null",
                                      "{\"expires\":\"1795003600\"}",
                                      "{\"expires\":1795003600.5}",
                                      "{\"expires\":-1}",
                                      "{\"expires\":1795003600}x",
                                      BAD("\"expires\":1795003601"),
                                      BAD("\"max_bytes\":0"),
                                      BAD("\"max_bytes\":-1"),
                                      BAD("\"max_bytes\":\"1\""),
                                      BAD("\"max_bytes\":1e3"),
                                      BAD("\"min_bytes\":2,\"max_bytes\":1"),
                                      BAD("\"max_files\":0"),
                                      BAD("\"types\":\"\""),
                                      BAD("\"types\":\"image\""),
                                      BAD("\"types\":7"),
                                      BAD("\"key_prefix\":\"\""),
                                      BAD("\"key_prefix\":\"/a\""),
                                      BAD("\"key_prefix\":\"a/../b\""),
                                      BAD("\"key_prefix\":\"a\\u0001\""),
                                      BAD("\"key_prefix\":\"a/\",\"key\":\"a/b\""),
                                      BAD("\"nonce\":\"1234567\""),
                                      BAD("\"nonce\":\"12345678 \""),
                                      BAD("\"nonce\":12345678"),
                                      BAD("\"to\":true"),
                                      BAD("\"to\":null"),
                                      BAD("\"to\":{}"),
                                      BAD("\"name\":\"x\""),
                                      BAD("\"policy\":\"x\"")};

    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect(eq(int, open_json(bad[i]), PROBLEM_POLICY), "%s", bad[i]);
    cr_expect(eq(int,
                 open_json(BAD("\"key_prefix\":\"u/17/\",\"types\":\"image/*\","
                               "\"nonce\":\"12345678\",\"min_bytes\":1,"
                               "\"max_bytes\":1,\"max_files\":3,\"meta.a\":\"b\"")),
                 PROBLEM_NONE),
              "%s", e.text);
    cr_expect(eq(str, (char *)p.key_prefix, "u/17/"));
    cr_expect(eq(str, (char *)p.types, "image/*"));
    cr_expect(eq(str, (char *)p.nonce, "12345678"));
    cr_expect(eq(sz, p.option_count, 1));
    /* Nothing is left of one in the next. */
    cr_expect(eq(int, open_json("{\"expires\":1795003600}"), PROBLEM_NONE));
    cr_expect(eq(str, (char *)p.types, ""));
    cr_expect(eq(i64, p.max_files, 1));
    cr_expect(eq(sz, p.option_count, 0));
}

Test(policy, its_id_is_that_of_what_is_signed, .init = begin, .fini = end)
{
    char id[POLICY_ID_LEN + 1];
    const char json[] = "{\"expires\":1795003600,\"nonce\":\"abcdefgh\"}";

    cr_assert(eq(int, open_json(json), PROBLEM_NONE));
    memcpy(id, p.id, sizeof id);
    const char *s = sign(json, keys.keys[1]); /* after a change of keys */
    cr_assert(eq(int, open_text(s, strlen(s), &keys), PROBLEM_NONE));
    cr_expect(eq(str, p.id, id));
    cr_assert(eq(int, open_json("{\"expires\":1795003600,\"nonce\":\"abcdefgi\"}"),
                 PROBLEM_NONE));
    cr_expect(ne(str, p.id, id));
}

static enum problem option(const char *name, const char *value, bool *ret_skip)
{
    const struct request_text n = {name, strlen(name)}, v = {value, strlen(value)};
    e = (struct err)ERR_INIT;
    return policy_check_option(&p, &n, &v, ret_skip, &e);
}

Test(policy, a_client_may_set_what_the_policy_leaves_to_it_and_nothing_else,
     .init = begin, .fini = end)
{
    static const struct {
        const char *name, *value;
        enum problem want;
        bool skip;
    } rows[] = {
        {"queue", "media", PROBLEM_NONE, true},
        {"queue", "docs", PROBLEM_POLICY, false},
        {"queue", "", PROBLEM_POLICY, false},
        {"meta.user", "17", PROBLEM_NONE, true},
        {"meta.user", "18", PROBLEM_POLICY, false},
        {"meta.colour", "red", PROBLEM_NONE, false},
        {"meta.", "red", PROBLEM_POLICY, false},
        {"name", "a.jpg", PROBLEM_NONE, false},
        {"key", "u/17/a", PROBLEM_NONE, false},
        {"key", "u/17/", PROBLEM_POLICY, false},
        {"key", "u/18/a", PROBLEM_POLICY, false},
        {"key", "u/17", PROBLEM_POLICY, false},
        {"to", "default", PROBLEM_POLICY, false},
        {"convert", "", PROBLEM_POLICY, false},
        {"priority", "0", PROBLEM_POLICY, false},
        {"unique", "x", PROBLEM_POLICY, false},
        {"batch", "x", PROBLEM_POLICY, false},
        {"queu", "media", PROBLEM_POLICY, false},
        {"", "", PROBLEM_POLICY, false},
    };
    cr_assert(eq(int,
                 open_json("{\"expires\":1795003600,\"queue\":\"media\","
                           "\"meta.user\":17,\"key_prefix\":\"u/17/\"}"),
                 PROBLEM_NONE));
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool skip;
        cr_expect(eq(int, option(rows[i].name, rows[i].value, &skip), rows[i].want),
                  "%s=%s", rows[i].name, rows[i].value);
        cr_expect(eq(int, skip, rows[i].skip), "%s=%s", rows[i].name, rows[i].value);
    }
    /* Without key_prefix the key is not the client's to choose. */
    bool skip;
    cr_assert(eq(int, open_json("{\"expires\":1795003600}"), PROBLEM_NONE));
    cr_expect(eq(int, option("key", "a", &skip), PROBLEM_POLICY));
}

Test(policy, files_are_counted_measured_and_of_a_type, .init = begin, .fini = end)
{
    static const struct {
        size_t count;
        const char *type;
        int64_t bytes;
        enum problem want;
    } rows[] = {
        {0, "image/png", -1, PROBLEM_NONE},
        {1, "IMAGE/jpeg; q=1", 100, PROBLEM_NONE},
        {2, "image/png", 10, PROBLEM_POLICY},
        {0, "image/png", 101, PROBLEM_TOO_LARGE},
        {0, "image/png", 10, PROBLEM_NONE},
        {0, "image/png", 9, PROBLEM_POLICY},
        {0, "application/pdf", 10, PROBLEM_NONE},
        {0, "application/pdfx", 10, PROBLEM_TYPE},
        {0, "imagex/png", 10, PROBLEM_TYPE},
        {0, "", 10, PROBLEM_TYPE},
    };
    cr_assert(eq(int,
                 open_json("{\"expires\":1795003600,\"max_files\":2,\"min_bytes\":10,"
                           "\"max_bytes\":100,"
                           "\"types\":\"image/*, application/pdf\"}"),
                 PROBLEM_NONE));
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect(
            eq(int,
               policy_check_file(&p, rows[i].count, rows[i].type, rows[i].bytes, &e),
               rows[i].want),
            "row %zu", i);
    cr_expect(strstr(e.text, "has no Content-Type") != NULL, "%s", e.text);
    cr_expect(eq(int, policy_check_size(&p, 9, &e), PROBLEM_POLICY));
    cr_expect(eq(int, policy_check_size(&p, 10, &e), PROBLEM_NONE));
    cr_assert(eq(int, open_json("{\"expires\":1795003600}"), PROBLEM_NONE));
    cr_expect(
        eq(int, policy_check_file(&p, 0, "", INT64_C(1) << 50, &e), PROBLEM_NONE));
    cr_expect(eq(int, policy_check_size(&p, 0, &e), PROBLEM_NONE));
}
