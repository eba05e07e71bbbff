#include "shared/tz_internal.h"

#include "shared/buf.h"
#include "shared/cleanup.h"
#include "shared/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DAY_S = 86400 };

static bool is_name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '+' || c == '-';
}

bool tz_is_name(const char *name, size_t len)
{
    bool in_part = false;

    if (len > TZ_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '/' ? !in_part : !is_name_byte(name[i]))
            return false;
        in_part = name[i] != '/';
    }
    return in_part;
}

/* The whole of a file; not blocking, since opening a FIFO would wait for its writer. */
static enum err_code read_file(const char *path, struct buf *b, struct err *e)
{
    struct stat st;
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, ERR_CONFIG, "tz: %s (Debian package tzdata)", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_CONFIG, "tz: %s is not a regular file", path);
    for (;;) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, ERR_CONFIG, "tz: %s", path);
        if (n == 0)
            return ERR_OK;
        if (!buf_add(b, chunk, (size_t)n) && b->starved)
            return err_set(e, ERR_NOMEM, "tz: out of memory");
        if (b->failed)
            return err_set(e, ERR_CONFIG, "tz: %s is longer than %zu bytes", path,
                           b->max);
    }
}

enum err_code tz_load(const char *name, struct tz *ret_tz, struct err *e)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT(sizeof TZ_DIRECTORY + TZ_NAME_MAX);
    CLEANUP(buf_release) struct buf content = BUF_INIT(TZ_FILE_MAX);

    if (!tz_is_name(name, strlen(name)))
        return err_set(e, ERR_CONFIG,
                       "tz: '%.64s' is not the name of a time zone, such as UTC or "
                       "Europe/Berlin",
                       name);
    if (strcmp(name, "UTC") == 0) {
        *ret_tz = (struct tz)TZ_UTC;
        return ERR_OK;
    }
    if (!buf_printf(&path, "%s/%s", TZ_DIRECTORY, name))
        return err_set(e, ERR_NOMEM, "tz: out of memory");
    if (read_file(path.data, &content, e))
        return e->code;
    if (tz_parse(content.data, content.len, ret_tz, e))
        return err_prefix(e, "tz: %s", path.data);
    return ERR_OK;
}

void tz_release(struct tz *tz)
{
    free(tz->shifts);
    *tz = (struct tz)TZ_UTC;
}

/* How many shifts are at or before utc_s. */
static size_t shifts_until(const struct tz *tz, int64_t utc_s)
{
    size_t low = 0, high = tz->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tz->shifts[middle].at_s <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t at_least(int64_t a, int64_t b)
{
    return a < b ? b : a;
}

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The span around an instant of ours, without before_s. */
static struct tz_span find_span(const struct tz *tz, int64_t utc_s)
{
    struct tz_span span = {TZ_FIRST_S, TZ_END_S, tz->first_offset_s, 0};
    size_t n = shifts_until(tz, utc_s);

    if (n > 0) {
        span.from_s = at_least(tz->shifts[n - 1].at_s, TZ_FIRST_S);
        span.offset_s = tz->shifts[n - 1].offset_s;
    }
    if (n < tz->count) {
        span.to_s = at_most(tz->shifts[n].at_s, TZ_END_S);
    } else if (tz->rule.present) {
        struct tz_span year = tz_rule_span(&tz->rule, utc_s);
        span.from_s = at_least(span.from_s, year.from_s);
        span.to_s = year.to_s;
        span.offset_s = year.offset_s;
    }
    return span;
}

/* The nearest instant of ours. */
static int64_t clamp(int64_t utc_s)
{
    return at_most(at_least(utc_s, TZ_FIRST_S), TZ_END_S - 1);
}

struct tz_span tz_span(const struct tz *tz, int64_t utc_s)
{
    struct tz_span span = find_span(tz, clamp(utc_s));

    span.before_s = span.offset_s;
    if (span.from_s > TZ_FIRST_S)
        span.before_s = find_span(tz, span.from_s - 1).offset_s;
    return span;
}

struct tz_civil tz_civil(const struct tz *tz, int64_t utc_s)
{
    int64_t t = clamp(utc_s);
    struct tz_civil wall = {.offset_s = find_span(tz, t).offset_s};
    /* Counted from two days before our first instant, so that nothing is negative. */
    int64_t wall_s = t + wall.offset_s - (TZ_FIRST_S - 2 * DAY_S);
    int64_t day = wall_s / DAY_S + (TZ_FIRST_S / DAY_S - 2);
    int rest = (int)(wall_s % DAY_S);

    clock_date_from_days(day, &wall.year, &wall.month, &wall.day);
    wall.hour = rest / 3600;
    wall.minute = rest / 60 % 60;
    wall.second = rest % 60;
    wall.weekday = (int)((day - (TZ_FIRST_S / DAY_S - 1)) % 7); /* 1899-12-31: Sunday */
    return wall;
}

struct tz_instants tz_utc(const struct tz *tz, const struct tz_civil *wall)
{
    int64_t wall_s = clock_days_from_date(wall->year, wall->month, wall->day) * DAY_S +
                     wall->hour * 3600 + wall->minute * 60 + wall->second;
    struct tz_instants found = {TZ_SKIPPED, TZ_END_S - 1, TZ_END_S - 1};
    bool in_gap = false;

    /* Of the spans within reach, those in which that offset gives that time. */
    for (int64_t at_s = clamp(wall_s - TZ_OFFSET_MAX);;) {
        struct tz_span span = find_span(tz, at_s);
        int64_t t = wall_s - span.offset_s;
        if (t >= span.from_s && t < span.to_s) {
            found.first_s = found.fit == TZ_SKIPPED ? t : found.first_s;
            found.second_s = t;
            found.fit = found.fit == TZ_SKIPPED ? TZ_UNIQUE : TZ_AMBIGUOUS;
        } else if (found.fit == TZ_SKIPPED && !in_gap && t < span.from_s) {
            found.first_s = found.second_s = span.from_s;
            in_gap = true;
        }
        at_s = span.to_s;
        if (at_s >= TZ_END_S || at_s > wall_s + TZ_OFFSET_MAX)
            return found;
    }
}
