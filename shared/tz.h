/*
 * tz: what a clock on a wall shows, in any place of the world.
 *
 *     /usr/share/zoneinfo/Europe/Berlin  -- tz_load -->  struct tz        UTC needs no file: TZ_UTC
 *             TZif bytes (RFC 9636)      -- tz_parse --^
 *
 *     UTC seconds                        -- tz_civil -->  year, month, day, hour, minute, second, offset
 *     year ... second on the wall        -- tz_utc   -->  the one instant, both of them, or that there is none
 *
 * A zone is a row of spans of constant offset, from the first instant to the last:
 *
 *       first offset       shift        shift           the rule of the footer, year by year
 *     |----------------|------------|------------|-----------|-----------|-----------|-- ...
 *     1900                                       the last shift of the file           end of 9999
 *
 * Where the offset grows the wall clock jumps: the times between do not exist (a gap).  Where it shrinks they come
 * twice (an overlap).
 *
 * Guarantees.  tz_parse is pure, and takes any bytes of any length.  Versions 1 to 4 of TZif, the 64-bit block and the
 * footer of version 2 and later; where the footer is empty the last offset of the file stays for good.  At most
 * TZ_SHIFTS_MAX shifts and 256 kinds of local time.  All calls work on what they are given: neither TZ nor any other
 * global is read or set.  A struct tz that is not being loaded or released may be read by any number of threads.
 *
 * Instants are seconds since 1970-01-01T00:00:00Z as Unix counts them, without leap seconds, from 1900 to the end of
 * 9999; an instant outside counts as the nearest one inside.
 */
#ifndef HOIST_SHARED_TZ_H
#define HOIST_SHARED_TZ_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TZ_DIRECTORY "/usr/share/zoneinfo"
#define TZ_FIRST_S INT64_C(-2208988800) /* 1900-01-01T00:00:00Z */
#define TZ_END_S                                                                       \
    INT64_C(253402300800) /* 10000-01-01T00:00:00Z, the first instant after the last */

enum {
    TZ_NAME_MAX = 64,        /* bytes of a name */
    TZ_FILE_MAX = 64 * 1024, /* bytes of a file */
    TZ_SHIFTS_MAX = 2000,
    TZ_OFFSET_MAX = 26 * 3600 /* no place is further from UTC, in seconds either way */
};

/* From at_s on the wall clock is offset_s ahead of UTC (behind when negative). */
struct tz_shift {
    int64_t at_s;
    int32_t offset_s;
};

/* When in a year the clocks change: a day, and seconds since its midnight (also before it, and days after it). */
struct tz_rule_date {
    enum {
        TZ_DAY_OF_YEAR, /* day: 0 to 365, 29 February counted where there is one */
        TZ_DAY_NO_LEAP, /* day: 1 to 365, 29 February never counted */
        TZ_WEEKDAY /* day: 0 Sunday to 6, of week 1 to 5 (5: the last) of month 1 to 12 */
    } kind;
    int month, week, day;
    int32_t time_s; /* on the clock that is being changed, -167 h to 167 h */
};

/* What holds every year after the last shift. */
struct tz_rule {
    bool present;
    bool has_dst;
    int32_t standard_s,
        dst_s; /* offsets; dst_s may be the smaller one (Dublin, Casablanca) */
    struct tz_rule_date start, end; /* of dst */
};

struct tz {
    struct tz_shift *shifts; /* owned, ascending; NULL when there is none */
    size_t count;
    int32_t first_offset_s; /* before the first shift */
    struct tz_rule rule;
};

/* UTC: a zeroed struct. */
#define TZ_UTC                                                                         \
    {                                                                                  \
        0                                                                              \
    }

/* A time on the wall. */
struct tz_civil {
    int year, month, day, hour, minute, second; /* month and day from 1 */
    int weekday;                                /* 0 Sunday to 6 Saturday */
    int32_t offset_s;                           /* ahead of UTC */
};

enum tz_fit {
    TZ_UNIQUE,    /* the usual case */
    TZ_AMBIGUOUS, /* in an overlap: twice */
    TZ_SKIPPED    /* in a gap: never */
};

/* When the wall clock shows a time. */
struct tz_instants {
    enum tz_fit fit;
    int64_t
        first_s; /* the only one, or the earlier one; of TZ_SKIPPED the first instant after the gap */
    int64_t second_s; /* of TZ_AMBIGUOUS the later one; else first_s */
};

/* A stretch of time with one offset: from_s <= t < to_s. */
struct tz_span {
    int64_t from_s, to_s;
    int32_t offset_s;
    int32_t
        before_s; /* the offset just before from_s; offset_s at the beginning of time */
};

/* Life cycle. */

/* [A-Za-z0-9_+/-]{1,64} without '/' at an end or two of them in a row: it cannot leave the directory. */
bool tz_is_name(const char *name, size_t len);

/*
 * Read the zone of that name ("Europe/Berlin"; "UTC" reads no file).  *ret_tz is the caller's to release.
 * ERR_CONFIG  the name is none, there is no such zone (or no Debian package tzdata), or what is there is not a zone
 * ERR_NOMEM   memory is short
 */
MUST_CHECK enum err_code tz_load(const char *name, struct tz *ret_tz, struct err *e);

/*
 * Parse the content of a TZif file.  What stands behind the footer is left alone, as the format asks.
 * ERR_CONFIG  cut short, not TZif, beyond the maxima, out of order, or one that counts leap seconds ("right/...",
 *             which no clock of ours does)
 * ERR_NOMEM   memory is short
 */
MUST_CHECK enum err_code tz_parse(const void *bytes, size_t len, struct tz *ret_tz,
                                  struct err *e);

/* Free what it holds and leave UTC. */
void tz_release(struct tz *tz);

/* Use. */

/* What the wall clock shows at an instant. */
struct tz_civil tz_civil(const struct tz *tz, int64_t utc_s);

/* When it shows year ... second; weekday and offset_s are not looked at.  The date must exist. */
struct tz_instants tz_utc(const struct tz *tz, const struct tz_civil *wall);

/* The span around an instant.  Spans touch: the next one begins at to_s, until that is TZ_END_S. */
struct tz_span tz_span(const struct tz *tz, int64_t utc_s);

#endif
