/*
 * cron: when a periodic job is due.
 *
 *     minute  hour  day of month  month      day of week
 *     0-59    0-23  1-31          1-12       0-7 (0 and 7: Sunday)
 *                                 JAN-DEC    SUN-SAT, in any case
 *
 *     *  every value      5,20  a list      9-17  a range      9-17/2  every second value of it (of the star's, too)
 *
 *     30 2 * * *           every day at 2:30           @hourly  0 * * * *     @midnight, @daily  0 0 * * *
 *     0 9-17/2 * * MON-FRI 9, 11, 13, 15, 17 h         @weekly  0 0 * * 0     @monthly           0 0 1 * *
 *     0 0 13 * FRI         on each 13th, on Fridays    @yearly, @annually     0 0 1 1 *
 *
 * Blanks and tabs stand between the fields.  A range of days may end on Sunday (FRI-SUN, 5-0).  As in Vixie's cron, a
 * field that begins with a star does not restrict: where both day fields restrict, either one suffices; else both must
 * match, so that a star with step 2 and FRI mean the Fridays on odd days.
 *
 * Daylight saving time, as in Debian's cron.  A line whose minute or hour begins with a star runs by elapsed time: it
 * is due in each minute that passes and whose wall clock matches, so that "0 * * * *" is due every hour, in the hour
 * that comes twice both times, and never in one that does not exist.  Any other line has fixed times, and each of
 * them is due exactly once:
 *
 *     in a gap, which no clock shows      at the first instant after it; several fixed times in one gap are one tick
 *     in an overlap, shown twice          the first time only
 *
 * Other than cron, which waits at most three hours, this holds for any jump, a whole day included (Samoa, 2011).
 *
 * An interval (`every`) has no zone and no beginning: its ticks are the multiples of its length since 1970, so that all
 * workers name the same ones without a word between them.
 *
 * Ticks are milliseconds since 1970, UTC; those of a line are whole seconds.  An instant before 1970 or after 9999
 * counts as the nearest one between.  Pure; a struct cron is plain data, owns nothing and may be copied; any
 * thread.  A search takes at most CRON_YEARS_MAX years of days and the spans of the zone therein.
 */
#ifndef HOIST_SHARED_CRON_H
#define HOIST_SHARED_CRON_H

#include "shared/err.h"
#include "shared/tz.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CRON_LINE_MAX = 256, /* bytes of a line */
    CRON_YEARS_MAX = 5,  /* how far a search goes */
    CRON_EVERY_MIN_MS = 1000
};
#define CRON_EVERY_MAX_MS INT64_C(31622400000) /* 366 days */

enum cron_field {
    CRON_MINUTE,
    CRON_HOUR,
    CRON_DAY,
    CRON_MONTH,
    CRON_WEEKDAY, /* 0 Sunday to 6 Saturday */
    CRON_FIELDS
};

struct cron {
    uint64_t set[CRON_FIELDS]; /* bit n: the value n matches */
    bool star[CRON_FIELDS];    /* the field begins with a star */
    int64_t every_ms;          /* not 0: an interval, and the rest is not looked at */
};

/*
 * Parse a line of exactly len bytes.
 * ERR_CONFIG  "cron: the hour '25': allowed are ..."; the text may be shown to whoever wrote the line
 * A line that can never be due (30 February) is a line: ask cron_next.
 */
MUST_CHECK enum err_code cron_parse(const char *s, size_t len, struct cron *ret_cron,
                                    struct err *e);

/* An interval, CRON_EVERY_MIN_MS to CRON_EVERY_MAX_MS; a value outside counts as the nearest. */
struct cron cron_every(int64_t every_ms);

/* The first tick after after_ms, never after_ms itself.  false, *ret_ms untouched: none within CRON_YEARS_MAX years. */
bool cron_next(const struct cron *cron, const struct tz *tz, int64_t after_ms,
               int64_t *ret_ms);

/* The last tick at or before now_ms: what is due when it has not run yet.  However long nobody looked, ticks before it
 * are past.  false, *ret_ms untouched: none within CRON_YEARS_MAX years. */
bool cron_last(const struct cron *cron, const struct tz *tz, int64_t now_ms,
               int64_t *ret_ms);

#endif
