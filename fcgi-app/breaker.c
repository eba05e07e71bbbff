#include "fcgi-app/breaker.h"

bool breaker_allows(struct breaker *b, int64_t now_ms)
{
    int64_t until_ms = atomic_load(&b->open_until_ms);
    if (until_ms == 0)
        return true;
    if (now_ms < until_ms)
        return false;
    /* Of those who come now one wins and tries; its report decides. */
    return atomic_compare_exchange_strong(&b->open_until_ms, &until_ms,
                                          now_ms + BREAKER_TRY_MS);
}

void breaker_report(struct breaker *b, int64_t now_ms, bool ok)
{
    atomic_store(&b->open_until_ms, ok ? 0 : now_ms + BREAKER_OPEN_MS);
}
