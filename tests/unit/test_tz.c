/*
 * tz: what clocks showed and will show, around the changes that differ: forward and back, by half an hour, daylight
 * saving time that is behind, a day that never was; and all zones of the world against the C library.
 */
#include "shared/tz.h"

#include "shared/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(tz, .timeout = 120);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct tz load(const char *name)
{
    struct tz tz = TZ_UTC;
    struct err e = ERR_INIT;

    cr_assert(eq(int, tz_load(name, &tz, &e), ERR_OK), "%s: %s", name, e.text);
    return tz;
}

static int64_t instant(const char *text)
{
    int64_t ms = 0;

    cr_assert(clock_parse_rfc3339(text, strlen(text), &ms), "%s", text);
    return ms / 1000;
}

/* What stands on the wall, "2024-03-31 03:00:00 +7200 Sun". */
static void show(const struct tz_civil *w, char text[static 64])
{
    static const char names[] = "SunMonTueWedThuFriSat";

    snprintf(text, 64, "%04d-%02d-%02d %02d:%02d:%02d %+d %.3s", w->year, w->month,
             w->day, w->hour, w->minute, w->second, (int)w->offset_s,
             names + 3 * w->weekday);
}

/* "2024-03-31 02:00:00" */
static struct tz_civil wall(const char *text)
{
    struct tz utc = TZ_UTC;
    char rfc3339[32];

    snprintf(rfc3339, sizeof rfc3339, "%.10sT%.8sZ", text, text + 11);
    return tz_civil(&utc, instant(rfc3339));
}

static const struct {
    const char *zone, *utc, *want;
} shown[] = {
    {"UTC", "2024-02-29T12:34:56Z", "2024-02-29 12:34:56 +0 Thu"},
    {"Europe/Berlin", "2024-03-31T00:59:59Z", "2024-03-31 01:59:59 +3600 Sun"},
    {"Europe/Berlin", "2024-03-31T01:00:00Z", "2024-03-31 03:00:00 +7200 Sun"},
    {"Europe/Berlin", "2024-10-27T00:59:59Z", "2024-10-27 02:59:59 +7200 Sun"},
    {"Europe/Berlin", "2024-10-27T01:00:00Z", "2024-10-27 02:00:00 +3600 Sun"},
    {"Europe/Berlin", "2099-03-29T00:59:59Z", "2099-03-29 01:59:59 +3600 Sun"},
    {"Europe/Berlin", "2099-03-29T01:00:00Z", "2099-03-29 03:00:00 +7200 Sun"},
    {"America/New_York", "2024-03-10T06:59:59Z", "2024-03-10 01:59:59 -18000 Sun"},
    {"America/New_York", "2024-03-10T07:00:00Z", "2024-03-10 03:00:00 -14400 Sun"},
    {"America/New_York", "2024-11-03T05:59:59Z", "2024-11-03 01:59:59 -14400 Sun"},
    {"America/New_York", "2024-11-03T06:00:00Z", "2024-11-03 01:00:00 -18000 Sun"},
    {"America/New_York", "2024-01-01T04:59:59Z", "2023-12-31 23:59:59 -18000 Sun"},
    {"Australia/Lord_Howe", "2024-04-06T14:59:59Z", "2024-04-07 01:59:59 +39600 Sun"},
    {"Australia/Lord_Howe", "2024-04-06T15:00:00Z", "2024-04-07 01:30:00 +37800 Sun"},
    {"Australia/Lord_Howe", "2024-10-05T15:29:59Z", "2024-10-06 01:59:59 +37800 Sun"},
    {"Australia/Lord_Howe", "2024-10-05T15:30:00Z", "2024-10-06 02:30:00 +39600 Sun"},
    {"Asia/Kolkata", "2024-06-30T18:30:00Z", "2024-07-01 00:00:00 +19800 Mon"},
    {"Africa/Casablanca", "2024-03-10T01:59:59Z", "2024-03-10 02:59:59 +3600 Sun"},
    {"Africa/Casablanca", "2024-03-10T02:00:00Z", "2024-03-10 02:00:00 +0 Sun"},
    {"Africa/Casablanca", "2024-04-14T02:00:00Z", "2024-04-14 03:00:00 +3600 Sun"},
    {"Europe/Dublin", "2050-01-15T12:00:00Z", "2050-01-15 12:00:00 +0 Sat"},
    {"Europe/Dublin", "2050-07-15T12:00:00Z", "2050-07-15 13:00:00 +3600 Fri"},
    {"Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29 23:59:59 -36000 Thu"},
    {"Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31 00:00:00 +50400 Sat"},
};

Test(tz, the_wall_clock_of_an_instant)
{
    for (size_t i = 0; i < COUNT(shown); i++) {
        struct tz tz = load(shown[i].zone);
        struct tz_civil w = tz_civil(&tz, instant(shown[i].utc));
        char got[64];
        show(&w, got);
        cr_expect(eq(str, got, (char *)shown[i].want), "%s %s", shown[i].zone,
                  shown[i].utc);
        tz_release(&tz);
    }
}

static const struct {
    const char *zone, *wall;
    enum tz_fit fit;
    const char *first, *second; /* second: NULL where it is the first */
} found[] = {
    {"UTC", "2024-02-29 12:34:56", TZ_UNIQUE, "2024-02-29T12:34:56Z", NULL},
    {"Europe/Berlin", "2024-03-31 01:59:59", TZ_UNIQUE, "2024-03-31T00:59:59Z", NULL},
    {"Europe/Berlin", "2024-03-31 02:00:00", TZ_SKIPPED, "2024-03-31T01:00:00Z", NULL},
    {"Europe/Berlin", "2024-03-31 02:59:59", TZ_SKIPPED, "2024-03-31T01:00:00Z", NULL},
    {"Europe/Berlin", "2024-03-31 03:00:00", TZ_UNIQUE, "2024-03-31T01:00:00Z", NULL},
    {"Europe/Berlin", "2024-10-27 01:59:59", TZ_UNIQUE, "2024-10-26T23:59:59Z", NULL},
    {"Europe/Berlin", "2024-10-27 02:00:00", TZ_AMBIGUOUS, "2024-10-27T00:00:00Z",
     "2024-10-27T01:00:00Z"},
    {"Europe/Berlin", "2024-10-27 02:59:59", TZ_AMBIGUOUS, "2024-10-27T00:59:59Z",
     "2024-10-27T01:59:59Z"},
    {"Europe/Berlin", "2024-10-27 03:00:00", TZ_UNIQUE, "2024-10-27T02:00:00Z", NULL},
    {"Europe/Berlin", "2500-03-28 02:30:00", TZ_SKIPPED, "2500-03-28T01:00:00Z", NULL},
    {"America/New_York", "2024-03-10 02:30:00", TZ_SKIPPED, "2024-03-10T07:00:00Z",
     NULL},
    {"America/New_York", "2024-11-03 01:30:00", TZ_AMBIGUOUS, "2024-11-03T05:30:00Z",
     "2024-11-03T06:30:00Z"},
    {"Australia/Lord_Howe", "2024-10-06 02:29:59", TZ_SKIPPED, "2024-10-05T15:30:00Z",
     NULL},
    {"Australia/Lord_Howe", "2024-04-07 01:30:00", TZ_AMBIGUOUS, "2024-04-06T14:30:00Z",
     "2024-04-06T15:00:00Z"},
    {"Australia/Lord_Howe", "2024-04-07 01:29:59", TZ_UNIQUE, "2024-04-06T14:29:59Z",
     NULL},
    {"Asia/Kolkata", "2024-07-01 00:00:00", TZ_UNIQUE, "2024-06-30T18:30:00Z", NULL},
    {"Africa/Casablanca", "2024-03-10 02:30:00", TZ_AMBIGUOUS, "2024-03-10T01:30:00Z",
     "2024-03-10T02:30:00Z"},
    {"Africa/Casablanca", "2024-04-14 02:30:00", TZ_SKIPPED, "2024-04-14T02:00:00Z",
     NULL},
    {"Pacific/Apia", "2011-12-30 00:00:00", TZ_SKIPPED, "2011-12-30T10:00:00Z", NULL},
    {"Pacific/Apia", "2011-12-30 23:59:59", TZ_SKIPPED, "2011-12-30T10:00:00Z", NULL},
    {"Pacific/Apia", "2011-12-31 00:00:00", TZ_UNIQUE, "2011-12-30T10:00:00Z", NULL},
};

Test(tz, the_instants_of_a_wall_clock)
{
    for (size_t i = 0; i < COUNT(found); i++) {
        struct tz tz = load(found[i].zone);
        struct tz_civil w = wall(found[i].wall);
        struct tz_instants got = tz_utc(&tz, &w);
        int64_t first = instant(found[i].first);
        int64_t second = found[i].second ? instant(found[i].second) : first;
        cr_expect(eq(int, got.fit, found[i].fit), "%s %s", found[i].zone,
                  found[i].wall);
        cr_expect(eq(i64, got.first_s, first), "%s %s", found[i].zone, found[i].wall);
        cr_expect(eq(i64, got.second_s, second), "%s %s", found[i].zone, found[i].wall);
        tz_release(&tz);
    }
}

Test(tz, instants_out_of_range_count_as_the_nearest)
{
    struct tz west = load("Etc/GMT+12"), tz = load("Etc/GMT-14");
    struct tz_civil first = tz_civil(&west, INT64_MIN), last = tz_civil(&tz, INT64_MAX);
    char text[64];

    show(&first, text);
    cr_expect(eq(str, text, "1899-12-31 12:00:00 -43200 Sun"));
    show(&last, text);
    cr_expect(eq(str, text, "10000-01-01 13:59:59 +50400 Sat"));
    struct tz_civil beyond = {.year = 12000, .month = 1, .day = 1};
    cr_expect(eq(i64, tz_utc(&tz, &beyond).first_s, TZ_END_S - 1));
    struct tz_civil before = {.year = 1, .month = 1, .day = 1};
    cr_expect(eq(i64, tz_utc(&tz, &before).first_s, TZ_FIRST_S));
    tz_release(&west);
    tz_release(&tz);
}

Test(tz, names_cannot_leave_the_directory)
{
    static const char *const good[] = {"UTC", "Etc/GMT+12", "Etc/GMT-1", "a/b/c_d"};
    static const char *const bad[] = {"",     "/etc/passwd", "..",  "a/../b",
                                      "a//b", "a/",          "/",   "a b",
                                      "a\nb", "a.tab",       "\xc3"};
    char text[TZ_NAME_MAX + 2];

    for (size_t i = 0; i < COUNT(good); i++)
        cr_expect(tz_is_name(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect(not(tz_is_name(bad[i], strlen(bad[i]))), "%s", bad[i]);
    cr_expect(not(tz_is_name("a\0b", 3)));
    memset(text, 'a', sizeof text);
    cr_expect(tz_is_name(text, TZ_NAME_MAX));
    cr_expect(not(tz_is_name(text, TZ_NAME_MAX + 1)));
}

Test(tz, what_is_no_zone_is_refused_with_its_place)
{
    static const struct {
        const char *name, *text;
    } bad[] = {
        {"Europe/Berln", "tz: /usr/share/zoneinfo/Europe/Berln (Debian package "
                         "tzdata): No such file or directory"},
        {"../../../etc/passwd", "tz: '../../../etc/passwd' is not the name of a time "
                                "zone, such as UTC or Europe/Berlin"},
        {"Europe", "tz: /usr/share/zoneinfo/Europe is not a regular file"},
        {"leapseconds", "tz: /usr/share/zoneinfo/leapseconds: not a time zone: there "
                        "is no TZif header"},
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct tz tz = {.count = 7};
        struct err e = ERR_INIT;
        cr_expect(eq(int, tz_load(bad[i].name, &tz, &e), ERR_CONFIG));
        cr_expect(eq(str, e.text, (char *)bad[i].text));
        cr_expect(eq(sz, tz.count, 7), "untouched");
    }
}

/* A zone against localtime_r at an instant, and back. */
static bool agrees(const char *zone, const struct tz *tz, int64_t t)
{
    time_t at = (time_t)t;
    struct tm want;
    struct tz_civil got = tz_civil(tz, t);

    if (!localtime_r(&at, &want))
        return false;
    bool same = got.year == want.tm_year + 1900 && got.month == want.tm_mon + 1 &&
                got.day == want.tm_mday && got.hour == want.tm_hour &&
                got.minute == want.tm_min && got.second == want.tm_sec &&
                got.weekday == want.tm_wday && got.offset_s == want.tm_gmtoff;
    struct tz_instants back = tz_utc(tz, &got);
    bool found_again =
        back.fit != TZ_SKIPPED && (back.first_s == t || back.second_s == t);
    cr_expect(same, "%s at %" PRId64 ": offset %d, libc has %ld", zone, t,
              (int)got.offset_s, want.tm_gmtoff);
    cr_expect(found_again, "%s at %" PRId64 ": not found again", zone, t);
    return same && found_again;
}

/* Both sides of every change, and instants at random, from 1930 to 2230. */
static size_t compare_zone(const char *zone, uint64_t *seed)
{
    struct tz tz = load(zone);
    int64_t begin = instant("1970-01-01T00:00:00Z") - INT64_C(40) * 31556952;
    int64_t end = instant("2230-01-01T00:00:00Z");
    size_t compared = 0;

    setenv("TZ", zone, 1);
    tzset();
    for (int64_t t = begin; t < end; compared++) {
        struct tz_span span = tz_span(&tz, t);
        cr_assert(span.from_s <= t && t < span.to_s);
        if (!agrees(zone, &tz, t) || !agrees(zone, &tz, span.to_s - 1))
            break;
        t = span.to_s;
    }
    for (int i = 0; i < 500; i++, compared++) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        if (!agrees(zone, &tz, begin + (int64_t)(*seed >> 20) % (end - begin)))
            break;
    }
    tz_release(&tz);
    return compared;
}

Test(tz, all_zones_agree_with_the_c_library)
{
    FILE *f = fopen(TZ_DIRECTORY "/zone.tab", "r");
    char line[256], zone[128];
    uint64_t seed = 20241027;
    size_t zones = 0, compared = 0;

    cr_assert(f != NULL);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#' || sscanf(line, "%*s %*s %127s", zone) != 1)
            continue;
        compared += compare_zone(zone, &seed);
        zones++;
    }
    fclose(f);
    cr_expect(ge(sz, zones, 300));
    cr_expect(ge(sz, compared, zones * 500));
}
