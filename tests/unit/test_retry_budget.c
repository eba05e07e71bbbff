/*
 * retry_budget: how many requests may be sent again.
 */
#include "worker/flow/retry_budget.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(retry_budget, .timeout = 60);

static int take_all(struct retry_budget *b, int64_t now_ms)
{
    int n = 0;

    while (retry_budget_take(b, now_ms))
        n++;
    return n;
}

Test(retry_budget, an_endpoint_of_few_requests_has_ten_a_second)
{
    struct retry_budget b;

    retry_budget_init(&b, 5000);
    cr_expect(eq(int, take_all(&b, 5000), 10));
    cr_expect(eq(int, take_all(&b, 5099), 0));
    cr_expect(eq(int, take_all(&b, 5500), 5));
    cr_expect(eq(int, take_all(&b, 1000000), 10), "they are not saved up");
    cr_expect(eq(int, take_all(&b, 0), 0), "a clock that went back pays nothing");
}

Test(retry_budget, five_requests_pay_for_one)
{
    struct retry_budget b;

    retry_budget_init(&b, 0);
    (void)take_all(&b, 0);
    for (int i = 0; i < 4; i++)
        retry_budget_deposit(&b);
    cr_expect(not(retry_budget_take(&b, 0)));
    retry_budget_deposit(&b);
    cr_expect(retry_budget_take(&b, 0));
    cr_expect(not(retry_budget_take(&b, 0)));
    for (int i = 0; i < 100000; i++)
        retry_budget_deposit(&b);
    cr_expect(eq(int, take_all(&b, 0), 100), "a hundred are saved at most");
}

/* A law: whatever the order, retries are a fifth of the requests and ten a second, and what is there at first. */
Test(retry_budget, never_more_than_a_fifth_and_ten_a_second)
{
    struct retry_budget b;
    unsigned seed = 20261129;
    int64_t requests = 0, retries = 0, now = 0;

    retry_budget_init(&b, 0);
    for (int i = 0; i < 200000; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned dice = seed >> 16 & 15;
        if (dice < 4) {
            retry_budget_deposit(&b);
            requests++;
        } else if (dice < 12) {
            retries += retry_budget_take(&b, now);
        } else {
            now += dice;
        }
        cr_assert(le(i64, retries * 1000, requests * 200 + (now + 1000) * 10));
    }
    cr_expect(gt(i64, retries, 1000));
}
