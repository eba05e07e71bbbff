/*
 * fuzz tz: any bytes are a zone or refused with a reason.  The spans of a zone touch; an instant is found again from
 * what the wall clock shows; cron finds its way in it, forward and back.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/cron.h"
#include "shared/tz.h"

#include <stdlib.h>
#include <string.h>

enum { SPANS = 1000, TICKS = 50 };

static void find_again(const struct tz *tz, int64_t t)
{
    struct tz_civil w = tz_civil(tz, t);
    struct tz_instants found = tz_utc(tz, &w);

    must(w.month >= 1 && w.month <= 12 && w.day >= 1 && w.day <= 31);
    must(w.hour >= 0 && w.hour <= 23 && w.minute >= 0 && w.minute <= 59);
    must(w.weekday >= 0 && w.weekday <= 6);
    must(found.fit != TZ_SKIPPED && found.first_s <= t && t <= found.second_s);
}

static void walk(const struct tz *tz)
{
    struct tz_span span = tz_span(tz, INT64_MIN);

    must(span.from_s == TZ_FIRST_S);
    for (int i = 0; i < SPANS; i++) {
        must(span.from_s < span.to_s && span.to_s <= TZ_END_S);
        find_again(tz, span.from_s);
        find_again(tz, span.to_s - 1);
        if (span.to_s == TZ_END_S)
            return;
        struct tz_span next = tz_span(tz, span.to_s);
        must(next.from_s == span.to_s && next.before_s == span.offset_s);
        span = next;
    }
}

static void follow(const struct tz *tz, const char *line)
{
    struct cron c;
    struct err e = ERR_INIT;
    int64_t at = INT64_C(1300000000000), next, last;

    must(cron_parse(line, strlen(line), &c, &e) == ERR_OK);
    for (int i = 0; i < TICKS && cron_next(&c, tz, at, &next); i++) {
        must(next > at);
        must(cron_last(&c, tz, next, &last) && last == next);
        must(!cron_last(&c, tz, next - 1, &last) || last <= at);
        at = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tz tz = TZ_UTC;
    struct err e = ERR_INIT;

    if (tz_parse(data, size, &tz, &e) != ERR_OK) {
        must(e.code == ERR_CONFIG && strncmp(e.text, "not a time zone: ", 17) == 0);
        must(!tz.shifts);
        return 0;
    }
    walk(&tz);
    follow(&tz, "30 2 * * *");
    follow(&tz, "*/10 * * * SUN");
    tz_release(&tz);
    return 0;
}
