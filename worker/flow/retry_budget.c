#include "worker/flow/retry_budget.h"

enum { ONE = 1000, RESERVE_MAX = RETRY_BUDGET_RESERVE * ONE };

void retry_budget_init(struct retry_budget *b, int64_t now_ms)
{
    *b = (struct retry_budget){.reserve = RESERVE_MAX, .reserve_ms = now_ms};
}

void retry_budget_deposit(struct retry_budget *b)
{
    b->saved += RETRY_BUDGET_DEPOSIT;
    if (b->saved > RETRY_BUDGET_SAVED_MAX)
        b->saved = RETRY_BUDGET_SAVED_MAX;
}

/* A millisecond is worth RETRY_BUDGET_RESERVE thousandths. */
static void fill_reserve(struct retry_budget *b, int64_t now_ms)
{
    int64_t ms = now_ms - b->reserve_ms;

    if (ms <= 0)
        return;
    b->reserve_ms = now_ms;
    b->reserve += (ms < 1000 ? ms : 1000) * RETRY_BUDGET_RESERVE;
    if (b->reserve > RESERVE_MAX)
        b->reserve = RESERVE_MAX;
}

bool retry_budget_take(struct retry_budget *b, int64_t now_ms)
{
    fill_reserve(b, now_ms);
    int64_t *from = b->saved >= ONE ? &b->saved : &b->reserve;
    if (*from < ONE)
        return false;
    *from -= ONE;
    return true;
}
