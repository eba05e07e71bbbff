/*
 * source_command_errors: whatever a command writes on its standard error becomes text.
 */
#include "worker/source/source_command_errors.h"

#include "shared/cleanup.h"
#include "shared/job.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(source_command_errors, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct {
    const char *errors, *text;
} rows[] = {
    {"", "why"},
    {"\n \n", "why"},
    {"no such db\n", "why: no such db"},
    {"\r\n\tone\r\n\n  two\n", "why: one; two"},
    {"a \t b", "why: a b"},
    {"\033[31mred\033[0m", "why: [31mred [0m"},
    {"\xff\xfe\x80"
     "x\xc3",
     "why: x"},
    {"gr\xc3\xbc\xc3\x9f", "why: gr\xc3\xbc\xc3\x9f"},
    {"a\xe2\x80\xae"
     "fdp.exe",
     "why: a fdp.exe"}, /* right to left */
    {"a\xc2\x85"
     "b\x7f",
     "why: a b"},
};

Test(source_command_errors, what_is_no_text_becomes_a_blank)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(str_free)
        char *text =
            source_command_detail("why", rows[i].errors, strlen(rows[i].errors));
        cr_expect(eq(str, text, (char *)rows[i].text), "%zu", i);
    }
    CLEANUP(str_free) char *text = source_command_detail("why", "a\0b", 3);
    cr_expect(eq(str, text, "why: a b"));
}

Test(source_command_errors, it_is_cut_between_characters)
{
    static char errors[2 * JOB_ERROR_MAX];

    for (size_t i = 0; i + 1 < sizeof errors; i += 2)
        memcpy(errors + i, "\xc3\xa9", 2);
    CLEANUP(str_free) char *even = source_command_detail("why", errors, sizeof errors);
    cr_expect(eq(sz, strlen(even), JOB_ERROR_MAX - 1), "5 bytes and whole characters");
    CLEANUP(str_free) char *odd = source_command_detail("what", errors, sizeof errors);
    cr_expect(eq(sz, strlen(odd), JOB_ERROR_MAX), "6 bytes and whole characters");
}
