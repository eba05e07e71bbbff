/*
 * clock: RFC 3339 both ways, over the whole range and for what is not a time.
 */
#include "shared/clock.h"

#include "shared/cleanup.h"

#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

TestSuite(clock, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define LAST_MS INT64_C(253402300799999)

static const struct {
    const char *text;
    int64_t ms;
} good[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:00.001Z", 1},
    {"1970-01-01t00:00:01z", 1000},
    {"1985-04-12T23:20:50.52Z", 482196050520},
    {"1996-12-19T16:39:57-08:00", 851042397000},
    {"1996-12-20T00:39:57Z", 851042397000},
    {"1937-01-01T12:00:27.87+00:20", -1}, /* RFC 3339's own example, before our epoch */
    {"1990-12-31T23:59:60Z", 662688000000},
    {"2000-02-29T00:00:00Z", 951782400000},
    {"2024-02-29T12:00:00.999999999Z", 1709208000999},
    {"2026-11-22T14:26:31.1Z", 1795357591100},
    {"2026-11-22T14:26:31.123456+05:30", 1795337791123},
    {"1969-12-31T23:00:00-01:00", 0},
    {"9999-12-31T23:59:59.999Z", LAST_MS},
    {"2026-11-22T14:26:31-00:00", 1795357591000},
};

ParameterizedTestParameters(clock, a_time_is_parsed)
{
    static size_t i[COUNT(good)];
    for (size_t k = 0; k < COUNT(i); k++)
        i[k] = k;
    return cr_make_param_array(size_t, i, COUNT(i));
}

ParameterizedTest(size_t *i, clock, a_time_is_parsed)
{
    const char *text = good[*i].text;
    int64_t ms = -1;
    bool ok = clock_parse_rfc3339(text, strlen(text), &ms);

    cr_expect(eq(int, ok, good[*i].ms >= 0), "%s", text);
    cr_expect(eq(i64, ms, good[*i].ms), "%s", text);
}

Test(clock, what_is_not_a_time_is_refused_and_nothing_is_stored)
{
    static const char *const bad[] = {
        "",
        "2026-11-22",
        "2026-11-22T14:26:31",
        "2026-11-22 14:26:31Z",
        "2026-11-22T14:26Z",
        "2026-11-22T14:26:31.Z",
        "2026-11-22T14:26:31,5Z",
        "2026-11-22T14:26:31Z ",
        " 2026-11-22T14:26:31Z",
        "2026-11-22T14:26:31ZZ",
        "2026-00-22T14:26:31Z",
        "2026-13-22T14:26:31Z",
        "2026-11-00T14:26:31Z",
        "2026-11-31T14:26:31Z",
        "2026-02-29T14:26:31Z",
        "2100-02-29T14:26:31Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T14:60:31Z",
        "2026-11-22T14:26:61Z",
        "2026-11-22T14:26:31+24:00",
        "2026-11-22T14:26:31+00:60",
        "2026-11-22T14:26:31+0100",
        "2026-11-22T14:26:31+01",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
        "-026-11-22T14:26:31Z",
        "+026-11-22T14:26:31Z",
        "2026-1-22T14:26:31Z",
        "tomorrow",
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms = 4711;
        cr_expect(not(clock_parse_rfc3339(bad[i], strlen(bad[i]), &ms)), "%s", bad[i]);
        cr_expect(eq(i64, ms, 4711), "%s", bad[i]);
    }
}

Test(clock, only_len_bytes_are_looked_at)
{
    int64_t ms = 0;

    cr_expect(clock_parse_rfc3339("1970-01-01T00:00:01Zjunk", 20, &ms));
    cr_expect(eq(i64, ms, 1000));
    for (size_t len = 0; len < 20; len++)
        cr_expect(not(clock_parse_rfc3339("1970-01-01T00:00:01Z", len, &ms)), "%zu",
                  len);
}

/* glibc counts days in its own way.  Every day of 400 years, after which the calendar repeats, then one in 97. */
Test(clock, days_are_written_as_glibc_does_and_read_back)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(64);

    for (int64_t day = 0; day <= LAST_MS / 86400000; day += day < 146097 ? 1 : 97) {
        int64_t ms = day * 86400000 + day * 7919 % 86400000, back = -1;
        time_t seconds = (time_t)(ms / 1000);
        struct tm tm;
        char want[32];
        buf_clear(&b);
        bool written = clock_format_rfc3339(&b, ms) && gmtime_r(&seconds, &tm);
        size_t len = strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
        if (!written || b.len != len + 5 || memcmp(b.data, want, len) != 0 ||
            !clock_parse_rfc3339(b.data, b.len, &back) || back != ms)
            cr_fatal("ms %lld: '%s' is not '%s'", (long long)ms, b.data, want);
    }
}

Test(clock, milliseconds_are_written_with_three_digits)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(64);

    clock_format_rfc3339(&b, 1795357591007);
    cr_expect(eq(str, b.data, "2026-11-22T14:26:31.007Z"));
}

Test(clock, what_cannot_be_written_is_written_as_the_nearest)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(64);

    clock_format_rfc3339(&b, INT64_MIN);
    cr_expect(eq(str, b.data, "1970-01-01T00:00:00.000Z"));
    buf_clear(&b);
    clock_format_rfc3339(&b, INT64_MAX);
    cr_expect(eq(str, b.data, "9999-12-31T23:59:59.999Z"));
}

Test(clock, a_full_buf_is_told)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(23);

    cr_expect(not(clock_format_rfc3339(&b, 0)), "24 bytes are needed");
}

Test(clock, clocks_have_their_units)
{
    int64_t wall_s = (int64_t)time(NULL), wall = clock_wall_ms();
    int64_t mono = clock_mono_ms(), mono_us = clock_mono_us();

    cr_expect(ge(i64, wall / 1000, wall_s));
    cr_expect(le(i64, wall / 1000, wall_s + 10));
    cr_expect(ge(i64, mono_us / 1000, mono));
    cr_expect(le(i64, mono_us / 1000, mono + 10000));
    cr_expect(ge(i64, clock_mono_us(), mono_us));
    cr_expect(ge(i64, clock_boot_ms(), mono),
              "it counts what the other does, and more");
}

Test(clock, each_day_has_its_date)
{
    int year, month, day;

    cr_expect(eq(i64, clock_days_from_date(1, 1, 1), -719162));
    cr_expect(eq(i64, clock_days_from_date(2000, 2, 29), 11016));
    cr_expect(eq(i64, clock_days_from_date(10000, 1, 1), 2932897));
    for (int64_t days = -719162; days <= 2932897; days++) {
        clock_date_from_days(days, &year, &month, &day);
        if (clock_days_from_date(year, month, day) != days || month < 1 || month > 12 ||
            day < 1 || day > 31)
            cr_fatal("%lld is not %d-%d-%d", (long long)days, year, month, day);
    }
}
