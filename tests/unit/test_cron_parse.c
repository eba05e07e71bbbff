/*
 * cron_parse: each form of a field, and what is refused, with the field and what is allowed in the text.
 */
#include "shared/cron.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(cron_parse, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { ALL_WEEKDAYS = 0x7f };

#define ALL_MINUTES UINT64_C(0xfffffffffffffff)
#define ALL_HOURS UINT64_C(0xffffff)
#define ALL_DAYS UINT64_C(0xfffffffe)
#define ALL_MONTHS UINT64_C(0x1ffe)
#define BIT(n) (UINT64_C(1) << (n))

static const struct {
    const char *line;
    uint64_t set[CRON_FIELDS];
    const char *stars; /* a star for each field that begins with one */
} good[] = {
    {"* * * * *",
     {ALL_MINUTES, ALL_HOURS, ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS},
     "*****"},
    {"0 0 1 1 0", {BIT(0), BIT(0), BIT(1), BIT(1), BIT(0)}, "....."},
    {"59 23 31 12 7", {BIT(59), BIT(23), BIT(31), BIT(12), BIT(0)}, "....."},
    {"05 09 03 04 05", {BIT(5), BIT(9), BIT(3), BIT(4), BIT(5)}, "....."},
    {" \t1  2\t3 4 5 \t", {BIT(1), BIT(2), BIT(3), BIT(4), BIT(5)}, "....."},
    {"*/20 */12 */15 */6 */3",
     {BIT(0) | BIT(20) | BIT(40), BIT(0) | BIT(12), BIT(1) | BIT(16) | BIT(31),
      BIT(1) | BIT(7), BIT(0) | BIT(3) | BIT(6)},
     "*****"},
    {"10-50/20 22-23 30-31 11-12 1-2",
     {BIT(10) | BIT(30) | BIT(50), BIT(22) | BIT(23), BIT(30) | BIT(31),
      BIT(11) | BIT(12), BIT(1) | BIT(2)},
     "....."},
    {"1,3,5-6,*/30 *,1 1,*/31 2 3",
     {BIT(0) | BIT(1) | BIT(3) | BIT(5) | BIT(6) | BIT(30), ALL_HOURS, BIT(1), BIT(2),
      BIT(3)},
     ".*..."},
    {"0 0 * JAN,feb,Dec SUN,mon,Sat",
     {BIT(0), BIT(0), ALL_DAYS, BIT(1) | BIT(2) | BIT(12), BIT(0) | BIT(1) | BIT(6)},
     "..*.."},
    {"0 0 * MAR-may/2 TUE-THU",
     {BIT(0), BIT(0), ALL_DAYS, BIT(3) | BIT(5), BIT(2) | BIT(3) | BIT(4)},
     "..*.."},
    {"0 0 * * FRI-SUN",
     {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(5) | BIT(6) | BIT(0)},
     "..**."},
    {"0 0 * * 6-7", {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(6) | BIT(0)}, "..**."},
    {"0 0 * * 0-7", {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS}, "..**."},
    {"0 0 * * sun-tue",
     {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(0) | BIT(1) | BIT(2)},
     "..**."},
    {"0 0 30 2 *", {BIT(0), BIT(0), BIT(30), BIT(2), ALL_WEEKDAYS}, "....*"},
    {"@hourly", {BIT(0), ALL_HOURS, ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS}, ".****"},
    {"@Daily", {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS}, "..***"},
    {" @midnight ", {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS}, "..***"},
    {"@weekly", {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(0)}, "..**."},
    {"@monthly", {BIT(0), BIT(0), BIT(1), ALL_MONTHS, ALL_WEEKDAYS}, "...**"},
    {"@YEARLY", {BIT(0), BIT(0), BIT(1), BIT(1), ALL_WEEKDAYS}, "....*"},
    {"@annually", {BIT(0), BIT(0), BIT(1), BIT(1), ALL_WEEKDAYS}, "....*"},
};

Test(cron_parse, what_each_form_means)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct cron c;
        struct err e = ERR_INIT;
        cr_assert(eq(int, cron_parse(good[i].line, strlen(good[i].line), &c, &e), 0),
                  "%s: %s", good[i].line, e.text);
        for (int f = 0; f < CRON_FIELDS; f++) {
            cr_expect(eq(u64, c.set[f], good[i].set[f]), "%s: field %d", good[i].line,
                      f);
            cr_expect(eq(int, c.star[f], good[i].stars[f] == '*'), "%s: field %d",
                      good[i].line, f);
        }
        cr_expect(eq(i64, c.every_ms, 0));
    }
}

#define COUNT_TEXT                                                                     \
    "cron: not five fields: minute, hour, day of month, month, day of week, such as "  \
    "30 2 * * MON-FRI"
#define FIELD_TEXT(field, values, step)                                                \
    "cron: the " field ": allowed are *, " values ", ranges low-high, * and ranges "   \
    "with /step of 1 to " step ", and lists of these with commas"
#define MINUTE(word) FIELD_TEXT("minute '" word "'", "0 to 59", "59")
#define HOUR(word) FIELD_TEXT("hour '" word "'", "0 to 23", "23")
#define DAY(word) FIELD_TEXT("day of month '" word "'", "1 to 31", "31")
#define MONTH(word) FIELD_TEXT("month '" word "'", "1 to 12 or JAN to DEC", "12")
#define WEEKDAY(word)                                                                  \
    FIELD_TEXT("day of week '" word "'", "0 to 7 (0 and 7 are Sunday) or SUN to SAT",  \
               "7")
#define NICKNAME(word)                                                                 \
    "cron: '" word "' is not @hourly, @daily, @midnight, @weekly, @monthly, @yearly "  \
    "or @annually"

static const struct {
    const char *line, *text;
} bad[] = {
    {"", COUNT_TEXT},
    {"   ", COUNT_TEXT},
    {"* * * *", COUNT_TEXT},
    {"* * * * * *", COUNT_TEXT},
    {"*\n* * * *", COUNT_TEXT},
    {"@reboot", NICKNAME("@reboot")},
    {"@", NICKNAME("@")},
    {"@hourlyx", NICKNAME("@hourlyx")},
    {"@hourly *", COUNT_TEXT},
    {"60 * * * *", MINUTE("60")},
    {"-1 * * * *", MINUTE("-1")},
    {"001 * * * *", MINUTE("001")},
    {"x * * * *", MINUTE("x")},
    {"1, * * * *", MINUTE("1,")},
    {",1 * * * *", MINUTE(",1")},
    {"1-5/ * * * *", MINUTE("1-5/")},
    {"*/0 * * * *", MINUTE("*/0")},
    {"*/60 * * * *", MINUTE("*/60")},
    {"5/10 * * * *", MINUTE("5/10")},
    {"** * * * *", MINUTE("**")},
    {"*-5 * * * *", MINUTE("*-5")},
    {"1-2-3 * * * *", MINUTE("1-2-3")},
    {"99999999999999999999 * * * *", MINUTE("99999999999999999999")},
    {"* 24 * * *", HOUR("24")},
    {"* 22-2 * * *", HOUR("22-2")},
    {"* * 0 * *", DAY("0")},
    {"* * 32 * *", DAY("32")},
    {"* * L * *", DAY("L")},
    {"* * * 0 *", MONTH("0")},
    {"* * * 13 *", MONTH("13")},
    {"* * * JANUARY *", MONTH("JANUARY")},
    {"* * * MON *", MONTH("MON")},
    {"* * * DEC-JAN *", MONTH("DEC-JAN")},
    {"* * * * 8", WEEKDAY("8")},
    {"* * * * MO", WEEKDAY("MO")},
    {"* * * * SAT-MON", WEEKDAY("SAT-MON")},
    {"* * * * FRI#2", WEEKDAY("FRI#2")},
    {"1 2 3 4 aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeee",
     WEEKDAY("aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd")},
};

Test(cron_parse, what_is_refused_and_why)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct cron c = {.every_ms = 7};
        struct err e = ERR_INIT;
        cr_expect(
            eq(int, cron_parse(bad[i].line, strlen(bad[i].line), &c, &e), ERR_CONFIG),
            "%s", bad[i].line);
        cr_expect(eq(str, e.text, (char *)bad[i].text));
        cr_expect(eq(i64, c.every_ms, 7), "untouched");
    }
}

Test(cron_parse, a_line_has_a_length)
{
    char line[CRON_LINE_MAX + 1];
    struct cron c;
    struct err e = ERR_INIT;

    memset(line, ' ', sizeof line);
    for (size_t i = 0; i < CRON_FIELDS; i++)
        line[2 * i] = '1';
    cr_expect(eq(int, cron_parse(line, CRON_LINE_MAX, &c, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(int, cron_parse(line, CRON_LINE_MAX + 1, &c, &e), ERR_CONFIG));
    cr_expect(eq(str, e.text, "cron: not a line of at most 256 bytes"));
    cr_expect(eq(int, cron_parse("1 2 3 4 5\0", 10, &c, &e), ERR_CONFIG));
    cr_expect(eq(int, cron_parse("1 2 3 4 56", 9, &c, &e), ERR_OK), "only len bytes");
}
