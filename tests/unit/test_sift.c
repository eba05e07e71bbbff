/*
 * sift: how much is claimed from a queue most of whose jobs cannot run.
 */
#include "worker/queue/sift.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(sift, .timeout = 60);

enum { NOW = 1000000000 };

/* Take all that may be taken over so many ms, looking each step_ms. */
static size_t take_over(struct sift *s, int64_t from, int64_t ms, int64_t step_ms)
{
    size_t sum = 0;

    for (int64_t t = 0; t <= ms; t += step_ms) {
        size_t n = sift_allows(s, from + t);
        sift_take(s, n);
        sum += n;
    }
    return sum;
}

Test(sift, where_all_are_for_one_destination_the_first_and_then_hardly_any)
{
    struct sift s = {0};

    cr_expect(eq(sz, take_over(&s, NOW, 60000, 10), SIFT_AT_ONCE + 60));
    cr_expect(eq(sz, take_over(&s, NOW + 120000, 0, 1), 60));
    cr_expect(eq(sz, take_over(&s, NOW + 1200000, 0, 1), SIFT_AT_ONCE), "not more");
}

Test(sift, a_hundred_a_second_where_others_are_among_them)
{
    struct sift s = {0};

    sift_saw_other(&s, NOW);
    cr_expect(sift_is_mixed(&s, NOW));
    cr_expect(eq(sz, take_over(&s, NOW, 10000, 5), SIFT_AT_ONCE + 1000));
    cr_expect(not(sift_is_mixed(&s, NOW + SIFT_MIXED_MS)));
    cr_expect(eq(sz, take_over(&s, NOW + SIFT_MIXED_MS, 60000, 10), SIFT_AT_ONCE + 60));
}

Test(sift, those_that_run_cost_nothing)
{
    struct sift s = {0};

    sift_saw_other(&s, NOW);
    for (int i = 0; i < 10000; i++) {
        size_t n = sift_allows(&s, NOW);
        cr_assert(eq(sz, n, SIFT_AT_ONCE));
        sift_take(&s, n);
        sift_give_back(&s, n);
    }
    sift_give_back(&s, 1000);
    cr_expect(eq(sz, sift_allows(&s, NOW), SIFT_AT_ONCE), "and are not saved up");
}

Test(sift, what_was_taken_beyond_it_is_paid_for_later)
{
    struct sift s = {0};

    (void)sift_allows(&s, NOW);
    sift_take(&s, SIFT_AT_ONCE + 1);
    cr_expect(eq(sz, sift_allows(&s, NOW), 0));
    cr_expect(eq(sz, sift_allows(&s, NOW + 1000), 0));
    cr_expect(eq(sz, sift_allows(&s, NOW + 2000), 1));
}
