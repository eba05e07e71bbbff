/*
 * buf: what is appended is there, NUL-terminated, up to the maximum to the byte; a failure changes nothing and sticks;
 * what comes from outside is made safe to print.
 */
#include "shared/buf.h"

#include "shared/cleanup.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(buf, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

Test(buf, a_new_one_is_the_empty_string)
{
    struct buf b;

    buf_init(&b, 10);
    cr_expect(eq(str, b.data, ""));
    cr_expect(eq(sz, b.len, 0));
    buf_release(&b);
    cr_expect(eq(str, b.data, ""));
}

Test(buf, appends_follow_each_other)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(100);

    cr_expect(buf_puts(&b, "ab"));
    cr_expect(buf_putc(&b, '-'));
    cr_expect(buf_printf(&b, "%d%s", 42, "x"));
    cr_expect(buf_add(&b, "q", 1));
    cr_expect(buf_add(&b, NULL, 0));
    cr_expect(eq(str, b.data, "ab-42xq"));
    cr_expect(eq(sz, b.len, 7));
}

Test(buf, content_may_hold_nul)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(100);

    buf_add(&b, "a\0b", 3);
    cr_expect(eq(sz, b.len, 3));
    cr_expect(eq(int, memcmp(b.data, "a\0b\0", 4), 0));
}

Test(buf, exactly_the_maximum_fits_and_one_more_byte_does_not)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 127, 128, 1000, 4096};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++)
            cr_assert(buf_putc(&b, 'x'), "max %zu, byte %zu", sizes[i], k);
        cr_expect(not(b.failed), "max %zu", sizes[i]);
        cr_expect(le(sz, b.cap, sizes[i] + 1), "max %zu", sizes[i]);
        cr_expect(not(buf_putc(&b, 'y')), "max %zu", sizes[i]);
        cr_expect(b.failed, "max %zu", sizes[i]);
        cr_expect(eq(sz, b.len, sizes[i]));
        cr_expect(eq(sz, strlen(b.data), sizes[i]));
    }
}

Test(buf, an_append_that_does_not_fit_changes_nothing_and_all_later_ones_fail)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(4);

    buf_puts(&b, "abc");
    cr_expect(not(buf_puts(&b, "de")));
    cr_expect(eq(str, b.data, "abc"));
    cr_expect(not(buf_putc(&b, 'd')),
              "there would be room, but the content has a hole");
    cr_expect(not(buf_printf(&b, "%s", "")));
    cr_expect(not(buf_add(&b, "", 0)));
    cr_expect(eq(ptr, buf_reserve(&b, 0), NULL));
    cr_expect(eq(str, b.data, "abc"));
}

Test(buf, printf_that_does_not_fit_fails_whole)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(4);

    cr_expect(not(buf_printf(&b, "%d", 12345)));
    cr_expect(b.failed);
    cr_expect(eq(sz, b.len, 0));
}

Test(buf, a_length_near_the_end_of_size_t_is_refused)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(100);

    buf_puts(&b, "abc");
    cr_expect(eq(ptr, buf_reserve(&b, SIZE_MAX), NULL));
    cr_expect(b.failed);
    cr_expect(eq(str, b.data, "abc"));
}

Test(buf, clear_forgets_content_and_failure_but_keeps_the_maximum)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(3);

    buf_puts(&b, "abc");
    buf_putc(&b, 'd');
    buf_clear(&b);
    cr_expect(not(b.failed));
    cr_expect(eq(str, b.data, ""));
    cr_expect(buf_puts(&b, "xyz"));
    cr_expect(not(buf_putc(&b, 'd')));
}

Test(buf, release_leaves_a_usable_one_with_the_same_maximum)
{
    struct buf b = BUF_INIT(2);

    buf_puts(&b, "ab");
    buf_release(&b);
    cr_expect(eq(sz, b.len, 0));
    cr_expect(buf_puts(&b, "cd"));
    cr_expect(not(buf_putc(&b, 'e')));
    buf_release(&b);
    buf_release(&b);
}

Test(buf, detach_hands_the_content_over)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(10);

    buf_puts(&b, "abc");
    CLEANUP(str_free) char *s = buf_detach(&b);
    cr_expect(eq(str, s, "abc"));
    cr_expect(eq(sz, b.len, 0));
    cr_expect(eq(str, b.data, ""));
    CLEANUP(str_free) char *empty = buf_detach(&b);
    cr_expect(eq(str, empty, ""));
    buf_puts(&b, "01234567890");
    cr_expect(eq(ptr, buf_detach(&b), NULL));
    cr_expect(not(b.failed), "as after release");
}

Test(buf, reserve_and_added_make_room_for_a_writer)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(200);

    buf_puts(&b, "ab");
    char *at = buf_reserve(&b, 100);
    cr_assert(eq(ptr, at, b.data + 2));
    memcpy(at, "cd", 2);
    buf_added(&b, 2);
    cr_expect(eq(str, b.data, "abcd"));
}

Test(buf, consume_drops_from_the_front)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(10);

    buf_consume(&b, 0);
    buf_puts(&b, "abcdef");
    buf_consume(&b, 2);
    cr_expect(eq(str, b.data, "cdef"));
    buf_consume(&b, 4);
    cr_expect(eq(str, b.data, ""));
    cr_expect(eq(sz, b.len, 0));
}

/* The texts' lengths are given so that they may hold NUL. */
static const struct {
    const char *label, *in;
    size_t len;
    const char *json;
} json_rows[] = {
    {"empty", "", 0, "\"\""},
    {"plain", "a b/c", 5, "\"a b/c\""},
    {"quote and backslash", "\"\\", 2, "\"\\\"\\\\\""},
    {"controls", "\n\t\x01\x7f", 4, "\"\\u000a\\u0009\\u0001\\u007f\""},
    {"NUL", "a\0b", 3, "\"a\\u0000b\""},
    {"html", "<b>&", 4, "\"\\u003cb\\u003e\\u0026\""},
    {"valid UTF-8", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", 9,
     "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"valid, then an escape", "\xc3\xbc\"\xc3\xbc", 5, "\"\xc3\xbc\\\"\xc3\xbc\""},
    {"lone continuation", "a\x80z", 3, "\"a\\ufffdz\""},
    {"cut at the end", "a\xe2\x82", 3, "\"a\\ufffd\\ufffd\""},
    {"cut inside", "\xe2\x82z", 3, "\"\\ufffd\\ufffdz\""},
    {"overlong slash", "\xc0\xaf", 2, "\"\\ufffd\\ufffd\""},
    {"overlong in three", "\xe0\x80\xaf", 3, "\"\\ufffd\\ufffd\\ufffd\""},
    {"overlong in four", "\xf0\x80\x80\xaf", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
    {"surrogate", "\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""},
    {"last before the surrogates", "\xed\x9f\xbf", 3, "\"\xed\x9f\xbf\""},
    {"above U+10FFFF", "\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
    {"U+10FFFF", "\xf4\x8f\xbf\xbf", 4, "\"\xf4\x8f\xbf\xbf\""},
    {"never a byte of UTF-8", "\xff\xfe", 2, "\"\\ufffd\\ufffd\""},
};

ParameterizedTestParameters(buf, json_is_safe)
{
    static size_t i[COUNT(json_rows)];
    for (size_t k = 0; k < COUNT(i); k++)
        i[k] = k;
    return cr_make_param_array(size_t, i, COUNT(i));
}

ParameterizedTest(size_t *i, buf, json_is_safe)
{
    /* A copy of exactly that size: the address sanitizer sees a read behind it. */
    CLEANUP(str_free) char *in = malloc(json_rows[*i].len + (json_rows[*i].len == 0));
    CLEANUP(buf_release) struct buf b = BUF_INIT(200);

    memcpy(in, json_rows[*i].in, json_rows[*i].len);
    cr_expect(buf_add_json(&b, in, json_rows[*i].len));
    cr_expect(eq(str, b.data, (char *)json_rows[*i].json), "%s", json_rows[*i].label);
}

Test(buf, json_that_does_not_fit_fails)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(7);

    cr_expect(not(buf_add_json(&b, "\n", 1)), "8 bytes with its quotes");
    cr_expect(b.failed);
}

Test(buf, percent_keeps_the_unreserved_and_escapes_the_rest)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(200);

    cr_expect(buf_add_percent(&b, "aZ09-._~", 8));
    cr_expect(buf_add_percent(&b, " /?%+\xc3\xbc\0", 8));
    cr_expect(eq(str, b.data, "aZ09-._~%20%2F%3F%25%2B%C3%BC%00"));
    CLEANUP(buf_release) struct buf small = BUF_INIT(2);
    cr_expect(not(buf_add_percent(&small, "/", 1)));
}
