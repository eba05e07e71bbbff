/*
 * water: marks with hysteresis, rates, the verdict, and what Redis says of its memory.
 */
#include "fcgi-app/publish/water.h"

#include <math.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(water, .timeout = 60);

static struct water_config config = {
    .spool_high = 95, .spool_low = 90, .redis_high = 80, .redis_low = 70};

/* --- drain --- */

Test(water, a_steady_drain_is_its_rate)
{
    struct drain d = {.at_ms = 0};
    for (int64_t t = 1000; t <= 30000; t += 1000)
        drain_note(&d, 50, t);
    cr_expect(fabs(drain_rate(&d, 30000) - 50) < 0.001);
    cr_expect(eq(int, drain_seconds(drain_rate(&d, 30000), 500), 10));
    cr_expect(eq(int, drain_seconds(drain_rate(&d, 30000), 501), 11), "rounded up");
}

Test(water, the_first_note_only_starts_the_clock)
{
    struct drain d = {.at_ms = 0};
    drain_note(&d, 1000000, 5000);
    cr_expect(drain_rate(&d, 5000) == 0);
    drain_note(&d, 30, 8000);
    cr_expect(fabs(drain_rate(&d, 8000) - 10) < 0.001, "30 in 3 s");
    drain_note(&d, 1000, 8000);
    cr_expect(fabs(drain_rate(&d, 8000) - 10) < 0.001, "no time has passed");
}

Test(water, a_rate_follows_what_happens_within_seconds)
{
    struct drain d = {.at_ms = 0};
    int64_t t = 1000;
    for (; t <= 10000; t += 1000)
        drain_note(&d, 10, t);
    double before = drain_rate(&d, t);
    for (int i = 0; i < 5; i++, t += 1000)
        drain_note(&d, 100, t);
    double after = drain_rate(&d, t);
    cr_expect(before < 11 && after > 50 && after < 100, "%f %f", before, after);
    for (int i = 0; i < 30; i++, t += 1000)
        drain_note(&d, -5, t); /* it rises */
    cr_expect(drain_rate(&d, t) < 1 && drain_rate(&d, t) > 0);
}

Test(water, nothing_that_drains_is_the_default_and_the_rest_is_bounded)
{
    struct drain d = {.at_ms = 0};
    cr_expect(eq(int, drain_seconds(drain_rate(&d, 1000), 1), DRAIN_DEFAULT_S));
    drain_note(&d, 0, 1000);
    drain_note(&d, 10, 2000);
    cr_expect(eq(int, drain_seconds(drain_rate(&d, 2000), 1), 1));
    cr_expect(eq(int, drain_seconds(drain_rate(&d, 2000), 0), 1), "never at once");
    cr_expect(eq(int, drain_seconds(drain_rate(&d, 2000), 3000), 300));
    cr_expect(eq(int, drain_seconds(drain_rate(&d, 2000), INT64_MAX), 300));
    cr_expect(eq(int, drain_seconds(drain_rate(&d, 2000 + DRAIN_STILL_MS - 1), 10), 1));
    cr_expect(eq(int, drain_seconds(drain_rate(&d, 2000 + DRAIN_STILL_MS), 10),
                 DRAIN_DEFAULT_S));
}

/* --- one quantity --- */

Test(water, it_is_over_from_high_on_until_it_is_below_low)
{
    static const struct {
        int64_t level;
        bool over;
    } steps[] = {{94, false}, {95, true},  {100, true}, {94, true}, {90, true},
                 {89, false}, {90, false}, {94, false}, {95, true}, {0, false}};
    struct water w = {.level = -1};
    water_set_marks(&w, 100, 95, 90);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        water_note(&w, steps[i].level, (int64_t)(i + 1) * 1000);
        cr_expect(eq(int, w.is_over, steps[i].over), "step %zu: %d", i,
                  (int)steps[i].level);
        int64_t room = steps[i].over ? 0 : 95 - steps[i].level;
        cr_expect(eq(i64, water_room(&w), room), "step %zu", i);
    }
}

Test(water, marks_of_small_and_large_numbers_are_rounded_up)
{
    struct water w = {.level = -1};
    water_set_marks(&w, 1, 95, 90);
    cr_expect(eq(i64, w.high, 1));
    cr_expect(eq(i64, w.low, 1));
    water_set_marks(&w, 3, 95, 90);
    cr_expect(eq(i64, w.high, 3));
    water_set_marks(&w, INT64_MAX, 100, 50);
    cr_expect(eq(i64, w.high, INT64_MAX));
    water_set_marks(&w, 0, 95, 90);
    cr_expect(eq(i64, w.high, 0));
    cr_expect(eq(i64, water_room(&w), INT64_MAX));
    water_set_marks(&w, 100, 0, 0);
    cr_expect(eq(i64, w.high, 0));
}

Test(water, a_low_mark_of_nothing_is_reached_when_empty)
{
    struct water w = {.level = -1};
    water_set_marks(&w, 10, 50, 0);
    water_note(&w, 6, 1000);
    water_note(&w, 1, 2000);
    cr_expect(w.is_over);
    water_note(&w, 0, 3000);
    cr_expect(not(w.is_over));
}

Test(water, what_is_not_known_any_more_is_not_over)
{
    struct water w = {.level = -1};
    water_set_marks(&w, 10, 50, 10);
    water_note(&w, 10, 1000);
    cr_expect(w.is_over);
    water_note(&w, -1, 2000);
    cr_expect(not(w.is_over));
    cr_expect(eq(i64, water_room(&w), INT64_MAX));
    water_note(&w, 7, 3000);
    cr_expect(w.drain.moved_ms == 0, "a level after none has not fallen");
}

Test(water, the_wait_is_until_low_at_the_rate_it_falls)
{
    struct water w = {.level = -1};
    water_set_marks(&w, 1000, 90, 80);
    for (int64_t i = 0; i < 10; i++)
        water_note(&w, 1000 - 5 * i, 1000 + i * 1000);
    cr_expect(w.is_over);
    /* 955 now, 799 wanted, 5 a second */
    cr_expect(eq(int, water_seconds(&w, 10000), 32));
}

/* --- the verdict --- */

static struct spool_usage usage(int64_t bytes, int64_t inodes)
{
    return (struct spool_usage){.bytes = bytes,
                                .bytes_max = 1000,
                                .inodes = inodes,
                                .inodes_max = 1000,
                                .files = -1,
                                .data_bytes = -1};
}

static enum water_what judged(const struct waters *w)
{
    return waters_judge(w, 10000).what;
}

Test(water, below_all_marks_uploads_are_welcome_and_the_room_is_known)
{
    struct waters w;
    struct spool_usage u = usage(300, 940);
    waters_init(&w, &config);
    cr_expect(eq(int, judged(&w), WATER_NOTHING), "nothing is known");
    cr_expect(eq(i64, waters_judge(&w, 1).room_bytes, INT64_MAX));
    waters_note_spool(&w, &u, 1000);
    struct water_verdict v = waters_judge(&w, 1000);
    cr_expect(eq(int, (int)v.what, WATER_NOTHING));
    cr_expect(eq(i64, v.room_bytes, 650));
    cr_expect(eq(int, v.retry_after, DRAIN_DEFAULT_S), "for one that finds none");
    cr_expect(eq(i64, v.room_files, 10));
}

Test(water, each_quantity_has_its_mark)
{
    struct water_config c = config;
    struct waters w;
    struct spool_usage u = usage(950, 0);
    c.max_bytes = 500;
    c.max_files = 10;
    waters_init(&w, &c);
    waters_note_spool(&w, &u, 1000);
    cr_expect(eq(int, judged(&w), WATER_BYTES));
    u = usage(0, 950);
    waters_note_spool(&w, &u, 1000);
    cr_expect(eq(int, judged(&w), WATER_INODES));
    u = usage(0, 0);
    u.data_bytes = 475;
    waters_note_spool(&w, &u, 1000);
    cr_expect(eq(int, judged(&w), WATER_MAX_BYTES));
    u.data_bytes = 0;
    u.files = 10;
    waters_note_spool(&w, &u, 1000);
    cr_expect(eq(int, judged(&w), WATER_MAX_FILES));
    u.files = 8;
    waters_note_spool(&w, &u, 1000);
    cr_expect(eq(int, judged(&w), WATER_NOTHING));
    cr_expect(eq(i64, waters_judge(&w, 1000).room_bytes, 475));
    waters_note_redis(&w, 80, 100, 1000);
    cr_expect(eq(int, judged(&w), WATER_REDIS));
    waters_note_redis(&w, 75, 100, 1000);
    cr_expect(eq(int, judged(&w), WATER_REDIS), "not below low yet");
    waters_note_redis(&w, 69, 100, 1000);
    cr_expect(eq(int, judged(&w), WATER_NOTHING));
    waters_note_redis(&w, 80, 0, 1000);
    cr_expect(eq(int, judged(&w), WATER_NOTHING), "no maxmemory");
    waters_note_spool(&w, NULL, 2000);
    cr_expect(eq(int, judged(&w), WATER_UNUSABLE));
    cr_expect(eq(int, waters_judge(&w, 2000).retry_after, DRAIN_DEFAULT_S));
}

Test(water, a_file_system_that_counts_no_inodes_has_no_mark_on_them)
{
    struct waters w;
    struct spool_usage u = usage(0, 7);
    u.inodes_max = 0;
    waters_init(&w, &config);
    waters_note_spool(&w, &u, 1000);
    cr_expect(eq(int, judged(&w), WATER_NOTHING));
    cr_expect(eq(i64, waters_judge(&w, 1000).room_files, INT64_MAX));
}

Test(water, who_waits_waits_for_the_slowest)
{
    struct waters w;
    waters_init(&w, &config);
    for (int64_t i = 0; i < 5; i++) { /* bytes fall by 10 a second, inodes by 1 */
        struct spool_usage u = usage(1000 - 10 * i, 1000 - i);
        waters_note_spool(&w, &u, 1000 + 1000 * i);
    }
    struct water_verdict v = waters_judge(&w, 5000);
    cr_expect(eq(int, (int)v.what, WATER_BYTES));
    cr_expect(eq(int, v.retry_after, 97), "996 inodes, 899 wanted, 1 a second");
}

Test(water, every_verdict_has_its_words)
{
    for (int i = 0; i < WATER_COUNT; i++)
        for (int k = 0; k < i; k++)
            cr_expect(strcmp(water_text((enum water_what)i),
                             water_text((enum water_what)k)) != 0);
}

/* --- INFO memory --- */

static const struct {
    const char *info;
    int64_t used, max;
} infos[] = {
    {"# Memory\r\nused_memory:1000\r\nused_memory_human:1K\r\nmaxmemory:5000\r\n"
     "maxmemory_policy:noeviction\r\nmem_not_counted_for_evict:200\r\n",
     800, 5000},
    {"# Memory\r\nused_memory:1000\r\nmaxmemory:0\r\n", 1000, 0},
    {"# Memory\r\nused_memory:10\r\nmem_not_counted_for_evict:20\r\n", 0, -1},
    {"", -1, -1},
    {"\nused_memory:", -1, -1},
    {"\nused_memory:x\nmaxmemory:-5\n", -1, -1},
    {"\nused_memory:1234567890123456789\nmaxmemory:999999999999999999", -1,
     999999999999999999},
    {"used_memory:5\nmaxmemory:6", -1, 6}, /* no line begins there */
};

Test(water, the_memory_of_redis_is_read_from_any_bytes)
{
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++) {
        int64_t used = -2, max = -2;
        water_read_memory(infos[i].info, strlen(infos[i].info), &used, &max);
        cr_expect(eq(i64, used, infos[i].used), "%zu", i);
        cr_expect(eq(i64, max, infos[i].max), "%zu", i);
    }
}
