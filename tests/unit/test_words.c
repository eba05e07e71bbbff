/*
 * words: lines are taken apart as systemd does; what is ambiguous is refused.
 */
#include "shared/words.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(words, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct {
    const char *line;
    const char *words; /* each followed by '|' */
} rows[] = {
    {"a", "a|"},
    {"  pg_dump\t-Fc  mydb ", "pg_dump|-Fc|mydb|"},
    {"sh -c \"echo 'x y' | cat\"", "sh|-c|echo 'x y' | cat|"},
    {"a '' \"\"", "a|||"},
    {"a 'b \"c\" d'", "a|b \"c\" d|"},
    {"a --x='b c'", "a|--x='b|c'|"},
    {"it's", "it's|"},
    {"a \\\"b c\\\"", "a|\"b|c\"|"},
    {"a\\sb 'c\\'d' \"\\\\\"", "a b|c'd|\\|"},
    {"\\a\\b\\f\\n\\r\\t\\v", "\a\b\f\n\r\t\v|"},
    {"\\x41\\x7a\\101\\377", "Az"
                             "A\xff|"},
    {"$HOME %h ~ *", "$HOME|%h|~|*|"},
    {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9|"},
};

Test(words, a_line_is_taken_apart)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct words w = {.count = 0};
        struct err e = ERR_INIT;
        char all[256] = "";
        size_t used = 0;
        cr_assert(eq(int, words_split(rows[i].line, &w, &e), ERR_OK), "%s: %s",
                  rows[i].line, e.text);
        for (size_t k = 0; k < w.count; k++)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s|", w.argv[k]);
        cr_expect(eq(str, all, (char *)rows[i].words), "%s", rows[i].line);
        cr_expect(eq(ptr, w.argv[w.count], NULL));
        words_release(&w);
        cr_expect(eq(ptr, w.text, NULL));
    }
}

static const struct {
    const char *line, *has;
} bad[] = {
    {"", "is empty"},
    {" \t ", "is empty"},
    {"a \"b", "a \" without its end"},
    {"a 'b\\'", "a ' without its end"},
    {"a 'b'c", "a blank must follow the '"},
    {"a \"b\"\"c\"", "a blank must follow the \""},
    {"a\\", "'\\' is not one of"},
    {"'a\\", "'\\' is not one of"},
    {"a\\q", "'\\q' is not one of"},
    {"a\\ b", "'\\ ' is not one of"},
    {"a\\x4", "'\\x' is not one of"},
    {"a\\xg0", "'\\x' is not one of"},
    {"a\\x00", "'\\x' is not one of"},
    {"a\\000", "'\\0' is not one of"},
    {"a\\400", "'\\4' is not one of"},
    {"a\\08", "'\\0' is not one of"},
};

Test(words, what_is_no_line_is_refused)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct words w = {.count = 7};
        struct err e = ERR_INIT;
        cr_expect(eq(int, words_split(bad[i].line, &w, &e), ERR_CONFIG), "%s",
                  bad[i].line);
        cr_expect(ne(ptr, strstr(e.text, bad[i].has), NULL), "%s: %s", bad[i].line,
                  e.text);
        cr_expect(eq(sz, w.count, 7), "untouched");
    }
}

Test(words, there_is_a_most_of_words_and_of_bytes)
{
    static char line[WORDS_TEXT_MAX + 2];
    struct words w = {.count = 0};
    struct err e = ERR_INIT;

    for (size_t i = 0; i < WORDS_MAX; i++)
        memcpy(line + 2 * i, "a ", 3);
    cr_assert(eq(int, words_split(line, &w, &e), ERR_OK));
    cr_expect(eq(sz, w.count, (size_t)WORDS_MAX));
    words_release(&w);
    memcpy(line + 2 * WORDS_MAX, "b", 2);
    cr_assert(eq(int, words_split(line, &w, &e), ERR_CONFIG));
    cr_expect(ne(ptr, strstr(e.text, "more than 128 words"), NULL), "%s", e.text);

    memset(line, 'x', WORDS_TEXT_MAX);
    line[WORDS_TEXT_MAX] = '\0';
    cr_assert(eq(int, words_split(line, &w, &e), ERR_OK));
    cr_expect(eq(sz, strlen(w.argv[0]), (size_t)WORDS_TEXT_MAX));
    words_release(&w);
    line[WORDS_TEXT_MAX] = 'x';
    line[WORDS_TEXT_MAX + 1] = '\0';
    cr_expect(eq(int, words_split(line, &w, &e), ERR_CONFIG));
}
