/* log_limit: once a minute, with how often it was not said. */
#include "shared/log_limit.h"

#include <stdio.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(log_limit, .timeout = 60);

/* What the line would say it was held back; -1: it does not pass. */
static int64_t passes(struct log_limit *l, const char *text, int64_t now_ms)
{
    int64_t held = -2;

    return log_limit_passes(l, text, now_ms, &held) ? held : -1;
}

Test(log_limit, the_same_text_passes_once_a_minute_with_a_count)
{
    struct log_limit l = {0};

    cr_expect(eq(i64, passes(&l, "away", 1000), 0));
    for (int64_t ms = 1001; ms < 1001 + 500; ms++)
        cr_assert(eq(i64, passes(&l, "away", ms), -1));
    cr_expect(eq(i64, passes(&l, "away", 1000 + LOG_LIMIT_MS - 1), -1));
    cr_expect(eq(i64, passes(&l, "away", 1000 + LOG_LIMIT_MS), 501));
    cr_expect(eq(i64, passes(&l, "away", 1000 + LOG_LIMIT_MS + 1), -1));
    cr_expect(eq(i64, passes(&l, "away", 1000 + 2 * LOG_LIMIT_MS), 1));
    cr_expect(eq(i64, passes(&l, "away", 1000 + 9 * LOG_LIMIT_MS), 0));
}

Test(log_limit, another_text_passes_at_once_and_has_its_own_count)
{
    struct log_limit l = {0};

    cr_expect(eq(i64, passes(&l, "away", 0), 0));
    cr_expect(eq(i64, passes(&l, "read only", 1), 0));
    cr_expect(eq(i64, passes(&l, "away", 2), -1));
    cr_expect(eq(i64, passes(&l, "read only", 3), -1));
    cr_expect(eq(i64, passes(&l, "read only", 4), -1));
    cr_expect(eq(i64, passes(&l, "away", LOG_LIMIT_MS), 1));
    cr_expect(eq(i64, passes(&l, "read only", LOG_LIMIT_MS + 1), 2));
}

Test(log_limit, ever_new_texts_are_a_few_a_minute_too)
{
    struct log_limit l = {0};
    int said = 0;

    for (int64_t ms = 0; ms < LOG_LIMIT_MS; ms += 10) {
        char text[32];
        (void)snprintf(text, sizeof text, "at %d", (int)ms);
        said += passes(&l, text, ms) >= 0;
    }
    cr_expect(eq(int, said, LOG_LIMIT_KINDS));
    cr_expect(eq(i64, passes(&l, "at last", LOG_LIMIT_MS), 0), "the oldest makes room");
}

Test(log_limit, the_field_is_there_only_when_there_is_something_to_count)
{
    cr_expect(eq(ptr, (void *)log_limit_held(0).key, NULL));
    cr_expect(eq(str, (char *)log_limit_held(7).key, "repeated"));
    cr_expect(eq(i64, log_limit_held(7).number, 7));
}
