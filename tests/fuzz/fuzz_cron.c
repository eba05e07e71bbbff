/*
 * fuzz cron: any text is a line or refused with a reason.  The ticks of a line follow each other without a hole: the
 * last one until a tick is that tick, the one after the last one before it is that tick too.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/cron.h"

#include <stdlib.h>
#include <string.h>

enum { TICKS = 12 };

static void follow(const struct cron *c, const struct tz *tz, int64_t at)
{
    int64_t next, last, again;

    for (int i = 0; i < TICKS && cron_next(c, tz, at, &next); i++) {
        must(next > at && next % 1000 == 0);
        must(cron_last(c, tz, next, &again) && again == next);
        if (cron_last(c, tz, next - 1, &last)) {
            must(last <= at);
            must(cron_next(c, tz, last, &again) && again == next);
        }
        at = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tz utc = TZ_UTC;
    static const struct tz berlin = {.first_offset_s = 3600,
                                     .rule = {true,
                                              true,
                                              3600,
                                              7200,
                                              {TZ_WEEKDAY, 3, 5, 0, 2 * 3600},
                                              {TZ_WEEKDAY, 10, 5, 0, 3 * 3600}}};
    struct cron c;
    struct err e = ERR_INIT;
    int64_t at = 0;

    if (cron_parse((const char *)data, size, &c, &e) != ERR_OK) {
        must(e.code == ERR_CONFIG && strncmp(e.text, "cron: ", 6) == 0);
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        at = (at * 31 + data[i]) % INT64_C(2000000000000); /* until 2033 */
    follow(&c, &utc, at);
    follow(&c, &berlin, at);
    follow(&c, &berlin, INT64_C(1711756800000)); /* the day before a gap */
    follow(&c, &berlin, INT64_C(1729900800000)); /* the day before an overlap */
    return 0;
}
