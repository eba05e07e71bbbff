/*
 * utf8: each character is told from what is none, and text that was cut ends in a whole one.
 */
#include "shared/utf8.h"

#include "shared/cleanup.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(utf8, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* A copy of just these bytes: the address sanitizer sees a read behind them. */
static char *exactly(const char *s, size_t len)
{
    char *copy = malloc(len);

    cr_assert(ne(ptr, copy, NULL));
    memcpy(copy, s, len);
    return copy;
}

static const struct {
    const char *label, *text;
    size_t len, want;
    uint32_t point;
} rows[] = {
    {"NUL", "\0", 1, 1, 0},
    {"a letter, and more", "ab", 2, 1, 'a'},
    {"the last of one byte", "\x7f", 1, 1, 0x7f},
    {"the first of two", "\xc2\x80", 2, 2, 0x80},
    {"the last of two", "\xdf\xbf", 2, 2, 0x7ff},
    {"the first of three", "\xe0\xa0\x80", 3, 3, 0x800},
    {"the last before the surrogates", "\xed\x9f\xbf", 3, 3, 0xd7ff},
    {"the first after them", "\xee\x80\x80", 3, 3, 0xe000},
    {"the last of three", "\xef\xbf\xbf", 3, 3, 0xffff},
    {"the first of four", "\xf0\x90\x80\x80", 4, 4, 0x10000},
    {"the last of all", "\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
    {"lone continuation", "\x80", 1, 0, 0},
    {"cut after one of two", "\xc3", 1, 0, 0},
    {"cut after two of three", "\xe2\x82", 2, 0, 0},
    {"cut after three of four", "\xf0\x9f\x98", 3, 0, 0},
    {"no continuation in the middle", "\xe2z\xac", 3, 0, 0},
    {"no continuation at the end", "\xe2\x82z", 3, 0, 0},
    {"overlong in two", "\xc1\xbf", 2, 0, 0},
    {"overlong in three", "\xe0\x9f\xbf", 3, 0, 0},
    {"overlong in four", "\xf0\x8f\xbf\xbf", 4, 0, 0},
    {"the first surrogate", "\xed\xa0\x80", 3, 0, 0},
    {"the last surrogate", "\xed\xbf\xbf", 3, 0, 0},
    {"above the last", "\xf4\x90\x80\x80", 4, 0, 0},
    {"five bytes, as once there were", "\xf8\x88\x80\x80\x80", 5, 0, 0},
    {"never a byte of UTF-8", "\xff\xff\xff\xff", 4, 0, 0},
};

Test(utf8, characters_are_told_from_what_is_none)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(str_free) char *in = exactly(rows[i].text, rows[i].len);
        uint32_t point = 0xabcdef;
        cr_expect(eq(sz, utf8_decode(in, rows[i].len, &point), rows[i].want), "%s",
                  rows[i].label);
        cr_expect(eq(u32, point, rows[i].want ? rows[i].point : 0xabcdef), "%s",
                  rows[i].label);
    }
}

/* Written from the other side: every code point, encoded by hand, is read back. */
Test(utf8, every_code_point_is_read_back)
{
    for (uint32_t want = 0; want <= 0x10ffff; want++) {
        static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
        size_t n = want < 0x80 ? 1 : want < 0x800 ? 2 : want < 0x10000 ? 3 : 4;
        char s[4];
        uint32_t rest = want, got = 0;
        for (size_t i = n; i-- > 1; rest >>= 6)
            s[i] = (char)(0x80 | (rest & 0x3f));
        s[0] = (char)(marks[n] | rest);
        bool is_surrogate = want >= 0xd800 && want <= 0xdfff;
        cr_assert(utf8_decode(s, n, &got) == (is_surrogate ? 0 : n), "U+%04X", want);
        cr_assert(is_surrogate || got == want, "U+%04X", want);
    }
}

static const struct {
    const char *label, *text;
    size_t len, want;
} cuts[] = {
    {"nothing", "", 0, 0},
    {"letters", "abc", 3, 3},
    {"whole two", "a\xc3\xbc", 3, 3},
    {"one of two", "a\xc3", 2, 1},
    {"one of three", "a\xe2", 2, 1},
    {"two of three", "a\xe2\x82", 3, 1},
    {"whole three", "a\xe2\x82\xac", 4, 4},
    {"three of four", "a\xf0\x9f\x98", 4, 1},
    {"whole four", "a\xf0\x9f\x98\x80", 5, 5},
    {"only a beginning", "\xf0", 1, 0},
    {"continuations alone", "\x80\x80", 2, 2},
    {"many of them", "a\x80\x80\x80\x80\x80", 6, 6},
    {"no byte of UTF-8", "a\xff", 2, 2},
};

Test(utf8, text_that_was_cut_ends_in_a_whole_character)
{
    for (size_t i = 0; i < COUNT(cuts); i++) {
        CLEANUP(str_free) char *in = exactly(cuts[i].text, cuts[i].len);
        cr_expect(eq(sz, utf8_whole(in, cuts[i].len), cuts[i].want), "%s",
                  cuts[i].label);
    }
}
