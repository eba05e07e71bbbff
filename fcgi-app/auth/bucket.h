/*
 * bucket: so many requests a second, and so many at once.  Pure but for one number, without a lock: any thread may take.
 *
 * Instead of tokens one time is kept: when the bucket will be full again, were nothing taken any more.  What is taken moves
 * it on by 1 / per_second; it may not come to lie further ahead than burst of these steps (GCRA, ITU-T I.371).
 */
#ifndef HOIST_FCGI_BUCKET_H
#define HOIST_FCGI_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bucket {
    _Atomic int64_t full_ns; /* on the caller's monotonic clock; 0: full */
};

/* per_second 1 .. 1,000,000, burst 1 .. 1,000,000.  False: nothing was taken, and *ret_wait_ns is how long it is until
 * something can be. */
bool bucket_take(struct bucket *b, int64_t per_second, int64_t burst, int64_t now_ns,
                 int64_t *ret_wait_ns);

#endif
