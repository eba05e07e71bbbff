#include "worker/queue/ahead.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { FAST_US = 2000, SLOW_US = 2000000 };

static void note(struct ahead *a, int count, int64_t run_us)
{
    for (int i = 0; i < count; i++)
        ahead_note(a, run_us);
}

Test(ahead, nothing_is_claimed_ahead_before_enough_have_run)
{
    struct ahead a = {.samples = 0};

    cr_expect(eq(sz, ahead_count(&a, 16), 0));
    note(&a, AHEAD_SAMPLES - 1, FAST_US);
    cr_expect(eq(sz, ahead_count(&a, 16), 0));
    note(&a, 1, FAST_US);
    cr_expect(eq(sz, ahead_count(&a, 16), 16));
    cr_expect(eq(sz, ahead_count(&a, 1), 1));
}

Test(ahead, long_jobs_are_not_claimed_ahead)
{
    struct ahead a = {.samples = 0};

    note(&a, 100, SLOW_US);
    cr_expect(eq(sz, ahead_count(&a, 16), 0));
    note(&a, 100, FAST_US);
    cr_expect(eq(sz, ahead_count(&a, 16), 16), "they were long before");
    note(&a, 1, SLOW_US);
    cr_expect(eq(sz, ahead_count(&a, 16), 0),
              "one of two seconds moves the mean by 250 ms");
}

Test(ahead, the_mean_is_just_below_or_at_the_bound)
{
    struct ahead a = {.samples = 0};

    note(&a, AHEAD_SAMPLES, AHEAD_RUN_MS * 1000 - 1);
    cr_expect(eq(sz, ahead_count(&a, 4), 4));
    ahead_forget(&a);
    note(&a, AHEAD_SAMPLES, AHEAD_RUN_MS * 1000);
    cr_expect(eq(sz, ahead_count(&a, 4), 0));
}

Test(ahead, one_that_waited_in_vain_begins_it_anew)
{
    struct ahead a = {.samples = 0};

    note(&a, AHEAD_SAMPLES, FAST_US);
    ahead_forget(&a);
    cr_expect(eq(sz, ahead_count(&a, 16), 0));
    note(&a, AHEAD_SAMPLES - 1, FAST_US);
    cr_expect(eq(sz, ahead_count(&a, 16), 0));
    note(&a, 1, -5);
    cr_expect(eq(sz, ahead_count(&a, 16), 16),
              "a clock that went back counts as nothing");
}
