/*
 * tz_parse: each version of TZif, each kind of rule in the footer, and what is refused: counts, values and rules out of
 * range.
 */
#include "shared/tz.h"

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(tz_parse, .timeout = 120);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* A zone to be written, well-formed but for what a test changes. */
struct sample {
    char version;
    uint32_t leap_count, time_count, type_count, char_count, ut_count, standard_count;
    int64_t times[3];
    uint8_t indexes[3];
    int32_t offsets[2];
    uint8_t dst[2];
    uint8_t name_at[2];
    const char *footer; /* NULL: not even its line ends */
};

static struct sample sample(void)
{
    return (struct sample){.version = '2',
                           .time_count = 3,
                           .type_count = 2,
                           .char_count = 8,
                           .times = {-1000000, 0, 1000000000},
                           .indexes = {1, 0, 1},
                           .offsets = {-3600, 7200},
                           .dst = {0, 1},
                           .name_at = {0, 4},
                           .footer = "<+02>-2"};
}

static void put(struct buf *b, uint64_t value, int bytes)
{
    while (bytes-- > 0)
        buf_putc(b, (char)(value >> 8 * bytes));
}

static void put_head(struct buf *b, const struct sample *s)
{
    static const char zero[15];

    buf_puts(b, "TZif");
    buf_putc(b, s->version);
    buf_add(b, zero, sizeof zero);
    put(b, s->ut_count, 4);
    put(b, s->standard_count, 4);
    put(b, s->leap_count, 4);
    put(b, s->time_count, 4);
    put(b, s->type_count, 4);
    put(b, s->char_count, 4);
}

static void put_block(struct buf *b, const struct sample *s, int time_bytes)
{
    put_head(b, s);
    for (uint32_t i = 0; i < s->time_count; i++)
        put(b, (uint64_t)s->times[i % 3], time_bytes);
    for (uint32_t i = 0; i < s->time_count; i++)
        put(b, s->indexes[i % 3], 1);
    for (uint32_t i = 0; i < s->type_count; i++) {
        put(b, (uint64_t)s->offsets[i % 2], 4);
        put(b, s->dst[i % 2], 1);
        put(b, s->name_at[i % 2], 1);
    }
    for (uint32_t i = 0; i < s->char_count; i++)
        buf_putc(b, i % 4 == 3 ? '\0' : 'A');
    for (uint32_t i = 0; i < s->leap_count * (uint32_t)(time_bytes + 4); i++)
        buf_putc(b, 0);
    for (uint32_t i = 0; i < s->standard_count + s->ut_count; i++)
        buf_putc(b, 0);
}

static void put_sample(struct buf *b, const struct sample *s)
{
    struct sample old = {
        .version = s->version, .time_count = 1, .type_count = 1, .char_count = 4};

    if (s->version != '\0') {
        put_block(b, &old, 4); /* which nobody should read */
        put_block(b, s, 8);
    } else {
        put_block(b, s, 4);
    }
    if (s->footer)
        buf_printf(b, "\n%s\n", s->footer);
    cr_assert(not(b->failed));
}

static enum err_code parse(const struct sample *s, struct tz *ret, struct err *e)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(256 * 1024);

    put_sample(&b, s);
    return tz_parse(b.data, b.len, ret, e);
}

Test(tz_parse, every_version)
{
    static const char versions[] = {'\0', '2', '3', '4'};

    for (size_t i = 0; i < COUNT(versions); i++) {
        struct sample s = sample();
        struct tz tz = TZ_UTC;
        struct err e = ERR_INIT;
        s.version = versions[i];
        s.footer = versions[i] ? s.footer : NULL;
        cr_assert(eq(int, parse(&s, &tz, &e), ERR_OK), "%s", e.text);
        cr_expect(eq(int, tz_civil(&tz, -1000001).offset_s, -3600));
        cr_expect(eq(int, tz_civil(&tz, -1000000).offset_s, 7200));
        cr_expect(eq(int, tz_civil(&tz, 0).offset_s, -3600));
        cr_expect(eq(int, tz_civil(&tz, 999999999).offset_s, -3600));
        cr_expect(eq(int, tz_civil(&tz, 4000000000).offset_s, 7200));
        cr_expect(eq(int, tz.rule.present, versions[i] != '\0'));
        tz_release(&tz);
        cr_expect(eq(int, tz_civil(&tz, 0).offset_s, 0), "released: UTC");
    }
}

Test(tz_parse, an_empty_footer_keeps_the_last_offset)
{
    struct sample s = sample();
    struct tz tz = TZ_UTC;
    struct err e = ERR_INIT;

    s.footer = "";
    cr_assert(eq(int, parse(&s, &tz, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(int, tz_civil(&tz, INT64_C(9000000000)).offset_s, 7200));
    tz_release(&tz);
}

Test(tz_parse, what_stands_behind_the_footer_is_left_alone)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
    struct sample s = sample();
    struct tz tz = TZ_UTC;
    struct err e = ERR_INIT;

    put_sample(&b, &s);
    buf_puts(&b, "more\n");
    cr_expect(eq(int, tz_parse(b.data, b.len, &tz, &e), ERR_OK), "%s", e.text);
    tz_release(&tz);
}

Test(tz_parse, as_much_as_is_allowed)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(256 * 1024);
    struct sample s = sample();
    struct tz tz = TZ_UTC;
    struct err e = ERR_INIT;

    s.time_count = 0; /* the times are written below, ascending */
    s.type_count = 256;
    put_block(&b, &s, 8);
    cr_expect(eq(int, tz_parse(b.data, b.len, &tz, &e), ERR_CONFIG), "no footer");
    buf_clear(&b);
    s.version = '\0';
    s.footer = NULL;
    s.time_count = TZ_SHIFTS_MAX;
    put_head(&b, &s);
    for (uint32_t i = 0; i < TZ_SHIFTS_MAX; i++)
        put(&b, i * 60, 4);
    for (uint32_t i = 0; i < TZ_SHIFTS_MAX; i++)
        put(&b, i % 256, 1);
    for (uint32_t i = 0; i < 256; i++)
        put(&b, (uint64_t)i << 16, 6);
    buf_add(&b, "AAA\0BBB", 8);
    cr_assert(eq(int, tz_parse(b.data, b.len, &tz, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(sz, tz.count, TZ_SHIFTS_MAX));
    cr_expect(eq(int, tz_civil(&tz, 255 * 60 + 59).offset_s, 255));
    struct tz_civil w = {
        .year = 1970, .month = 1, .day = 1, .hour = 12, .minute = 51, .second = 30};
    cr_expect(eq(int, tz_utc(&tz, &w).fit, TZ_AMBIGUOUS));
    tz_release(&tz);
}

#define BAD(change, what)                                                              \
    do {                                                                               \
        struct sample s = sample();                                                    \
        struct tz tz = {.count = 7};                                                   \
        struct err e = ERR_INIT;                                                       \
        change;                                                                        \
        cr_expect(eq(int, parse(&s, &tz, &e), ERR_CONFIG), #change);                   \
        cr_expect(eq(str, e.text, "not a time zone: " what), #change);                 \
        cr_expect(eq(sz, tz.count, 7), "untouched");                                   \
    } while (0)

Test(tz_parse, what_is_out_of_range_is_refused)
{
    BAD(s.version = '1', "the version of TZif is not 1 to 4");
    BAD(s.version = '5', "the version of TZif is not 1 to 4");
    BAD(s.leap_count = 1, "it counts leap seconds, as the zones under right/ do: name "
                          "the zone without right/");
    BAD(s.time_count = TZ_SHIFTS_MAX + 1, "more than 2000 changes of the clock");
    BAD(s.type_count = 257, "the number of kinds of local time is not 1 to 256");
    BAD(s.type_count = 0, "the number of kinds of local time is not 1 to 256");
    BAD(s.char_count = 0, "the number of kinds of local time is not 1 to 256");
    BAD(s.ut_count = 1, "the counts of its header do not agree");
    BAD(s.standard_count = 3, "the counts of its header do not agree");
    BAD(s.times[1] = s.times[0], "its times are not in ascending order");
    BAD(s.times[2] = INT64_MIN, "its times are not in ascending order");
    BAD(s.indexes[2] = 2, "a time without its kind of local time");
    BAD(s.offsets[1] = 26 * 3600 + 1, "an offset of more than 26 hours");
    BAD(s.offsets[0] = INT32_MIN, "an offset of more than 26 hours");
    BAD(s.dst[0] = 2, "a kind of local time that is none");
    BAD(s.name_at[1] = 8, "a kind of local time that is none");
    BAD(s.footer = NULL, "it has no footer");
    BAD(s.footer = "CET", "its footer is not a rule for the years to come");
}

Test(tz_parse, extreme_times_are_only_far_away)
{
    struct sample s = sample();
    struct tz tz = TZ_UTC;
    struct err e = ERR_INIT;

    s.times[0] = INT64_MIN;
    s.times[2] = INT64_MAX;
    cr_assert(eq(int, parse(&s, &tz, &e), ERR_OK), "%s", e.text);
    struct tz_span first = tz_span(&tz, -5), last = tz_span(&tz, 5);
    cr_expect(eq(i64, first.from_s, TZ_FIRST_S));
    cr_expect(eq(int, first.offset_s, 7200));
    cr_expect(eq(int, first.before_s, 7200));
    cr_expect(eq(i64, last.to_s, TZ_END_S));
    cr_expect(eq(int, last.before_s, 7200));
    tz_release(&tz);
}

/* A zone of nothing but the rule. */
static bool parse_rule(const char *rule, struct tz *ret)
{
    struct sample s = sample();
    struct err e = ERR_INIT;

    s.time_count = 0;
    s.footer = rule;
    return parse(&s, ret, &e) == ERR_OK;
}

static const struct {
    const char *rule, *utc;
    int before_s, offset_s; /* around that instant */
} rules[] = {
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-03-31T01:00:00Z", 3600, 7200},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2024-10-27T01:00:00Z", 7200, 3600},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "1999-10-31T01:00:00Z", 7200, 3600},
    {"EST5EDT,M3.2.0,M11.1.0", "2024-11-03T06:00:00Z", -14400, -18000},
    {"IST-1GMT0,M10.5.0,M3.5.0/1", "2024-10-27T01:00:00Z", 3600, 0},
    {"IST-1GMT0,M10.5.0,M3.5.0/1", "2024-03-31T01:00:00Z", 0, 3600},
    {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-10-05T16:00:00Z", 36000, 39600},
    {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2024-04-06T15:00:00Z", 39600, 37800},
    {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2024-03-30T00:00:00Z", 7200, 10800},
    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2024-03-31T01:00:00Z", -7200, -3600},
    {"AAA0BBB,J60,J61", "2024-03-01T02:00:00Z", 0, 3600},
    {"AAA0BBB,J60,J61", "2023-03-01T02:00:00Z", 0, 3600},
    {"AAA0BBB,J59,J61", "2024-02-28T02:00:00Z", 0, 3600},
    {"AAA0BBB,59,J61", "2024-02-29T02:00:00Z", 0, 3600},
    {"AAA0BBB,59,J61", "2023-03-01T02:00:00Z", 0, 3600},
    {"AAA0BBB-3:30:10,J100,J200", "2024-04-10T02:00:00Z", 0, 12610},
    {"AAA0BBB,J365/167,J8", "2025-01-06T23:00:00Z", 0, 3600},
    {"AAA0BBB,J100,J1/-167", "2023-12-25T00:00:00Z", 3600, 0},
};

Test(tz_parse, rules_for_the_years_to_come)
{
    for (size_t i = 0; i < COUNT(rules); i++) {
        struct tz tz = TZ_UTC;
        int64_t ms = 0;
        cr_assert(clock_parse_rfc3339(rules[i].utc, strlen(rules[i].utc), &ms));
        cr_assert(parse_rule(rules[i].rule, &tz), "%s", rules[i].rule);
        struct tz_span span = tz_span(&tz, ms / 1000);
        cr_expect(eq(i64, span.from_s, ms / 1000), "%s", rules[i].rule);
        cr_expect(eq(int, span.before_s, rules[i].before_s), "%s", rules[i].rule);
        cr_expect(eq(int, span.offset_s, rules[i].offset_s), "%s", rules[i].rule);
        tz_release(&tz);
    }
}

Test(tz_parse, daylight_saving_time_may_hold_all_year)
{
    static const char *const all_year[] = {"XXX3EDT4,0/0,J365/23",
                                           "EST5EDT,0/0,J365/25"};

    for (size_t i = 0; i < COUNT(all_year); i++) {
        struct tz tz = TZ_UTC;
        cr_assert(parse_rule(all_year[i], &tz));
        for (int64_t t = 0; t < INT64_C(3000000000);) {
            struct tz_span span = tz_span(&tz, t);
            cr_assert(eq(int, span.offset_s, -14400), "%s", all_year[i]);
            cr_assert(eq(int, span.before_s, -14400), "%s", all_year[i]);
            cr_assert(span.to_s > t);
            t = span.to_s;
        }
        tz_release(&tz);
    }
}

Test(tz_parse, what_is_no_rule_is_refused)
{
    static const char *const bad[] = {
        "CE-1",
        "CET",
        "CET-25",
        "CET-1:60",
        "CET-1:00:60",
        "CET-1:",
        "CET-1 ",
        "<CET-1",
        "<C>-1",
        "C1T-1",
        "1",
        "-1",
        ":Europe/Berlin",
        "CET-1CEST",
        "CET-1CEST,",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M3.5.0,",
        "CET-1CEST,M3.5.0,M10.5.0/3,",
        "CET-1CEST,M3.5.0,M10.5.0/168",
        "CET-1CEST,M0.5.0,M10.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.0.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,J0,J5",
        "CET-1CEST,J366,J5",
        "CET-1CEST,366,5",
        "CET-1CEST,-1,5",
        "CET-1CEST,99999999999999999999,5",
        "CET-1CEST25,1,5",
        "CET--1",
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct tz tz = TZ_UTC;
        cr_expect(not(parse_rule(bad[i], &tz)), "%s", bad[i]);
    }
}
