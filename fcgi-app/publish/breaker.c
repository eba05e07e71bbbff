#include "fcgi-app/publish/breaker.h"

bool breaker_is_open(struct breaker *b)
{
    return atomic_load(&b->failures) >= BREAKER_FAILURES;
}

void breaker_fail(struct breaker *b)
{
    int n = atomic_load(&b->failures);
    while (n < BREAKER_FAILURES &&
           !atomic_compare_exchange_weak(&b->failures, &n, n + 1))
        continue;
}

void breaker_close(struct breaker *b)
{
    atomic_store(&b->failures, 0);
}
