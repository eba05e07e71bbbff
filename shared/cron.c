#include "shared/cron.h"

#include "shared/clock.h"

/* Times on the wall are seconds since 1970-01-01T00:00:00 there: UTC seconds plus the offset. */

enum { DAY_S = 86400, DAY_MINUTES = 1440 };

static const int64_t horizon_s = INT64_C(5) * 366 * DAY_S;
_Static_assert(CRON_YEARS_MAX == 5, "horizon_s is five years");

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t at_least(int64_t a, int64_t b)
{
    return a < b ? b : a;
}

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool has(uint64_t set, int64_t value)
{
    return set >> value & 1;
}

static bool matches_day(const struct cron *c, int64_t day)
{
    int year, month, day_of_month;

    clock_date_from_days(day, &year, &month, &day_of_month);
    if (!has(c->set[CRON_MONTH], month))
        return false;
    bool by_date = has(c->set[CRON_DAY], day_of_month);
    /* 1970-01-01 was a Thursday. */
    bool by_weekday = has(c->set[CRON_WEEKDAY], day + 4 - 7 * floor_div(day + 4, 7));
    if (c->star[CRON_DAY] || c->star[CRON_WEEKDAY])
        return by_date && by_weekday;
    return by_date || by_weekday;
}

/* The first minute of a day from `from` on; -1: none. */
static int first_in_day(const struct cron *c, int from)
{
    for (int hour = from / 60, start = from % 60; hour < 24; hour++, start = 0) {
        uint64_t left = c->set[CRON_MINUTE] & ~UINT64_C(0) << start;
        if (has(c->set[CRON_HOUR], hour) && left)
            return hour * 60 + __builtin_ctzll(left);
    }
    return -1;
}

/* The last minute of a day up to `until`; -1: none. */
static int last_in_day(const struct cron *c, int until)
{
    for (int hour = until / 60, end = until % 60; hour >= 0; hour--, end = 59) {
        uint64_t left = c->set[CRON_MINUTE] & ~UINT64_C(0) >> (63 - end);
        if (has(c->set[CRON_HOUR], hour) && left)
            return hour * 60 + 63 - __builtin_clzll(left);
    }
    return -1;
}

/* The first time on the wall that matches, low_s <= *ret_s < high_s. */
static bool first_match(const struct cron *c, int64_t low_s, int64_t high_s,
                        int64_t *ret_s)
{
    int64_t low = floor_div(low_s + 59, 60), high = floor_div(high_s + 59, 60);

    for (int64_t day = floor_div(low, DAY_MINUTES); day * DAY_MINUTES < high; day++) {
        if (!matches_day(c, day))
            continue;
        int minute = first_in_day(c, (int)at_least(low - day * DAY_MINUTES, 0));
        if (minute < 0)
            continue;
        *ret_s = (day * DAY_MINUTES + minute) * 60;
        return *ret_s < high_s;
    }
    return false;
}

/* The last one of them. */
static bool last_match(const struct cron *c, int64_t low_s, int64_t high_s,
                       int64_t *ret_s)
{
    int64_t low = floor_div(low_s + 59, 60), last = floor_div(high_s - 1, 60);

    for (int64_t day = floor_div(last, DAY_MINUTES); (day + 1) * DAY_MINUTES > low;
         day--) {
        if (!matches_day(c, day))
            continue;
        int minute =
            last_in_day(c, (int)at_most(last - day * DAY_MINUTES, DAY_MINUTES - 1));
        if (minute < 0)
            continue;
        *ret_s = (day * DAY_MINUTES + minute) * 60;
        return *ret_s >= low_s;
    }
    return false;
}

/* The line runs by elapsed time. */
static bool is_elapsed(const struct cron *c)
{
    return c->star[CRON_MINUTE] || c->star[CRON_HOUR];
}

/* The first time on the wall of a span that can be a tick: not what the span before has shown already. */
static int64_t fresh_from(const struct cron *c, const struct tz_span *span)
{
    int32_t ahead_s = span->offset_s;

    if (!is_elapsed(c) && span->before_s > ahead_s)
        ahead_s = span->before_s;
    return span->from_s + ahead_s;
}

/* A fixed time stands in the gap before the span. */
static bool is_due_after_gap(const struct cron *c, const struct tz_span *span)
{
    int64_t wall_s;

    return !is_elapsed(c) && first_match(c, span->from_s + span->before_s,
                                         span->from_s + span->offset_s, &wall_s);
}

static bool next_in_span(const struct cron *c, const struct tz_span *span,
                         int64_t low_s, int64_t high_s, int64_t *ret_s)
{
    int64_t wall_s;

    if (span->from_s >= low_s && is_due_after_gap(c, span)) {
        *ret_s = span->from_s;
        return true;
    }
    if (!first_match(c, at_least(low_s + span->offset_s, fresh_from(c, span)),
                     at_most(span->to_s, high_s) + span->offset_s, &wall_s))
        return false;
    *ret_s = wall_s - span->offset_s;
    return true;
}

static bool last_in_span(const struct cron *c, const struct tz_span *span,
                         int64_t low_s, int64_t high_s, int64_t *ret_s)
{
    int64_t wall_s;

    if (last_match(c, at_least(low_s + span->offset_s, fresh_from(c, span)),
                   at_most(span->to_s, high_s) + span->offset_s, &wall_s)) {
        *ret_s = wall_s - span->offset_s;
        return true;
    }
    if (span->from_s < low_s || !is_due_after_gap(c, span))
        return false;
    *ret_s = span->from_s;
    return true;
}

struct cron cron_every(int64_t every_ms)
{
    return (struct cron){
        .every_ms = at_most(at_least(every_ms, CRON_EVERY_MIN_MS), CRON_EVERY_MAX_MS)};
}

/* The nearest instant from 1970 to the end of 9999. */
static int64_t clamp(int64_t ms)
{
    return at_most(at_least(ms, 0), TZ_END_S * 1000 - 1);
}

bool cron_next(const struct cron *cron, const struct tz *tz, int64_t after_ms,
               int64_t *ret_ms)
{
    int64_t low_s = clamp(after_ms) / 1000 + 1, found_s;
    int64_t high_s = at_most(low_s + horizon_s, TZ_END_S);

    if (cron->every_ms > 0) {
        *ret_ms = (clamp(after_ms) / cron->every_ms + 1) * cron->every_ms;
        return true;
    }
    for (int64_t t = low_s; t < high_s;) {
        struct tz_span span = tz_span(tz, t);
        if (next_in_span(cron, &span, low_s, high_s, &found_s)) {
            *ret_ms = found_s * 1000;
            return true;
        }
        t = span.to_s;
    }
    return false;
}

bool cron_last(const struct cron *cron, const struct tz *tz, int64_t now_ms,
               int64_t *ret_ms)
{
    int64_t high_s = clamp(now_ms) / 1000 + 1, found_s;
    int64_t low_s = high_s - horizon_s;

    if (cron->every_ms > 0) {
        *ret_ms = clamp(now_ms) / cron->every_ms * cron->every_ms;
        return true;
    }
    for (int64_t t = high_s - 1; t >= low_s;) {
        struct tz_span span = tz_span(tz, t);
        if (last_in_span(cron, &span, low_s, high_s, &found_s)) {
            *ret_ms = found_s * 1000;
            return true;
        }
        t = span.from_s - 1;
    }
    return false;
}
