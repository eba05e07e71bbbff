#include "shared/histogram.h"

#define K(n) ((int64_t)(n) << 10)
#define M(n) ((int64_t)(n) << 20)
#define G(n) ((int64_t)(n) << 30)

const struct histogram_scale histogram_request_us = {
    .count = 13,
    .per_unit = 1000000,
    .bounds = {500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
               1000000, 2500000, 10000000},
};

const struct histogram_scale histogram_redis_us = {
    .count = 12,
    .per_unit = 1000000,
    .bounds = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
               1000000},
};

const struct histogram_scale histogram_upload_ms = {
    .count = 14,
    .per_unit = 1000,
    .bounds = {10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 600000,
               3600000},
};

const struct histogram_scale histogram_bytes = {
    .count = 13,
    .per_unit = 1,
    .bounds = {K(1), K(4), K(16), K(64), K(256), M(1), M(4), M(16), M(64), M(256), G(1),
               G(4), G(16)},
};

static size_t find_bucket(const struct histogram_scale *scale, int64_t value)
{
    size_t i = 0;
    while (i < scale->count && value > scale->bounds[i])
        i++;
    return i;
}

/* Its thread alone writes it. */
static void grow(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(counter,
                          atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

void histogram_note(struct histogram *h, const struct histogram_scale *scale,
                    int64_t value)
{
    if (value < 0)
        value = 0;
    grow(&h->buckets[find_bucket(scale, value)], 1);
    grow(&h->sum, (uint64_t)value);
}

void histogram_note_shared(struct histogram *h, const struct histogram_scale *scale,
                           int64_t value)
{
    if (value < 0)
        value = 0;
    atomic_fetch_add_explicit(&h->buckets[find_bucket(scale, value)], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum, (uint64_t)value, memory_order_relaxed);
}

void histogram_read(const struct histogram *h, struct histogram_sum *to)
{
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
        to->buckets[i] += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    to->sum += atomic_load_explicit(&h->sum, memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram_sum *s)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
        count += s->buckets[i];
    return count;
}
