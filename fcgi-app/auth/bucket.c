#include "fcgi-app/auth/bucket.h"

bool bucket_take(struct bucket *b, int64_t per_second, int64_t burst, int64_t now_ns,
                 int64_t *ret_wait_ns)
{
    const int64_t step_ns = INT64_C(1000000000) / per_second;
    int64_t full_ns = atomic_load(&b->full_ns), next_ns;
    do {
        next_ns = (full_ns > now_ns ? full_ns : now_ns) + step_ns;
        if (next_ns - now_ns > burst * step_ns) {
            *ret_wait_ns = next_ns - now_ns - burst * step_ns;
            return false;
        }
    } while (!atomic_compare_exchange_weak(&b->full_ns, &full_ns, next_ns));
    return true;
}
