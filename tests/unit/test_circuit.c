/*
 * circuit: when it opens, for how long, who probes, what closes it.
 */
#include "worker/flow/circuit.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(circuit, .timeout = 60);

enum { MAX_MS = 60000 };

static struct circuit fresh(unsigned failures)
{
    struct circuit c;

    circuit_init(&c, failures, MAX_MS);
    return c;
}

static bool fail(struct circuit *c, int64_t now)
{
    return circuit_fail(c, CIRCUIT_BROKEN, now, now, 0);
}

static int state(const struct circuit *c, int64_t now)
{
    return (int)circuit_state(c, now);
}

/* Open at `now`, without jitter. */
static struct circuit open_at(int64_t now)
{
    struct circuit c = fresh(3);

    cr_assert(not(fail(&c, now)));
    cr_assert(not(fail(&c, now)));
    cr_assert(fail(&c, now));
    return c;
}

Test(circuit, opens_after_failures_in_a_row)
{
    struct circuit c = fresh(3);

    cr_expect(not(fail(&c, 1)));
    cr_expect(not(fail(&c, 2)));
    cr_expect(not(circuit_success(&c, 3, 3)), "which ends the row");
    cr_expect(not(fail(&c, 4)));
    cr_expect(not(circuit_fail(&c, CIRCUIT_THROTTLED, 5, 5, 0)));
    cr_expect(eq(int, state(&c, 5), CIRCUIT_CLOSED));
    cr_expect(fail(&c, 6));
    cr_expect(eq(int, state(&c, 6), CIRCUIT_OPEN));
    cr_expect(eq(i64, circuit_wait_ms(&c, 6), CIRCUIT_DELAY_MS));
}

Test(circuit, opens_when_half_of_a_window_failed)
{
    struct circuit c = fresh(1000);
    bool opened = false;

    for (int64_t t = 0; t < CIRCUIT_WINDOW_MIN / 2; t++) {
        cr_assert(not(opened));
        (void)circuit_success(&c, t, t);
        opened = fail(&c, t);
    }
    cr_expect(opened);

    c = fresh(1000);
    for (int64_t t = 0; t < CIRCUIT_WINDOW_MIN; t++) {
        (void)circuit_success(&c, t, t);
        (void)circuit_success(&c, t, t);
        cr_expect(not(fail(&c, t)), "a third is not enough");
    }

    c = fresh(1000);
    for (int64_t t = 0; t < 10 * CIRCUIT_WINDOW_MIN; t++) {
        (void)circuit_success(&c, t, t);
        cr_expect(not(circuit_fail(&c, CIRCUIT_THROTTLED, t, t, 0)),
                  "nor are throttled ones");
    }

    c = fresh(1000);
    for (int64_t t = 0; t < CIRCUIT_WINDOW_MIN - 1; t++)
        cr_expect(not(fail(&c, t * CIRCUIT_WINDOW_MS / 10)), "nor old ones");
}

Test(circuit, zero_failures_is_never)
{
    struct circuit c = fresh(0);

    for (int64_t t = 0; t < 1000; t++)
        cr_expect(not(fail(&c, t)));
    cr_expect(eq(int, state(&c, 1000), CIRCUIT_CLOSED));
}

Test(circuit, one_job_probes_when_the_delay_is_over)
{
    struct circuit c = open_at(100);

    cr_expect(not(circuit_begin_probe(&c, 1099)));
    cr_expect(eq(int, state(&c, 1100), CIRCUIT_HALF_OPEN));
    cr_expect(circuit_begin_probe(&c, 1100));
    cr_expect(not(circuit_begin_probe(&c, 1100)), "one at a time");
    circuit_end_probe(&c);
    cr_expect(circuit_begin_probe(&c, 1200), "it had said nothing");
    cr_expect(circuit_success(&c, 1200, 1300));
    circuit_end_probe(&c);
    cr_expect(eq(int, state(&c, 1300), CIRCUIT_CLOSED));
    cr_expect(not(circuit_success(&c, 1300, 1301)), "it was closed before");
    cr_expect(not(circuit_begin_probe(&c, 1400)));
}

Test(circuit, the_delay_doubles_up_to_its_maximum)
{
    static const int64_t want[] = {2000, 4000, 8000, 16000, 32000, 60000, 60000};
    struct circuit c = open_at(0);
    int64_t now = 0;

    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        now += circuit_wait_ms(&c, now);
        cr_assert(circuit_begin_probe(&c, now));
        cr_assert(fail(&c, now));
        circuit_end_probe(&c);
        cr_expect(eq(i64, circuit_wait_ms(&c, now), want[i]), "%zu", i);
    }
    now += circuit_wait_ms(&c, now);
    cr_assert(circuit_success(&c, now, now));
    now += MAX_MS;
    for (int i = 0; i < 3; i++)
        (void)fail(&c, now);
    cr_expect(eq(i64, circuit_wait_ms(&c, now), CIRCUIT_DELAY_MS), "from the start");
}

Test(circuit, doubling_goes_on_when_it_opens_again_soon)
{
    struct circuit c = open_at(0);

    cr_assert(circuit_success(&c, 1000, 1000));
    for (int i = 0; i < 3; i++)
        (void)fail(&c, 1500);
    cr_expect(eq(i64, circuit_wait_ms(&c, 1500), 2000));
}

Test(circuit, requests_of_the_time_before_count_for_nothing)
{
    struct circuit c = open_at(100);

    cr_expect(not(circuit_fail(&c, CIRCUIT_BROKEN, 50, 200, 0)));
    cr_expect(eq(i64, circuit_wait_ms(&c, 200), 900), "neither longer");
    cr_expect(not(circuit_success(&c, 50, 300)));
    cr_expect(eq(int, state(&c, 300), CIRCUIT_OPEN), "nor over");
    cr_assert(circuit_begin_probe(&c, 1100));
    cr_expect(not(circuit_fail(&c, CIRCUIT_BROKEN, 99, 1200, 0)));
    cr_expect(eq(int, state(&c, 1200), CIRCUIT_HALF_OPEN));
}

/* A law: the wait is the delay less at most a quarter, and in no step with that of others. */
Test(circuit, jitter_takes_up_to_a_quarter)
{
    int64_t least = CIRCUIT_DELAY_MS, most = 0;

    for (uint64_t random = 0; random < 1000; random++) {
        struct circuit c = fresh(1);
        cr_assert(circuit_fail(&c, CIRCUIT_BROKEN, 1, 1, random * 2654435761u));
        int64_t wait = circuit_wait_ms(&c, 1);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    cr_expect(ge(i64, least, CIRCUIT_DELAY_MS * 3 / 4));
    cr_expect(lt(i64, least, CIRCUIT_DELAY_MS * 8 / 10));
    cr_expect(le(i64, most, CIRCUIT_DELAY_MS));
    cr_expect(gt(i64, most, CIRCUIT_DELAY_MS * 95 / 100));
}
