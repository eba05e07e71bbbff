#include "shared/tz_internal.h"

#include "shared/clock.h"

enum { DAY_S = 86400, RULE_HOURS_MAX = 167 };

/* What is left of the text being parsed. */
struct cursor {
    const char *s;
    size_t len;
};

static bool take(struct cursor *c, char wanted)
{
    if (c->len == 0 || *c->s != wanted)
        return false;
    c->s++;
    c->len--;
    return true;
}

static bool is_next_digit(const struct cursor *c)
{
    return c->len > 0 && *c->s >= '0' && *c->s <= '9';
}

/* A number from min to max, which is below 10,000. */
static bool take_number(struct cursor *c, int min, int max, int *ret)
{
    int value = 0;

    if (!is_next_digit(c))
        return false;
    for (; is_next_digit(c) && value <= max; c->s++, c->len--)
        value = value * 10 + (*c->s - '0');
    if (value < min || value > max)
        return false;
    *ret = value;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* "CET" or "<+0330>": three characters at least. */
static bool take_name(struct cursor *c)
{
    bool quoted = take(c, '<');
    size_t len = 0;

    while (len < c->len && (is_letter(c->s[len]) ||
                            (quoted && (c->s[len] == '+' || c->s[len] == '-' ||
                                        (c->s[len] >= '0' && c->s[len] <= '9')))))
        len++;
    c->s += len;
    c->len -= len;
    return len >= 3 && (!quoted || take(c, '>'));
}

/* "[+-]hh[:mm[:ss]]" to seconds. */
static bool take_time(struct cursor *c, int hours_max, int32_t *ret_s)
{
    int hour, minute = 0, second = 0;
    bool negative = take(c, '-');

    if (!negative)
        (void)take(c, '+'); /* says nothing */
    if (!take_number(c, 0, hours_max, &hour))
        return false;
    if (take(c, ':')) {
        if (!take_number(c, 0, 59, &minute))
            return false;
        if (take(c, ':') && !take_number(c, 0, 59, &second))
            return false;
    }
    int32_t s = (hour * 60 + minute) * 60 + second;
    *ret_s = negative ? -s : s;
    return true;
}

/* "M3.5.0/3", "J60", "59/-2:30". */
static bool take_date(struct cursor *c, struct tz_rule_date *ret)
{
    struct tz_rule_date d = {.time_s = 2 * 3600};

    if (take(c, 'M')) {
        d.kind = TZ_WEEKDAY;
        if (!take_number(c, 1, 12, &d.month) || !take(c, '.') ||
            !take_number(c, 1, 5, &d.week) || !take(c, '.') ||
            !take_number(c, 0, 6, &d.day))
            return false;
    } else if (take(c, 'J')) {
        d.kind = TZ_DAY_NO_LEAP;
        if (!take_number(c, 1, 365, &d.day))
            return false;
    } else {
        d.kind = TZ_DAY_OF_YEAR;
        if (!take_number(c, 0, 365, &d.day))
            return false;
    }
    if (take(c, '/') && !take_time(c, RULE_HOURS_MAX, &d.time_s))
        return false;
    *ret = d;
    return true;
}

bool tz_rule_parse(const char *s, size_t len, struct tz_rule *ret_rule)
{
    struct cursor c = {s, len};
    struct tz_rule r = {.present = true};
    int32_t west_s;

    if (!take_name(&c) || !take_time(&c, 24, &west_s))
        return false;
    r.standard_s = -west_s;
    if (c.len > 0) {
        r.has_dst = true;
        if (!take_name(&c))
            return false;
        west_s -= 3600; /* unless it says otherwise */
        if (c.len > 0 && *c.s != ',' && !take_time(&c, 24, &west_s))
            return false;
        r.dst_s = -west_s;
        if (!take(&c, ',') || !take_date(&c, &r.start) || !take(&c, ',') ||
            !take_date(&c, &r.end) || c.len > 0)
            return false;
    }
    *ret_rule = r;
    return true;
}

/* 0 Sunday to 6; day 0 was a Thursday, and no day here is as far back as 7,000,000. */
static int weekday(int64_t day)
{
    return (int)((day + 7000000 + 4) % 7);
}

/* The day of a year, counted from 1970-01-01. */
static int64_t day_of_date(const struct tz_rule_date *d, int year)
{
    if (d->kind == TZ_DAY_OF_YEAR)
        return clock_days_from_date(year, 1, 1) + d->day;
    if (d->kind == TZ_DAY_NO_LEAP) /* before and after 29 February, from either side */
        return d->day < 60 ? clock_days_from_date(year, 1, 1) + d->day - 1
                           : clock_days_from_date(year, 3, 1) + d->day - 60;
    int64_t first = clock_days_from_date(year, d->month, 1);
    int64_t next = d->month == 12 ? clock_days_from_date(year + 1, 1, 1)
                                  : clock_days_from_date(year, d->month + 1, 1);
    int64_t day = first + (d->day - weekday(first) + 7) % 7 + 7 * (d->week - 1);
    return day < next ? day : day - 7;
}

/* The offset changes at at_s: keep that if it is the nearest to utc_s on its side.  Of two at once the later call
 * counts. */
static void narrow(struct tz_span *span, int64_t utc_s, int64_t at_s, int32_t offset_s)
{
    if (at_s > utc_s) {
        if (at_s < span->to_s)
            span->to_s = at_s;
    } else if (at_s >= span->from_s) {
        span->from_s = at_s;
        span->offset_s = offset_s;
    }
}

struct tz_span tz_rule_span(const struct tz_rule *rule, int64_t utc_s)
{
    struct tz_span span = {TZ_FIRST_S, TZ_END_S, rule->standard_s, rule->standard_s};
    int year, month, day;

    if (!rule->has_dst)
        return span;
    /* A time of up to a week puts a date into the neighbouring year: two years either way are enough. */
    clock_date_from_days((utc_s - TZ_FIRST_S) / DAY_S + TZ_FIRST_S / DAY_S, &year,
                         &month, &day);
    for (int y = year - 2; y <= year + 2; y++) {
        int64_t start = day_of_date(&rule->start, y) * DAY_S + rule->start.time_s;
        int64_t end = day_of_date(&rule->end, y) * DAY_S + rule->end.time_s;
        /* Where dst ends as it starts again it holds all year (RFC 9636 section 3.3.1): the start comes second. */
        narrow(&span, utc_s, end - rule->dst_s, rule->standard_s);
        narrow(&span, utc_s, start - rule->standard_s, rule->dst_s);
    }
    return span;
}
