#include "tests/chaos/latency.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "tests/support/wait_until.h"

TestSuite(latency, .timeout = 60);

static struct latency *make(int64_t window_ms)
{
    struct latency *l = NULL;
    struct err e = ERR_INIT;

    cr_assert(eq(int, latency_new(window_ms, &l, &e), ERR_OK));
    return l;
}

Test(latency, nothing_measured_is_nothing)
{
    struct latency *l = make(1000);
    int64_t at;

    cr_expect(eq(i64, latency_between(l, 0, INT64_MAX).count, 0));
    cr_expect(eq(i64, latency_worst(l, 1, &at).count, 0));
    latency_free(l);
}

Test(latency, percentiles_are_at_most_an_eighth_above)
{
    struct latency *l = make(1000);

    for (int64_t us = 1; us <= 10000; us++)
        latency_add(l, us);
    struct latency_summary s = latency_between(l, 0, INT64_MAX);
    cr_expect(eq(i64, s.count, 10000));
    cr_expect(s.p50_us >= 5000 && s.p50_us <= 5625, "%lld", (long long)s.p50_us);
    cr_expect(s.p99_us >= 9900 && s.p99_us <= 10000, "%lld", (long long)s.p99_us);
    cr_expect(eq(i64, s.max_us, 10000));
    latency_free(l);
}

Test(latency, each_value_has_its_place)
{
    static const int64_t values[] = {0,    1,    7,       8,       9,          15,
                                     16,   17,   1000,    1 << 20, 0xffffffff, 1023,
                                     1024, 1025, 3999999, 4000000, 4000001};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct latency *l = make(1000);
        latency_add(l, values[i]);
        latency_add(l, INT64_C(1) << 40);
        struct latency_summary s = latency_between(l, 0, INT64_MAX);
        cr_expect(s.p50_us >= values[i] && s.p50_us <= values[i] + values[i] / 8,
                  "%lld: %lld", (long long)values[i], (long long)s.p50_us);
        latency_free(l);
    }
}

Test(latency, the_worst_window_is_found)
{
    struct latency *l = make(20);
    int64_t start = clock_mono_ms(), at = 0;

    for (int i = 0; i < 100; i++)
        latency_add(l, 100);
    cr_assert(WAIT_UNTIL(clock_mono_ms() > start + 60, 2000));
    int64_t bad = clock_mono_ms();
    latency_add(l, 100);
    latency_add(l, 5000);
    int64_t after = clock_mono_ms();
    cr_assert(WAIT_UNTIL(clock_mono_ms() > bad + 60, 2000));
    latency_add(l, 9000);
    struct latency_summary s = latency_worst(l, 2, &at);
    cr_expect(eq(i64, s.max_us, 5000));
    cr_expect(at > bad - 20 && at <= after, "%lld %lld", (long long)at, (long long)bad);
    cr_expect(eq(i64, latency_worst(l, 1, &at).max_us, 9000));
    cr_expect(eq(i64, latency_between(l, bad + 60, INT64_MAX).max_us, 9000));
    cr_expect(eq(i64, latency_between(l, 0, bad).max_us, 5000));
    latency_free(l);
}
