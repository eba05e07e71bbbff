#include "shared/clock.h"

#include <time.h>

enum { MS_PER_DAY = 86400000 };

/* 9999-12-31T23:59:59.999Z, the last instant that RFC 3339 can write. */
static const int64_t last_ms = INT64_C(253402300799999);

static int64_t now_us(clockid_t id)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(id, &t); /* fails only for a clock that does not exist */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return now_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
    return now_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void)
{
    return now_us(CLOCK_BOOTTIME) / 1000;
}

/* Days from 1970-01-01 to the first of March of year, proleptic Gregorian.  A year that starts in March has its
 * leap day at the end, which leaves one formula for all months. */
static int64_t days_to_march(int64_t year)
{
    return year * 365 + year / 4 - year / 100 + year / 400 - 719468;
}

/* Days from the first of March to the first of the month-th month after it (0: March). */
static int64_t days_in_months(int64_t month)
{
    return (153 * month + 2) / 5;
}

int64_t clock_days_from_date(int year, int month, int day)
{
    bool before_march = month < 3;

    return days_to_march(before_march ? year - 1 : year) +
           days_in_months(before_march ? month + 9 : month - 3) + day - 1;
}

void clock_date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    /* Never too early, and two years too late at most: 400 years have 146,097 days. */
    int64_t year = 1970 + days * 400 / 146097;

    while (days_to_march(year) > days)
        year--;
    days -= days_to_march(year);
    int64_t month = (5 * days + 2) / 153;
    days -= days_in_months(month);
    *ret_year = (int)(month < 10 ? year : year + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_day = (int)days + 1;
}

bool clock_format_rfc3339(struct buf *b, int64_t wall_ms)
{
    int64_t ms = wall_ms < 0 ? 0 : wall_ms > last_ms ? last_ms : wall_ms;
    int year, month, day;

    clock_date_from_days(ms / MS_PER_DAY, &year, &month, &day);
    int rest = (int)(ms % MS_PER_DAY);
    return buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
                      rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
}

/* What is left of the text being parsed. */
struct cursor {
    const char *s;
    size_t len;
};

/* Take exactly n digits. */
static bool take_number(struct cursor *c, size_t n, int *ret)
{
    int value = 0;

    if (c->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (c->s[i] < '0' || c->s[i] > '9')
            return false;
        value = value * 10 + (c->s[i] - '0');
    }
    c->s += n;
    c->len -= n;
    *ret = value;
    return true;
}

/* Take one character of the set. */
static bool take_one_of(struct cursor *c, const char *set, char *ret)
{
    for (; c->len > 0 && *set; set++) {
        if (*c->s == *set) {
            *ret = *set;
            c->s++;
            c->len--;
            return true;
        }
    }
    return false;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* "2026-11-22" to days since 1970. */
static bool take_date(struct cursor *c, int64_t *ret_days)
{
    int year, month, day;
    char dash;

    if (!take_number(c, 4, &year) || !take_one_of(c, "-", &dash) ||
        !take_number(c, 2, &month) || !take_one_of(c, "-", &dash) ||
        !take_number(c, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *ret_days = clock_days_from_date(year, month, day);
    return true;
}

/* ".123456" to ms; nothing is 0 ms. */
static bool take_fraction(struct cursor *c, int64_t *ret_ms)
{
    int64_t ms = 0;
    int scale = 100, digit;
    char dot;

    if (take_one_of(c, ".", &dot)) {
        if (!take_number(c, 1, &digit))
            return false;
        do {
            ms += (int64_t)digit * scale;
            scale /= 10;
        } while (take_number(c, 1, &digit));
    }
    *ret_ms = ms;
    return true;
}

/* "14:26:31.123" to ms since midnight.  A leap second is the first of the next minute, as in Unix time. */
static bool take_time(struct cursor *c, int64_t *ret_ms)
{
    int hour, minute, second;
    int64_t fraction_ms;
    char colon;

    if (!take_number(c, 2, &hour) || !take_one_of(c, ":", &colon) ||
        !take_number(c, 2, &minute) || !take_one_of(c, ":", &colon) ||
        !take_number(c, 2, &second) || !take_fraction(c, &fraction_ms))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *ret_ms = ((int64_t)(hour * 60 + minute) * 60 + second) * 1000 + fraction_ms;
    return true;
}

/* "Z" or "+01:00" to what must be subtracted. */
static bool take_offset(struct cursor *c, int64_t *ret_ms)
{
    int hour = 0, minute = 0;
    char sign, colon;

    if (!take_one_of(c, "Zz+-", &sign))
        return false;
    bool utc = sign == 'Z' || sign == 'z';
    if (!utc && (!take_number(c, 2, &hour) || !take_one_of(c, ":", &colon) ||
                 !take_number(c, 2, &minute) || hour > 23 || minute > 59))
        return false;
    int64_t ms = (int64_t)(hour * 60 + minute) * 60000;
    *ret_ms = sign == '-' ? -ms : ms;
    return true;
}

bool clock_parse_rfc3339(const char *s, size_t len, int64_t *ret_ms)
{
    struct cursor c = {s, len};
    int64_t days, time_ms, offset_ms;
    char t;

    if (!take_date(&c, &days) || !take_one_of(&c, "Tt", &t) ||
        !take_time(&c, &time_ms) || !take_offset(&c, &offset_ms) || c.len != 0)
        return false;
    int64_t ms = days * MS_PER_DAY + time_ms - offset_ms;
    if (ms < 0 || ms > last_ms)
        return false;
    *ret_ms = ms;
    return true;
}
