/*
 * room: what its looks tell the breaker.
 */
#include "fcgi-app/upload/room.h"
#include "tests/support/redis_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct redis_fixture server;
static struct config config;
static struct rooms *rooms;
static struct breaker breaker;

static void up(void)
{
    struct redis_options o = {.connect_timeout_ms = 5000, .timeout_ms = 5000};
    struct err e = ERR_INIT;

    redis_fixture_start(&server);
    config.queues[0] = (struct config_queue){.name = "q", .max_bytes = 1000};
    config.queue_count = 1;
    cr_assert(not(redis_target_parse(server.url, &o.target, &e)), "%s", e.text);
    cr_assert(not(rooms_open(&config, &o, &breaker, &rooms, &e)), "%s", e.text);
    redis_target_release(&o.target);
}

static void down(void)
{
    rooms_close(rooms);
    redis_fixture_stop(&server);
}

TestSuite(room, .init = up, .fini = down, .timeout = 60);

static int failures_after_a_look(void)
{
    struct err e = ERR_INIT;
    int seconds = 0;

    cr_expect(eq(int, (int)rooms_check(rooms, &config.queues[0], 5, &seconds, &e), 0));
    return atomic_load(&breaker.failures);
}

Test(room, a_look_that_fails_counts_for_the_breaker)
{
    redis_fixture_kill(&server);
    cr_expect(eq(int, failures_after_a_look(), 1));
    cr_expect(eq(int, failures_after_a_look(), 1), "the next one is in a second");
}

Test(room, a_look_that_succeeds_ends_a_row_of_failures)
{
    breaker_fail(&breaker);
    breaker_fail(&breaker);
    cr_expect(eq(int, failures_after_a_look(), 0));
    breaker_fail(&breaker);
    cr_expect(not(breaker_is_open(&breaker)));
}
