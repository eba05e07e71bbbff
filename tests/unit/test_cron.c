/*
 * cron: the ticks of lines around the days on which clocks change, at the ends of what is searched, and of intervals.
 */
#include "shared/cron.h"

#include "shared/clock.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(cron, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { TICKS_MAX = 4 };

static struct tz load(const char *name)
{
    struct tz tz = TZ_UTC;
    struct err e = ERR_INIT;

    cr_assert(eq(int, tz_load(name, &tz, &e), ERR_OK), "%s: %s", name, e.text);
    return tz;
}

static struct cron line(const char *text)
{
    struct cron c = {.every_ms = 0};
    struct err e = ERR_INIT;

    cr_assert(eq(int, cron_parse(text, strlen(text), &c, &e), ERR_OK), "%s", e.text);
    return c;
}

static int64_t ms_of(const char *text)
{
    int64_t ms = 0;

    cr_assert(clock_parse_rfc3339(text, strlen(text), &ms), "%s", text);
    return ms;
}

static const struct {
    const char *zone, *line, *after, *ticks[TICKS_MAX]; /* up to NULL: none follows */
} cases[] = {
    {"UTC",
     "* * * * *",
     "2024-01-01T00:00:00Z",
     {"2024-01-01T00:01:00Z", "2024-01-01T00:02:00Z", "2024-01-01T00:03:00Z",
      "2024-01-01T00:04:00Z"}},
    {"UTC",
     "*/20 * * * *",
     "2024-01-01T00:39:59.999Z",
     {"2024-01-01T00:40:00Z", "2024-01-01T01:00:00Z", "2024-01-01T01:20:00Z",
      "2024-01-01T01:40:00Z"}},
    {"UTC",
     "30 2 * * *",
     "2024-02-28T02:30:00Z",
     {"2024-02-29T02:30:00Z", "2024-03-01T02:30:00Z", "2024-03-02T02:30:00Z",
      "2024-03-03T02:30:00Z"}},
    {"UTC",
     "0 0 29 2 *",
     "2020-02-29T00:00:00Z",
     {"2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z",
      "2036-02-29T00:00:00Z"}},
    {"UTC", "0 0 29 2 *", "2096-01-01T00:00:00Z", {"2096-02-29T00:00:00Z"}},
    {"UTC", "0 0 30 2 *", "2024-01-01T00:00:00Z", {NULL}},
    {"UTC", "0 0 31 4,6,9,11 *", "2024-01-01T00:00:00Z", {NULL}},
    {"UTC",
     "0 0 31 * *",
     "2024-01-31T00:00:00Z",
     {"2024-03-31T00:00:00Z", "2024-05-31T00:00:00Z", "2024-07-31T00:00:00Z",
      "2024-08-31T00:00:00Z"}},
    /* Both day fields restrict: either. */
    {"UTC",
     "0 0 13 * FRI",
     "2024-09-06T00:00:00Z",
     {"2024-09-13T00:00:00Z", "2024-09-20T00:00:00Z", "2024-09-27T00:00:00Z",
      "2024-10-04T00:00:00Z"}},
    {"UTC",
     "0 0 11 * FRI",
     "2024-11-08T00:00:00Z",
     {"2024-11-11T00:00:00Z", "2024-11-15T00:00:00Z", "2024-11-22T00:00:00Z",
      "2024-11-29T00:00:00Z"}},
    /* A star with a step does not restrict: both. */
    {"UTC",
     "0 0 */2 * FRI",
     "2024-11-08T00:00:00Z",
     {"2024-11-15T00:00:00Z", "2024-11-29T00:00:00Z", "2024-12-13T00:00:00Z",
      "2024-12-27T00:00:00Z"}},
    {"UTC",
     "@weekly",
     "2024-12-28T12:00:00Z",
     {"2024-12-29T00:00:00Z", "2025-01-05T00:00:00Z", "2025-01-12T00:00:00Z",
      "2025-01-19T00:00:00Z"}},
    {"UTC",
     "@yearly",
     "2024-12-28T12:00:00Z",
     {"2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
      "2028-01-01T00:00:00Z"}},
    /* In a gap: right after it, once. */
    {"Europe/Berlin",
     "30 2 * * *",
     "2024-03-30T00:00:00Z",
     {"2024-03-30T01:30:00Z", "2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z",
      "2024-04-02T00:30:00Z"}},
    {"Europe/Berlin",
     "0,30 2,3 * * *",
     "2024-03-30T02:30:00Z",
     {"2024-03-31T01:00:00Z", "2024-03-31T01:30:00Z", "2024-04-01T00:00:00Z",
      "2024-04-01T00:30:00Z"}},
    {"America/New_York",
     "15 2 * * *",
     "2024-03-09T07:15:00Z",
     {"2024-03-10T07:00:00Z", "2024-03-11T06:15:00Z", "2024-03-12T06:15:00Z",
      "2024-03-13T06:15:00Z"}},
    {"Australia/Lord_Howe",
     "15 2 * * *",
     "2024-10-04T15:45:00Z",
     {"2024-10-05T15:30:00Z", "2024-10-06T15:15:00Z", "2024-10-07T15:15:00Z",
      "2024-10-08T15:15:00Z"}},
    {"Africa/Casablanca",
     "30 2 * * *",
     "2024-04-13T02:30:00Z",
     {"2024-04-14T02:00:00Z", "2024-04-15T01:30:00Z", "2024-04-16T01:30:00Z",
      "2024-04-17T01:30:00Z"}},
    {"Pacific/Apia",
     "0 9 * * *",
     "2011-12-28T19:00:00Z",
     {"2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z",
      "2011-12-31T19:00:00Z"}},
    /* In an overlap: the first time. */
    {"Europe/Berlin",
     "30 2 * * *",
     "2024-10-26T00:30:00Z",
     {"2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z", "2024-10-29T01:30:00Z",
      "2024-10-30T01:30:00Z"}},
    {"Europe/Berlin",
     "30 2 * * *",
     "2024-10-27T01:10:00Z",
     {"2024-10-28T01:30:00Z", "2024-10-29T01:30:00Z", "2024-10-30T01:30:00Z",
      "2024-10-31T01:30:00Z"}},
    {"Europe/Berlin",
     "0 3 27 10 *",
     "2024-10-26T00:00:00Z",
     {"2024-10-27T02:00:00Z", "2025-10-27T02:00:00Z", "2026-10-27T02:00:00Z",
      "2027-10-27T01:00:00Z"}},
    {"America/New_York",
     "30 1 * * *",
     "2024-11-03T05:00:00Z",
     {"2024-11-03T05:30:00Z", "2024-11-04T06:30:00Z", "2024-11-05T06:30:00Z",
      "2024-11-06T06:30:00Z"}},
    {"Australia/Lord_Howe",
     "45 1 * * *",
     "2024-04-05T14:45:00Z",
     {"2024-04-06T14:45:00Z", "2024-04-07T15:15:00Z", "2024-04-08T15:15:00Z",
      "2024-04-09T15:15:00Z"}},
    {"Africa/Casablanca",
     "30 2 * * *",
     "2024-03-09T01:30:00Z",
     {"2024-03-10T01:30:00Z", "2024-03-11T02:30:00Z", "2024-03-12T02:30:00Z",
      "2024-03-13T02:30:00Z"}},
    /* A star in minute or hour: by elapsed time. */
    {"Europe/Berlin",
     "0 * * * *",
     "2024-10-26T22:30:00Z",
     {"2024-10-26T23:00:00Z", "2024-10-27T00:00:00Z", "2024-10-27T01:00:00Z",
      "2024-10-27T02:00:00Z"}},
    {"Europe/Berlin",
     "30 * * * *",
     "2024-03-31T00:00:00Z",
     {"2024-03-31T00:30:00Z", "2024-03-31T01:30:00Z", "2024-03-31T02:30:00Z",
      "2024-03-31T03:30:00Z"}},
    {"Europe/Berlin",
     "*/30 2 * * *",
     "2024-03-30T01:00:00Z",
     {"2024-03-30T01:30:00Z", "2024-04-01T00:00:00Z", "2024-04-01T00:30:00Z",
      "2024-04-02T00:00:00Z"}},
    {"Europe/Berlin",
     "*/30 2 * * *",
     "2024-10-26T23:30:00Z",
     {"2024-10-27T00:00:00Z", "2024-10-27T00:30:00Z", "2024-10-27T01:00:00Z",
      "2024-10-27T01:30:00Z"}},
    {"Australia/Lord_Howe",
     "0 * * * *",
     "2024-10-05T14:00:00Z",
     {"2024-10-05T14:30:00Z", "2024-10-05T16:00:00Z", "2024-10-05T17:00:00Z",
      "2024-10-05T18:00:00Z"}},
    {"Asia/Kolkata",
     "0 * * * *",
     "2024-01-01T00:00:00Z",
     {"2024-01-01T00:30:00Z", "2024-01-01T01:30:00Z", "2024-01-01T02:30:00Z",
      "2024-01-01T03:30:00Z"}},
    {"Asia/Kolkata",
     "0 0 1 JAN *",
     "2024-01-01T00:00:00Z",
     {"2024-12-31T18:30:00Z", "2025-12-31T18:30:00Z", "2026-12-31T18:30:00Z",
      "2027-12-31T18:30:00Z"}},
    {"UTC", "0 0 * * *", "9999-12-30T00:00:00Z", {"9999-12-31T00:00:00Z"}},
};

Test(cron, the_ticks_after_an_instant)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tz tz = load(cases[i].zone);
        struct cron c = line(cases[i].line);
        int64_t at = ms_of(cases[i].after), tick = 7;
        for (size_t n = 0; n < TICKS_MAX; n++) {
            const char *want = cases[i].ticks[n];
            bool has = cron_next(&c, &tz, at, &tick);
            cr_expect(eq(int, has, want != NULL), "%s %s %zu", cases[i].zone,
                      cases[i].line, n);
            if (!want) {
                cr_expect(eq(i64, tick, n > 0 ? at : 7), "untouched");
                break;
            }
            cr_expect(eq(i64, tick, ms_of(want)), "%s %s %s", cases[i].zone,
                      cases[i].line, want);
            at = tick;
        }
        tz_release(&tz);
    }
}

Test(cron, the_last_tick_is_the_latest_of_those_missed)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tz tz = load(cases[i].zone);
        struct cron c = line(cases[i].line);
        for (size_t n = 0; n < TICKS_MAX && cases[i].ticks[n]; n++) {
            int64_t tick = ms_of(cases[i].ticks[n]), got = 0;
            cr_expect(cron_last(&c, &tz, tick, &got));
            cr_expect(eq(i64, got, tick), "%s %s %s at it", cases[i].zone,
                      cases[i].line, cases[i].ticks[n]);
            if (n + 1 < TICKS_MAX && cases[i].ticks[n + 1]) {
                cr_expect(cron_last(&c, &tz, ms_of(cases[i].ticks[n + 1]) - 1, &got));
                cr_expect(eq(i64, got, tick), "%s %s %s until the next", cases[i].zone,
                          cases[i].line, cases[i].ticks[n]);
            }
        }
        tz_release(&tz);
    }
}

Test(cron, a_line_that_is_never_due_was_never_due)
{
    struct tz utc = TZ_UTC;
    struct cron never = line("0 0 30 2 *"), leap = line("0 0 29 2 *");
    int64_t got = 7;

    cr_expect(not(cron_last(&never, &utc, ms_of("2024-01-01T00:00:00Z"), &got)));
    cr_expect(not(cron_last(&leap, &utc, ms_of("2103-01-01T00:00:00Z"), &got)));
    cr_expect(eq(i64, got, 7), "untouched");
    cr_expect(cron_last(&leap, &utc, ms_of("2099-01-01T00:00:00Z"), &got));
    cr_expect(eq(i64, got, ms_of("2096-02-29T00:00:00Z")));
}

Test(cron, intervals_are_counted_from_the_epoch)
{
    struct tz utc = TZ_UTC;
    struct cron c = cron_every(15 * 60000);
    int64_t got = 0;

    cr_expect(cron_next(&c, &utc, ms_of("2024-01-01T00:15:00Z"), &got));
    cr_expect(eq(i64, got, ms_of("2024-01-01T00:30:00Z")));
    cr_expect(cron_next(&c, &utc, ms_of("2024-01-01T00:14:59.999Z"), &got));
    cr_expect(eq(i64, got, ms_of("2024-01-01T00:15:00Z")));
    cr_expect(cron_last(&c, &utc, ms_of("2024-01-01T00:15:00Z"), &got));
    cr_expect(eq(i64, got, ms_of("2024-01-01T00:15:00Z")));
    cr_expect(cron_last(&c, &utc, ms_of("2024-01-01T00:29:59.999Z"), &got));
    cr_expect(eq(i64, got, ms_of("2024-01-01T00:15:00Z")));
    cr_expect(eq(i64, cron_every(0).every_ms, CRON_EVERY_MIN_MS));
    cr_expect(eq(i64, cron_every(INT64_MAX).every_ms, CRON_EVERY_MAX_MS));
}

Test(cron, instants_out_of_range_count_as_the_nearest)
{
    struct tz utc = TZ_UTC;
    struct cron daily = line("0 0 * * *"), every = cron_every(1500);
    int64_t got = 7;

    cr_expect(not(cron_next(&daily, &utc, INT64_MAX, &got)));
    cr_expect(eq(i64, got, 7));
    cr_expect(cron_last(&daily, &utc, INT64_MAX, &got));
    cr_expect(eq(i64, got, ms_of("9999-12-31T00:00:00Z")));
    cr_expect(cron_next(&daily, &utc, INT64_MIN, &got));
    cr_expect(eq(i64, got, 86400000));
    cr_expect(cron_last(&daily, &utc, INT64_MIN, &got));
    cr_expect(eq(i64, got, 0));
    cr_expect(cron_next(&every, &utc, INT64_MIN, &got));
    cr_expect(eq(i64, got, 1500));
    cr_expect(cron_last(&every, &utc, INT64_MAX, &got));
    cr_expect(ge(i64, got, ms_of("9999-12-31T23:59:58Z")));
}
