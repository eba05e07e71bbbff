/*
 * cron against an oracle that looks at every minute: lines at random, in the days around changes of the clock.
 *
 *     elapsed time     each minute that passes, by what the wall clock shows
 *     fixed times      each minute of the wall clock, the ones that do not exist included, at the instant tz_utc says
 */
#include "shared/cron.h"

#include "shared/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(cron_oracle, .timeout = 120);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum {
    DAY_MINUTES = 1440,
    WINDOW = 6 * DAY_MINUTES,        /* minutes looked at */
    WALL = WINDOW + 4 * DAY_MINUTES, /* and on the wall, two days more on either side */
    LINES = 120,                     /* for each window */
    PROBES = 40                      /* instants at random for each line */
};

static const struct {
    const char *zone, *begin;
} windows[] = {
    {"UTC", "2024-02-26T00:00:00Z"},
    {"Europe/Berlin", "2024-03-28T00:00:00Z"},
    {"Europe/Berlin", "2024-10-25T00:00:00Z"},
    {"Europe/Berlin", "2061-10-28T00:00:00Z"},
    {"America/New_York", "2024-03-08T00:00:00Z"},
    {"America/New_York", "2024-11-01T00:00:00Z"},
    {"Australia/Lord_Howe", "2024-04-04T00:00:00Z"},
    {"Australia/Lord_Howe", "2024-10-03T00:00:00Z"},
    {"Asia/Kolkata", "2023-12-29T00:00:00Z"},
    {"Africa/Casablanca", "2024-03-08T00:00:00Z"},
    {"Africa/Casablanca", "2024-04-12T00:00:00Z"},
    {"Pacific/Apia", "2011-12-27T00:00:00Z"},
    {"Pacific/Kwajalein", "1993-08-18T00:00:00Z"},
    {NULL, "2000-01-02T00:00:00Z"}, /* a day that comes twice */
};

/* What a line was made of. */
struct sample {
    char text[CRON_LINE_MAX];
    size_t len;
    bool in[CRON_FIELDS][64];
    bool star[CRON_FIELDS];
};

struct random {
    uint64_t state;
};

static int below(struct random *r, int n)
{
    r->state = r->state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (int)((r->state >> 33) % (uint64_t)n);
}

static void add(struct sample *s, const char *text)
{
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%s", text);
}

static void add_range(struct sample *s, int field, int low, int high, int step)
{
    char text[32];

    if (low == high)
        snprintf(text, sizeof text, "%d", low);
    else if (step == 1)
        snprintf(text, sizeof text, "%d-%d", low, high);
    else
        snprintf(text, sizeof text, "%d-%d/%d", low, high, step);
    add(s, text);
    for (int i = low; i <= high; i += step)
        s->in[field][i] = true;
}

static const struct {
    int min, max;
    int often; /* the most of a list, half of the time: most clocks change at night */
    int stars; /* how many of 8 are a star */
} fields[CRON_FIELDS] = {
    [CRON_MINUTE] = {0, 59, 59, 2}, [CRON_HOUR] = {0, 23, 4, 2},
    [CRON_DAY] = {1, 31, 31, 6},    [CRON_MONTH] = {1, 12, 12, 7},
    [CRON_WEEKDAY] = {0, 6, 6, 6},
};

static void add_star(struct sample *s, struct random *r, int field)
{
    char text[32];
    int step = below(r, 3) == 0 ? 1 + below(r, fields[field].max) : 1;

    snprintf(text, sizeof text, step == 1 ? "*" : "*/%d", step);
    add(s, text);
    for (int i = fields[field].min; i <= fields[field].max; i += step)
        s->in[field][i] = true;
}

/* Up to three values or ranges. */
static void add_list(struct sample *s, struct random *r, int field)
{
    int min = fields[field].min;
    int max = below(r, 2) ? fields[field].often : fields[field].max;

    for (int n = 1 + below(r, 3); n > 0; n--) {
        int low = min + below(r, max - min + 1);
        int high = below(r, 2) ? low : low + below(r, max - low + 1);
        add_range(s, field, low, high, 1 + below(r, 4));
        if (n > 1)
            add(s, ",");
    }
}

static struct sample make(struct random *r)
{
    struct sample s = {.len = 0};

    for (int field = 0; field < CRON_FIELDS; field++) {
        if (field > 0)
            add(&s, " ");
        s.star[field] = below(r, 8) < fields[field].stars;
        if (s.star[field])
            add_star(&s, r, field);
        else
            add_list(&s, r, field);
    }
    return s;
}

static bool matches(const struct sample *s, const struct tz_civil *w)
{
    bool day = s->in[CRON_DAY][w->day], weekday = s->in[CRON_WEEKDAY][w->weekday];
    bool star = s->star[CRON_DAY] || s->star[CRON_WEEKDAY];

    return w->second == 0 && s->in[CRON_MINUTE][w->minute] &&
           s->in[CRON_HOUR][w->hour] && s->in[CRON_MONTH][w->month] &&
           (star ? day && weekday : day || weekday);
}

/* What the clocks of a window show. */
struct window {
    struct tz tz;
    int64_t begin_s;
    struct tz_civil shown[WINDOW]; /* in each minute that passes */
    struct tz_civil wall[WALL];    /* each minute of the wall clock */
    int64_t due_s[WALL];           /* and when it is due */
};

/* The zone; NULL: one that crosses the date line to the east on 5 January 2000. */
static struct tz load(const char *zone)
{
    struct tz tz = {.count = 1, .first_offset_s = 43200};
    struct err e = ERR_INIT;

    if (zone) {
        cr_assert(eq(int, tz_load(zone, &tz, &e), ERR_OK), "%s: %s", zone, e.text);
        return tz;
    }
    tz.shifts = malloc(sizeof *tz.shifts);
    cr_assert(tz.shifts != NULL);
    *tz.shifts = (struct tz_shift){947030400, -43200};
    return tz;
}

static struct window *look(const char *zone, const char *begin)
{
    static struct window w;
    struct tz utc = TZ_UTC;
    int64_t ms = 0;

    w.tz = load(zone);
    cr_assert(clock_parse_rfc3339(begin, strlen(begin), &ms));
    w.begin_s = ms / 1000;
    for (int i = 0; i < WINDOW; i++)
        w.shown[i] = tz_civil(&w.tz, w.begin_s + i * 60);
    for (int i = 0; i < WALL; i++) {
        w.wall[i] = tz_civil(&utc, w.begin_s + (i - 2 * DAY_MINUTES) * 60);
        w.due_s[i] = tz_utc(&w.tz, &w.wall[i]).first_s;
    }
    return &w;
}

/* Which minutes of the window are ticks. */
static void find_ticks(const struct window *w, const struct sample *s,
                       bool ticks[static WINDOW])
{
    memset(ticks, 0, WINDOW * sizeof *ticks);
    if (s->star[CRON_MINUTE] || s->star[CRON_HOUR]) {
        for (int i = 0; i < WINDOW; i++)
            ticks[i] = matches(s, &w->shown[i]);
        return;
    }
    for (int i = 0; i < WALL; i++) {
        int64_t at = w->due_s[i] - w->begin_s;
        if (at >= 0 && at < WINDOW * 60 && matches(s, &w->wall[i])) {
            cr_assert(eq(int, at % 60, 0));
            ticks[at / 60] = true;
        }
    }
}

/* The first tick of the window after an instant of it, and the last one until then, against the oracle's. */
static void compare(const struct window *w, const struct sample *s,
                    const struct cron *c, const bool ticks[static WINDOW],
                    int64_t at_ms)
{
    int64_t begin_ms = w->begin_s * 1000, end_ms = begin_ms + WINDOW * INT64_C(60000);
    int minute = (int)((at_ms - begin_ms) / 60000), next = minute + 1, last = minute;
    int64_t got = 0;

    while (next < WINDOW && !ticks[next])
        next++;
    while (last >= 0 && !ticks[last])
        last--;
    bool has_next = cron_next(c, &w->tz, at_ms, &got) && got < end_ms;
    cr_assert(eq(int, has_next, next < WINDOW), "%s after %" PRId64, s->text, at_ms);
    cr_assert(got == begin_ms + next * INT64_C(60000) || !has_next,
              "%s after %" PRId64 ": %" PRId64, s->text, at_ms, got);
    bool has_last = cron_last(c, &w->tz, at_ms, &got) && got >= begin_ms;
    cr_assert(eq(int, has_last, last >= 0), "%s until %" PRId64, s->text, at_ms);
    cr_assert(got == begin_ms + last * INT64_C(60000) || !has_last,
              "%s until %" PRId64 ": %" PRId64, s->text, at_ms, got);
}

Test(cron_oracle, lines_at_random_are_due_when_every_minute_is_looked_at)
{
    static bool ticks[WINDOW];
    struct random r = {20240331};
    size_t compared = 0;

    for (size_t i = 0; i < COUNT(windows); i++) {
        struct window *w = look(windows[i].zone, windows[i].begin);
        for (int n = 0; n < LINES; n++) {
            struct sample s = make(&r);
            struct cron c = {.every_ms = 0};
            struct err e = ERR_INIT;
            cr_assert(eq(int, cron_parse(s.text, s.len, &c, &e), ERR_OK), "%s", e.text);
            find_ticks(w, &s, ticks);
            for (int minute = 0; minute < WINDOW; minute++)
                if (ticks[minute] && compared++ % 5 == 0)
                    compare(w, &s, &c, ticks,
                            w->begin_s * 1000 + minute * INT64_C(60000));
            for (int p = 0; p < PROBES; p++)
                compare(w, &s, &c, ticks,
                        w->begin_s * 1000 + below(&r, WINDOW * 60000));
        }
        tz_release(&w->tz);
    }
    cr_expect(ge(sz, compared, 10000), "ticks that were seen");
}
