#include "tests/chaos/watch.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/redis_fixture.h"
#include "tests/support/wait_until.h"

static struct redis_fixture redis;
static struct watch *watch;

#define A "0193c0de-7a1b-7c3d-9e4f-0123456789ab"
#define B "0193c0de-7a1b-7c3d-9e4f-0123456789ac"

static void up(void)
{
    struct watch_options o = {.redis_url = NULL, .queues = {"q"}, .every_ms = 5};
    struct err e = ERR_INIT;

    redis_fixture_start(&redis);
    o.redis_url = redis.url;
    cr_assert(eq(int, watch_start(&o, &watch, &e), ERR_OK), "%s", e.text);
}

static void down(void)
{
    watch_free(watch);
    redis_fixture_stop(&redis);
}

TestSuite(watch, .init = up, .fini = down, .timeout = 60);

static void event(const char *uuid, const char *state)
{
    free(redis_fixture_ask(&redis, "XADD", "hoist:{q}:events", "*", uuid, state, NULL));
}

static void seen(int64_t events)
{
    cr_assert(WAIT_UNTIL(watch_counts(watch).events >= events, 5000));
}

static const struct {
    const char *label;
    const char *states[6];
    int64_t wrong;
} stories[] = {
    {"a good life", {"waiting", "running", "done"}, 0},
    {"a retry", {"running", "scheduled", "waiting", "running", "done"}, 0},
    {"its worker died", {"running", "waiting", "running", "done"}, 0},
    {"dead and again", {"running", "dead", "waiting", "running", "done"}, 0},
    {"called off", {"scheduled", "cancelled"}, 0},
    {"seen late", {"done"}, 0},
    {"done twice", {"running", "done", "done"}, 1},
    {"again after done", {"running", "done", "running", "done"}, 2},
    {"an end from who had lost it", {"running", "waiting", "done"}, 1},
    {"two at once", {"running", "running", "done"}, 1},
    {"back from the dead by itself", {"dead", "running"}, 1},
    {"after it was called off", {"cancelled", "waiting"}, 1},
};

Test(watch, what_may_not_follow_is_told)
{
    int64_t events = 0, wrong = 0;

    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        char uuid[40];
        (void)snprintf(uuid, sizeof uuid, "0193c0de-7a1b-7c3d-9e4f-0123456789%02zx", i);
        for (size_t k = 0; k < 6 && stories[i].states[k]; k++, events++)
            event(uuid, stories[i].states[k]);
        seen(events);
        int64_t now = watch_counts(watch).out_of_turn;
        cr_expect(eq(i64, now - wrong, stories[i].wrong), "%s", stories[i].label);
        wrong = now;
    }
    struct watch_counts counts = watch_counts(watch);
    cr_expect(eq(str, counts.turn_examples[0],
                 "q.0193c0de-7a1b-7c3d-9e4f-012345678906: done after done"));
    cr_expect(eq(i64, counts.missed, 0));
    cr_expect(eq(i64, counts.events, events));
}

Test(watch, several_jobs_in_one_entry)
{
    free(redis_fixture_ask(&redis, "XADD", "hoist:{q}:events", "*", A, "running", B,
                           "running", A, "done", B, "done", "x", "ended", NULL));
    seen(4);
    struct watch_counts counts = watch_counts(watch);
    cr_expect(eq(i64, counts.out_of_turn, 0));
    cr_expect(eq(i64, counts.ended, 2));
}

/* So many looks more. */
static void looks(int64_t more)
{
    int64_t from = watch_counts(watch).looks;

    cr_assert(WAIT_UNTIL(watch_counts(watch).looks >= from + more, 5000));
}

Test(watch, what_was_forgotten_may_happen_again)
{
    event(A, "running");
    event(A, "done");
    seen(2);
    watch_forget(watch);
    looks(3);
    event(A, "running");
    event(A, "done");
    seen(4);
    cr_expect(eq(i64, watch_counts(watch).out_of_turn, 0));
    event(A, "running");
    seen(5);
    cr_expect(eq(i64, watch_counts(watch).out_of_turn, 1));
}

Test(watch, a_server_that_was_killed_may_have_forgotten)
{
    event(A, "running");
    event(A, "done");
    seen(2);
    redis_fixture_kill(&redis);
    cr_assert(WAIT_UNTIL(watch_counts(watch).forgets > 0, 5000));
    redis_fixture_restart(&redis);
    looks(3);
    event(A, "running");
    event(A, "done");
    seen(4);
    cr_expect(eq(i64, watch_counts(watch).out_of_turn, 0));
}

Test(watch, a_flush_is_noticed)
{
    free(redis_fixture_ask(&redis, "HSET", "hoist:{q}:stats", "enqueued", "1", "done",
                           "1", NULL));
    event(A, "done");
    seen(1);
    looks(2);
    free(redis_fixture_ask(&redis, "FLUSHALL", NULL));
    looks(2);
    event(A, "running");
    seen(2);
    struct watch_counts counts = watch_counts(watch);
    cr_expect(eq(i64, counts.out_of_turn, 0));
    cr_expect(eq(i64, counts.unbalanced, 0));
    cr_expect(counts.forgets > 0);
}

Test(watch, a_queue_that_does_not_add_up_is_told)
{
    free(redis_fixture_ask(&redis, "HSET", "hoist:{q}:stats", "enqueued", "4", "done",
                           "2", "cancelled", "1", NULL));
    cr_assert(WAIT_UNTIL(watch_counts(watch).unbalanced > 0, 5000));
    cr_expect(eq(str, watch_counts(watch).balance_examples[0],
                 "q: 4 enqueued, 0 live, 0 dead, 2 done, 1 cancelled"));
    free(redis_fixture_ask(&redis, "ZADD", "hoist:{q}:dead", "1", A, NULL));
    looks(2);
    int64_t told = watch_counts(watch).unbalanced;
    looks(3);
    cr_expect(eq(i64, watch_counts(watch).unbalanced, told));
}

Test(watch, what_is_left_is_read_when_it_stops)
{
    event(A, "done");
    event(A, "running");
    watch_stop(watch);
    cr_expect(eq(i64, watch_counts(watch).out_of_turn, 1));
}

Test(watch, events_that_were_cut_off_are_missed)
{
    event(A, "done");
    seen(1);
    free(redis_fixture_ask(&redis, "EVAL",
                           "for i = 1, 20 do redis.call('XADD', KEYS[1], '*', ARGV[1], "
                           "'waiting') end redis.call('XTRIM', KEYS[1], 'MAXLEN', 3)",
                           "1", "hoist:{q}:events", B, NULL));
    cr_assert(WAIT_UNTIL(watch_counts(watch).missed > 0, 5000));
    cr_expect(eq(i64, watch_counts(watch).out_of_turn, 0));
}

Test(watch, what_cannot_be_watched_is_refused)
{
    struct watch_options o = {.redis_url = "http://x", .queues = {"q"}};
    struct watch *w = NULL;
    struct err e = ERR_INIT;

    cr_expect(eq(int, watch_start(&o, &w, &e), ERR_CONFIG));
    o = (struct watch_options){.redis_url = redis.url, .queues = {"No Queue"}};
    cr_expect(eq(int, watch_start(&o, &w, &e), ERR_CONFIG));
}
