/*
 * json_flat: flat objects are read as they are, and everything else is refused.
 */
#include "shared/json_flat.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(json_flat, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define TEN_HUNDRED                                                                    \
    HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
#define FOUR(n) "\"a" n "\":1,\"b" n "\":1,\"c" n "\":1,\"d" n "\":1"

static struct json_flat json;

static enum err_code parse(const char *s, struct err *e)
{
    return json_flat_parse(s, strlen(s), &json, e);
}

Test(json_flat, members_are_what_they_say)
{
    struct err e = ERR_INIT;
    cr_assert(eq(int,
                 parse(" { \"rate\" : 0.5 ,\"on\":true,\"off\":false,\r\n\"none\":null,"
                       "\"text\":\"a\\\"\\\\\\/\\n\\u00fc\\ud83d\\ude00\"}\n",
                       &e),
                 ERR_OK),
              "%s", e.text);
    cr_assert(eq(sz, json.count, 5));
    cr_expect(eq(int, json_flat_find(&json, "rate")->type, JSON_NUMBER));
    cr_expect(strcmp(json_flat_find(&json, "rate")->text, "0.5") == 0);
    cr_expect(json_flat_find(&json, "on")->truth);
    cr_expect(eq(int, json_flat_find(&json, "off")->type, JSON_BOOL));
    cr_expect(not(json_flat_find(&json, "off")->truth));
    cr_expect(eq(int, json_flat_find(&json, "none")->type, JSON_NULL));
    cr_expect(strcmp(json_flat_find(&json, "text")->text,
                     "a\"\\/\n\xC3\xBC\xF0\x9F\x98\x80") == 0);
    cr_expect(json_flat_find(&json, "rat") == NULL);
}

Test(json_flat, empty_is_an_object_too)
{
    struct err e = ERR_INIT;
    cr_expect(eq(int, parse("{}", &e), ERR_OK));
    cr_expect(eq(int, parse(" {\t} ", &e), ERR_OK));
    cr_expect(eq(sz, json.count, 0));
}

static const char *const bad[] = {
    "",
    " ",
    "1",
    "null",
    "\"a\"",
    "[]",
    "{",
    "}",
    "{}{}",
    "{} x",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1 \"b\":2}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":{}}",
    "{\"a\":[]}",
    "{\"a\":01}",
    "{\"a\":1.}",
    "{\"a\":.5}",
    "{\"a\":+1}",
    "{\"a\":1e}",
    "{\"a\":-}",
    "{\"a\":0x1}",
    "{\"a\":NaN}",
    "{\"a\":tru}",
    "{\"a\":nullx}",
    "{\"a\":\"b}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\udc00\"}",
    "{\"a\":\"\\ud800\\u0041\"}",
    "{\"a\":\"\x01\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xC0\x80\"}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "{\"" HUNDRED HUNDRED HUNDRED "\":1}",
    "{\"a\":\"" TEN_HUNDRED TEN_HUNDRED HUNDRED "\"}",
    "{\"a\":" TEN TEN TEN TEN "}",
    "{" FOUR("1") "," FOUR("2") "," FOUR("3") "," FOUR("4") "," FOUR("5") "," FOUR(
        "6") "," FOUR("7") "," FOUR("8") ",\"x\":1}",
};

Test(json_flat, everything_else_is_refused_with_its_place)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = ERR_INIT;
        cr_expect(eq(int, parse(bad[i], &e), ERR_REJECT), "%s", bad[i]);
        cr_expect(strncmp(e.text, "JSON: ", 6) == 0, "%s: %s", bad[i], e.text);
    }
}

Test(json_flat, a_text_cut_anywhere_is_refused)
{
    static const char whole[] = "{\"a\":\"\\ud83d\\ude00\",\"b\":-1.5e+3,\"c\":true}";
    struct err e = ERR_INIT;
    cr_assert(eq(int, parse(whole, &e), ERR_OK), "%s", e.text);
    for (size_t n = 0; n < sizeof whole - 1; n++)
        cr_expect(eq(int, json_flat_parse(whole, n, &json, &e), ERR_REJECT), "%zu", n);
}

Test(json_flat, whole_numbers_have_a_range)
{
    struct err e = ERR_INIT;
    int64_t n = -1;
    cr_assert(eq(int,
                 parse("{\"a\":7,\"b\":1.0,\"c\":-1,\"d\":\"7\",\"e\":8,"
                       "\"f\":9999999999999999999}",
                       &e),
                 ERR_OK));
    cr_expect(json_member_int(json_flat_find(&json, "a"), 7, &n));
    cr_expect(eq(i64, n, 7));
    for (const char *name = "bcdef"; *name; name++) {
        const char one[] = {*name, '\0'};
        cr_expect(not(json_member_int(json_flat_find(&json, one), 7, &n)), "%s", one);
    }
}

static enum err_code texts(const char *s, struct json_text *t, size_t count,
                           struct err *e)
{
    return json_flat_texts(s, strlen(s), t, count, e);
}

Test(json_flat, wanted_texts_are_found_whatever_is_around_them)
{
    static char long_text[JSON_FLAT_NAME * 8], other[4], object[8192];
    struct json_text t[] = {
        {.name = "Token", .ret = long_text, .size = sizeof long_text},
        {.name = "Id", .ret = other, .size = sizeof other}};
    char want[JSON_FLAT_NAME * 4 + 1];
    struct err e = ERR_INIT;

    memset(want, 'x', sizeof want - 1);
    want[sizeof want - 1] = '\0';
    int len = snprintf(object, sizeof object,
                       "{\"a\":1,\"passed over\":\"%s\",\"Token\":\"%s\",\"b\":null}",
                       want, want);
    cr_assert(len > 0 && (size_t)len < sizeof object);
    cr_assert(eq(int, texts(object, t, COUNT(t), &e), ERR_OK), "%s", e.text);
    cr_expect(t[0].found && !t[1].found);
    cr_expect(eq(str, long_text, want));
    cr_expect(eq(str, other, ""));
    cr_assert(eq(int, texts("{\"Id\":\"a\\u00e4\"}", t, COUNT(t), &e), ERR_OK), "%s",
              e.text);
    cr_expect(eq(str, other, "a\xC3\xA4"), "an escape is decoded, and fits exactly");
}

Test(json_flat, a_wanted_text_that_is_none_or_too_long_or_twice_is_refused)
{
    static const char *const rows[] = {
        "{\"Id\":1}",        "{\"Id\":null}",
        "{\"Id\":\"abcd\"}", "{\"Id\":\"a\",\"Id\":1}",
        "{\"Id\":\"\xff\"}", "{\"x\":\"\xff\"}",
        "{\"x\":{}}",        "{\"Id\":\"a\"} x",
        "{\"Id\":\"a\"",     "{\"x\":\"\\q\"}",
    };
    char other[4];
    struct json_text t[] = {{.name = "Id", .ret = other, .size = sizeof other}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = ERR_INIT;
        cr_expect(eq(int, texts(rows[i], t, COUNT(t), &e), ERR_REJECT), "%s", rows[i]);
    }
}
