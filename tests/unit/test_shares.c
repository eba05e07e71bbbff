/*
 * shares: strict order, weights, and what becomes of a share that is not used.
 */
#include "worker/queue/shares.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(shares, .timeout = 60);

static struct shares make(size_t count, const unsigned *weights)
{
    struct shares s = {.count = count};

    for (size_t i = 0; i < count; i++) {
        s.of[i].weight = weights[i];
        shares_want(&s, i, true);
    }
    return s;
}

/* Hand out so many slots one by one; how many each queue got is added to got. */
static void hand_out(struct shares *s, size_t slots, size_t *got)
{
    size_t allotted[CONFIG_QUEUES_MAX];

    for (; slots > 0; slots--) {
        shares_allot(s, 1, allotted);
        for (size_t i = 0; i < s->count; i++) {
            shares_take(s, i, allotted[i]);
            got[i] += allotted[i];
        }
    }
}

Test(shares, strict_order_gives_all_to_the_first_that_wants)
{
    struct shares s = make(3, (unsigned[]){0, 0, 0});
    size_t got[3];

    shares_allot(&s, 7, got);
    cr_expect(eq(sz, got[0], 7));
    shares_want(&s, 0, false);
    shares_allot(&s, 7, got);
    cr_expect(eq(sz, got[0], 0));
    cr_expect(eq(sz, got[1], 7));
    cr_expect(eq(sz, got[2], 0));
}

Test(shares, nobody_wants_nothing_is_given)
{
    struct shares s = make(2, (unsigned[]){3, 1});
    size_t got[2] = {9, 9};

    shares_want(&s, 0, false);
    shares_want(&s, 1, false);
    shares_allot(&s, 5, got);
    cr_expect(eq(sz, got[0] + got[1], 0));
}

Test(shares, weights_hold_exactly_however_the_slots_are_handed_out)
{
    for (size_t step = 1; step <= 60; step++) {
        struct shares s = make(3, (unsigned[]){5, 1, 4});
        size_t got[3] = {0}, allotted[3];
        for (size_t left = 600; left > 0;) {
            size_t slots = step < left ? step : left;
            shares_allot(&s, slots, allotted);
            for (size_t i = 0; i < 3; i++) {
                shares_take(&s, i, allotted[i]);
                got[i] += allotted[i];
            }
            left -= slots;
        }
        cr_expect(eq(sz, got[0], 300), "%zu at a time", step);
        cr_expect(eq(sz, got[1], 60), "%zu at a time", step);
        cr_expect(eq(sz, got[2], 240), "%zu at a time", step);
    }
}

Test(shares, the_light_queue_is_served_within_every_round)
{
    struct shares s = make(2, (unsigned[]){5, 1});

    for (int round = 0; round < 20; round++) {
        size_t got[2] = {0};
        hand_out(&s, 6, got);
        cr_expect(eq(sz, got[0], 5));
        cr_expect(eq(sz, got[1], 1));
    }
}

Test(shares, what_one_does_not_use_goes_to_the_others_and_costs_it_nothing)
{
    struct shares s = make(2, (unsigned[]){1, 1});
    size_t got[2];

    shares_allot(&s, 10, got);
    cr_assert(eq(sz, got[0], 5));
    shares_take(&s, 0, 5);
    shares_take(&s, 1, 5);
    shares_give_back(&s, 0, 4); /* it had one job */
    cr_expect(eq(u64, s.of[1].used, 5 * s.of[0].used));
    shares_allot(&s, 4, got);
    cr_expect(eq(sz, got[0], 4), "still wanting, it comes first");
    shares_want(&s, 0, false);
    shares_allot(&s, 4, got);
    cr_expect(eq(sz, got[1], 4));
}

Test(shares, a_queue_that_was_idle_has_saved_nothing_up)
{
    struct shares s = make(2, (unsigned[]){1, 1});
    size_t got[2] = {0};

    shares_want(&s, 0, false);
    hand_out(&s, 1000, got);
    cr_expect(eq(sz, got[1], 1000));
    shares_want(&s, 0, true);
    got[0] = got[1] = 0;
    hand_out(&s, 100, got);
    cr_expect(ge(sz, got[0], 50));
    cr_expect(le(sz, got[0], 51));
}
