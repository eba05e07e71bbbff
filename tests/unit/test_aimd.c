/*
 * aimd: how the limit of an endpoint grows and is halved.
 */
#include "worker/flow/aimd.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(aimd, .timeout = 60);

static void succeed(struct aimd *a, int times)
{
    for (int i = 0; i < times; i++)
        aimd_success(a, true);
}

Test(aimd, begins_in_the_middle_and_never_above_the_ceiling)
{
    struct aimd a;

    aimd_init(&a, 256);
    cr_expect(eq(uint, a.limit, AIMD_START));
    aimd_init(&a, 5);
    cr_expect(eq(uint, a.limit, 5));
    succeed(&a, 100);
    cr_expect(eq(uint, a.limit, 5));
    aimd_init(&a, 256);
    succeed(&a, 1000);
    cr_expect(eq(uint, a.limit, 256));
    aimd_set_ceiling(&a, 10);
    cr_expect(eq(uint, a.limit, 10));
}

Test(aimd, each_success_raises_it_until_the_store_has_had_enough)
{
    struct aimd a;

    aimd_init(&a, 256);
    succeed(&a, 3);
    cr_expect(eq(uint, a.limit, AIMD_START + 3));
}

Test(aimd, then_a_window_of_successes_raises_it_by_one)
{
    struct aimd a;

    aimd_init(&a, 16);
    cr_assert(aimd_throttled(&a, 0, 1000));
    cr_assert(eq(uint, a.limit, 8));
    succeed(&a, 7);
    cr_expect(eq(uint, a.limit, 8));
    succeed(&a, 1);
    cr_expect(eq(uint, a.limit, 9));
    succeed(&a, 8);
    cr_expect(eq(uint, a.limit, 9), "the window grows along");
    succeed(&a, 1);
    cr_expect(eq(uint, a.limit, 10));
}

Test(aimd, successes_that_met_no_limit_teach_nothing)
{
    struct aimd a;

    aimd_init(&a, 256);
    for (int i = 0; i < 1000; i++)
        aimd_success(&a, false);
    cr_expect(eq(uint, a.limit, AIMD_START));
}

Test(aimd, is_halved_once_for_all_that_were_under_way)
{
    struct aimd a;

    aimd_init(&a, 32);
    cr_expect(aimd_throttled(&a, 900, 1000));
    cr_expect(eq(uint, a.limit, 16));
    cr_expect(not(aimd_throttled(&a, 950, 1001)), "began before it was halved");
    cr_expect(not(aimd_throttled(&a, 950, 9000)), "however late it is told");
    cr_expect(not(aimd_throttled(&a, 1500, 1999)), "and once a second");
    cr_expect(eq(uint, a.limit, 16));
    cr_expect(aimd_throttled(&a, 1500, 2000));
    cr_expect(eq(uint, a.limit, 8));
}

Test(aimd, one_request_at_least_may_always_go)
{
    struct aimd a;

    aimd_init(&a, 256);
    for (int64_t t = 0; t < 100; t++)
        (void)aimd_throttled(&a, t * 1000, t * 1000);
    cr_expect(eq(uint, a.limit, 1));
    succeed(&a, 1);
    cr_expect(eq(uint, a.limit, 2), "and it recovers");
}
