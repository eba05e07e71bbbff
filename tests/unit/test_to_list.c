/*
 * to_list: one destination or several, in one form.
 */
#include "shared/to_list.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(to_list, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

Test(to_list, names_are_taken_in_order_and_written_with_commas)
{
    static const struct {
        const char *text, *plain;
    } rows[] = {
        {"default", "default"},
        {"s3-main, archive", "s3-main,archive"},
        {" a\tb ,, c_1.x", "a,b,c_1.x"},
        {"1,2,3,4,5,6,7,8", "1,2,3,4,5,6,7,8"},
        {"a2345678901234567890123456789012", "a2345678901234567890123456789012"}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = ERR_INIT;
        struct to_list l;
        char text[TO_LIST_TEXT_MAX + 1];
        cr_assert(
            eq(int, to_list_parse(rows[i].text, strlen(rows[i].text), &l, &e), ERR_OK),
            "%s: %s", rows[i].text, e.text);
        to_list_format(&l, text);
        cr_expect(eq(str, text, (char *)rows[i].plain));
        cr_expect(to_list_is_plain(text, strlen(text)));
        cr_expect(eq(int, to_list_is_plain(rows[i].text, strlen(rows[i].text)),
                     strcmp(rows[i].text, rows[i].plain) == 0));
    }
}

Test(to_list, what_is_no_list_is_refused)
{
    static const struct {
        const char *text, *has;
    } rows[] = {{"", "names no destination"},
                {" , ", "names no destination"},
                {"-a", "'-a' is not the name"},
                {"a/b", "'a/b' is not the name"},
                {"a,b\nc", "is not the name"},
                {"a23456789012345678901234567890123", "is not the name"},
                {"a, b, a", "'a' stands there twice"},
                {"1,2,3,4,5,6,7,8,9", "more than 8"}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = ERR_INIT;
        struct to_list l = {.count = 77};
        cr_expect(eq(int, to_list_parse(rows[i].text, strlen(rows[i].text), &l, &e),
                     ERR_REJECT),
                  "%s", rows[i].text);
        cr_expect(strstr(e.text, rows[i].has) != NULL, "%s: %s", rows[i].text, e.text);
        cr_expect(eq(sz, l.count, 77));
        cr_expect(not(to_list_is_plain(rows[i].text, strlen(rows[i].text))));
    }
    cr_expect(not(to_list_is_plain("a\0b", 3)));
}
