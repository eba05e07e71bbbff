/* membudget: who gets memory, in which order, and that nobody waits for ever. */
#include "worker/flow/membudget.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(membudget, .timeout = 60);

enum { CLAIMS = 40, BUFFER = 8 };

static struct membudget budget;
static struct membudget_claim claims[CLAIMS];
static int granted[CLAIMS]; /* the order in which grants came; their count is grants */
static int grants;

static void on_granted(int64_t bytes, void *ctx)
{
    cr_expect(bytes > 0 && bytes <= ((struct membudget_claim *)ctx)->held);
    granted[grants++ % CLAIMS] = (int)((struct membudget_claim *)ctx - claims);
}

static void begin(int64_t limit)
{
    membudget_init(&budget, limit);
    for (int i = 0; i < CLAIMS; i++)
        membudget_claim_init(&claims[i], &budget, on_granted, &claims[i]);
    grants = 0;
}

Test(membudget, what_is_free_is_had_at_once_and_never_more)
{
    begin(2 * BUFFER + 3);
    cr_expect(membudget_take(&claims[0], BUFFER));
    cr_expect(membudget_take(&claims[1], BUFFER));
    cr_expect(not(membudget_take(&claims[2], BUFFER)));
    cr_expect(eq(i64, budget.held, 2 * BUFFER));
    membudget_give(&claims[0], BUFFER);
    cr_expect(eq(int, grants, 1));
    cr_expect(eq(i64, claims[2].held, BUFFER));
    cr_expect(eq(i64, budget.held, 2 * BUFFER));
}

Test(membudget, who_came_first_is_served_first)
{
    begin(BUFFER);
    (void)membudget_take(&claims[0], BUFFER);
    for (int i = 1; i < 5; i++)
        (void)membudget_take(&claims[i], BUFFER);
    for (int i = 0; i < 4; i++)
        membudget_give(&claims[i], BUFFER);
    cr_assert(eq(int, grants, 4));
    for (int i = 0; i < 4; i++)
        cr_expect(eq(int, granted[i], i + 1));
}

Test(membudget, who_holds_nothing_comes_before_who_wants_a_second_one)
{
    begin(2 * BUFFER);
    (void)membudget_take(&claims[0], BUFFER);
    (void)membudget_take(&claims[1], BUFFER);
    cr_expect(not(membudget_take(&claims[0], BUFFER)));
    cr_expect(not(membudget_take(&claims[2], BUFFER)));
    cr_expect(not(membudget_take(&claims[3], BUFFER)));
    membudget_give(&claims[1], BUFFER);
    membudget_leave(&claims[2]);
    membudget_leave(&claims[3]);
    cr_assert(eq(int, grants, 3));
    cr_expect(eq(int, granted[0], 2));
    cr_expect(eq(int, granted[1], 3));
    cr_expect(eq(int, granted[2], 0));
}

Test(membudget, one_that_gives_back_all_it_holds_while_it_waits_has_its_turn)
{
    begin(2 * BUFFER);
    (void)membudget_take(&claims[0], BUFFER);
    (void)membudget_take(&claims[1], BUFFER);
    cr_expect(not(membudget_take(&claims[0], 2 * BUFFER)), "a larger part");
    cr_expect(not(membudget_take(&claims[1], BUFFER)));
    cr_expect(not(membudget_take(&claims[2], BUFFER)));
    membudget_give(&claims[0], BUFFER);
    cr_expect(eq(i64, claims[2].held, BUFFER), "came before");
    membudget_give(&claims[2], BUFFER);
    cr_expect(eq(int, grants, 1), "the second one waits for all of it");
    membudget_leave(&claims[1]);
    cr_expect(eq(i64, claims[0].held, 2 * BUFFER));
}

Test(membudget, a_large_one_is_not_overtaken_by_small_ones)
{
    begin(4 * BUFFER);
    (void)membudget_take(&claims[0], 3 * BUFFER);
    cr_expect(not(membudget_take(&claims[1], 3 * BUFFER)));
    cr_expect(not(membudget_take(&claims[2], BUFFER)), "though there is room for it");
    membudget_leave(&claims[0]);
    cr_expect(eq(int, grants, 2));
    cr_expect(eq(i64, claims[1].held, 3 * BUFFER));
    cr_expect(eq(i64, claims[2].held, BUFFER));
}

Test(membudget, one_that_forgoes_its_turn_keeps_what_it_holds)
{
    begin(3 * BUFFER);
    (void)membudget_take(&claims[0], BUFFER);
    (void)membudget_take(&claims[1], BUFFER);
    cr_expect(not(membudget_take(&claims[0], 2 * BUFFER)));
    cr_expect(not(membudget_take(&claims[1], BUFFER)));
    cr_expect(not(membudget_is_short(&budget)));
    membudget_forgo(&claims[0]);
    cr_expect(eq(i64, claims[0].held, BUFFER));
    cr_expect(eq(i64, claims[1].held, 2 * BUFFER));
    cr_expect(not(membudget_take(&claims[2], BUFFER)));
    cr_expect(membudget_is_short(&budget));
}

Test(membudget, one_that_leaves_the_queue_lets_the_next_pass)
{
    begin(2 * BUFFER);
    (void)membudget_take(&claims[0], BUFFER);
    (void)membudget_take(&claims[1], 2 * BUFFER);
    (void)membudget_take(&claims[2], BUFFER);
    membudget_leave(&claims[1]);
    cr_expect(eq(int, grants, 1));
    cr_expect(eq(i64, claims[2].held, BUFFER));
    membudget_leave(&claims[1]);
    membudget_forgo(&claims[1]);
    membudget_leave(&claims[0]);
    membudget_leave(&claims[2]);
    cr_expect(eq(i64, budget.held, 0));
    cr_expect(budget.first == NULL);
}

/* Streams that fill a buffer, send it, and want one for the next part meanwhile, in a random order: all end, and none gets
 * far ahead of the others. */
Test(membudget, all_streams_end_and_none_waits_much_longer_than_another)
{
    enum { PARTS = 50, LIMIT = 5 };
    int left[CLAIMS], under_way[CLAIMS] = {0}, filling[CLAIMS] = {0}, ended = 0;
    uint64_t seed = 88172645463325252u;

    begin(LIMIT * BUFFER);
    for (int i = 0; i < CLAIMS; i++)
        left[i] = PARTS;
    for (int steps = 0; ended < CLAIMS; steps++) {
        cr_assert(steps < 1000 * 1000, "a deadlock");
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        int i = (int)(seed % CLAIMS);
        struct membudget_claim *c = &claims[i];
        filling[i] = (int)(c->held / BUFFER) - under_way[i];
        if (filling[i] > 0 && left[i] > 0) {
            under_way[i]++; /* full: it leaves */
            left[i]--;
        } else if (left[i] > 0 && c->wanted == 0) {
            (void)membudget_take(c, BUFFER);
        }
        if (under_way[i] > 0 && seed & 1 << 20) {
            under_way[i]--;
            membudget_give(c, BUFFER);
        }
        if (left[i] == 0 && under_way[i] == 0 && (c->held > 0 || c->wanted > 0))
            membudget_leave(c);
        cr_assert(budget.held <= LIMIT * BUFFER);
        ended = 0;
        for (int k = 0; k < CLAIMS; k++)
            ended += left[k] == 0 && under_way[k] == 0;
    }
    for (int i = 0; i < CLAIMS; i++)
        membudget_leave(&claims[i]);
    cr_expect(eq(i64, budget.held, 0));
}
