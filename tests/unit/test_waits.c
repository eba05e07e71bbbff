/*
 * waits: how long Redis may take to tell of its replicas, and how many wait for that.
 */
#include "fcgi-app/jobs/waits.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(waits, .timeout = 60);

static struct config config;

static struct waits made(int64_t wait_ms)
{
    struct waits w;
    config.redis.wait_replicas = 2;
    config.redis.wait_ms = wait_ms;
    config.http.max_threads = 8;
    waits_init(&w, &config);
    return w;
}

Test(waits, four_fifths_of_the_time_are_the_servers_and_never_none)
{
    struct waits w = made(100);
    cr_expect(eq(i64, waits_budget_ms(&w, 5000), 80));
    w = made(1);
    cr_expect(eq(i64, waits_budget_ms(&w, 5000), 1), "0 would be for ever");
    waits_note(&w, false, 5000);
    cr_expect(eq(i64, waits_budget_ms(&w, 5001), 1));
}

Test(waits, what_fell_short_is_only_glanced_at_but_once_a_second)
{
    struct waits w = made(5000);
    cr_expect(eq(i64, waits_budget_ms(&w, 10000), 4000));
    waits_note(&w, false, 10000);
    cr_expect(eq(i64, waits_budget_ms(&w, 10001), WAITS_GLANCE_MS));
    cr_expect(eq(i64, waits_budget_ms(&w, 10999), WAITS_GLANCE_MS));
    cr_expect(eq(i64, waits_budget_ms(&w, 11000), WAITS_PROBE_MS), "one waits");
    cr_expect(eq(i64, waits_budget_ms(&w, 11000), WAITS_GLANCE_MS), "one alone");
    waits_note(&w, false, 11100);
    cr_expect(eq(i64, waits_budget_ms(&w, 12099), WAITS_GLANCE_MS));
    waits_note(&w, true, 12100);
    cr_expect(eq(i64, waits_budget_ms(&w, 12101), 4000), "all is well again");
}

Test(waits, half_of_the_threads_may_wait)
{
    struct waits w = made(100);
    for (int i = 0; i < 4; i++)
        cr_expect(waits_begin(&w), "%d", i);
    cr_expect(not(waits_begin(&w)));
    cr_expect(not(waits_begin(&w)));
    waits_end(&w);
    cr_expect(waits_begin(&w));
    cr_expect(not(waits_begin(&w)));
    config.http.max_threads = 1;
    waits_init(&w, &config);
    cr_expect(waits_begin(&w));
}

Test(waits, nothing_is_wanted_unless_configured)
{
    struct waits w = made(100);
    cr_expect(waits_is_wanted(&w));
    config.redis.wait_replicas = 0;
    cr_expect(not(waits_is_wanted(&w)));
    config.redis.wait_aof = true;
    cr_expect(waits_is_wanted(&w));
}
