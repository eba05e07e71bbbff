#include "tests/chaos/latency.h"

#include <pthread.h>
#include <stdlib.h>

#include "shared/clock.h"

enum { STEPS = 8, OCTAVES = 30, BUCKETS = STEPS * OCTAVES };

struct window {
    uint32_t buckets[BUCKETS];
    int64_t max_us;
};

struct latency {
    pthread_mutex_t lock; /* for all below */
    int64_t window_ms, start_ms;
    struct window *windows[LATENCY_WINDOWS_MAX]; /* NULL: nothing ended in it; owned */
};

/* 0 .. 7 us have a bucket each; then eight to each doubling. */
static size_t bucket_of(int64_t us)
{
    uint64_t x = us < 0 ? 0 : (uint64_t)us;

    if (x < STEPS)
        return (size_t)x;
    size_t octave = 63 - (size_t)__builtin_clzll(x); /* 3 and up */
    size_t bucket = (octave - 2) * STEPS + (size_t)((x >> (octave - 3)) & (STEPS - 1));
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The largest us that falls into it. */
static int64_t bucket_top(size_t bucket)
{
    if (bucket < STEPS)
        return (int64_t)bucket;
    size_t shift = bucket / STEPS - 1;
    return ((int64_t)(STEPS + bucket % STEPS + 1) << shift) - 1;
}

enum err_code latency_new(int64_t window_ms, struct latency **ret_latency,
                          struct err *e)
{
    struct latency *l = calloc(1, sizeof *l);

    if (!l)
        return err_set(e, ERR_NOMEM, "latency: no memory");
    (void)pthread_mutex_init(&l->lock, NULL); /* cannot fail on Linux */
    l->window_ms = window_ms > 0 ? window_ms : 1;
    l->start_ms = clock_mono_ms();
    *ret_latency = l;
    return ERR_OK;
}

void latency_free(struct latency *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < LATENCY_WINDOWS_MAX; i++)
        free(l->windows[i]);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

/* The window this moment falls into, or the nearest there is. */
static size_t window_at(const struct latency *l, int64_t ms)
{
    int64_t i = ms <= l->start_ms ? 0 : (ms - l->start_ms) / l->window_ms;

    return i < LATENCY_WINDOWS_MAX ? (size_t)i : LATENCY_WINDOWS_MAX - 1;
}

void latency_add(struct latency *l, int64_t us)
{
    size_t i = window_at(l, clock_mono_ms());

    (void)pthread_mutex_lock(&l->lock);
    if (!l->windows[i])
        l->windows[i] = calloc(1, sizeof *l->windows[i]);
    struct window *w = l->windows[i];
    if (w) {
        w->buckets[bucket_of(us)]++;
        if (us > w->max_us)
            w->max_us = us;
    }
    (void)pthread_mutex_unlock(&l->lock);
}

static int64_t percentile(const int64_t *buckets, int64_t count, int64_t per_mille,
                          int64_t max_us)
{
    /* The smallest value that at least so many are not above. */
    int64_t rank = (count * per_mille + 999) / 1000, seen = 0;
    size_t i = 0;

    for (; i < BUCKETS - 1; i++) {
        seen += buckets[i];
        if (seen >= rank)
            break;
    }
    return bucket_top(i) < max_us ? bucket_top(i) : max_us;
}

/* With the lock held: of the windows from .. to, both included. */
static struct latency_summary summarise(const struct latency *l, size_t from, size_t to)
{
    int64_t buckets[BUCKETS] = {0};
    struct latency_summary s = {0};

    for (size_t i = from; i <= to; i++) {
        const struct window *w = l->windows[i];
        if (!w)
            continue;
        for (size_t b = 0; b < BUCKETS; b++) {
            buckets[b] += w->buckets[b];
            s.count += w->buckets[b];
        }
        if (w->max_us > s.max_us)
            s.max_us = w->max_us;
    }
    if (s.count > 0) {
        s.p50_us = percentile(buckets, s.count, 500, s.max_us);
        s.p99_us = percentile(buckets, s.count, 990, s.max_us);
        s.p999_us = percentile(buckets, s.count, 999, s.max_us);
    }
    return s;
}

struct latency_summary latency_between(struct latency *l, int64_t from_ms,
                                       int64_t to_ms)
{
    (void)pthread_mutex_lock(&l->lock);
    struct latency_summary s = summarise(l, window_at(l, from_ms), window_at(l, to_ms));
    (void)pthread_mutex_unlock(&l->lock);
    return s;
}

struct latency_summary latency_worst(struct latency *l, int64_t min_count,
                                     int64_t *ret_from_ms)
{
    struct latency_summary worst = {0};

    (void)pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < LATENCY_WINDOWS_MAX; i++) {
        if (!l->windows[i])
            continue;
        struct latency_summary s = summarise(l, i, i);
        if (s.count >= min_count && s.p99_us > worst.p99_us) {
            worst = s;
            *ret_from_ms = l->start_ms + (int64_t)i * l->window_ms;
        }
    }
    (void)pthread_mutex_unlock(&l->lock);
    return worst;
}
