/* The list of faults: the same seed, the same list; nothing begins in the calm; as many as asked for. */
#include "tests/chaos/schedule.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static const struct schedule_kind kinds[] = {
    {.weight = 3, .targets = 1},
    {.weight = 0, .targets = 1, .least_ms = 1, .most_ms = 2},
    {.weight = 1, .targets = 4, .least_ms = 100, .most_ms = 200},
};

enum { KINDS = sizeof kinds / sizeof kinds[0], EVENTS = 4000 };

static struct schedule begin(uint64_t seed)
{
    struct schedule s;

    schedule_init(&s, seed, 4, kinds, KINDS);
    return s;
}

TestSuite(schedule, .timeout = 60);

Test(schedule, a_seed_always_gives_the_same_list)
{
    struct schedule a = begin(7), b = begin(7);

    for (int i = 0; i < EVENTS; i++) {
        struct schedule_event x = schedule_next(&a), y = schedule_next(&b);
        cr_assert(x.at_ms == y.at_ms && x.kind == y.kind && x.target == y.target &&
                  x.lasts_ms == y.lasts_ms && x.dice == y.dice);
    }
}

/* What its authors give as the first numbers of splitmix64 from this seed. */
Test(schedule, numbers_are_those_of_splitmix64_on_any_machine)
{
    uint64_t state = 1234567;

    cr_expect(eq(u64, schedule_draw(&state), UINT64_C(6457827717110365317)));
    cr_expect(eq(u64, schedule_draw(&state), UINT64_C(3203168211198807973)));
    cr_expect(eq(u64, schedule_draw(&state), UINT64_C(9817491932198370423)));
}

Test(schedule, another_seed_gives_another_list)
{
    struct schedule a = begin(7), b = begin(8);
    int same = 0;

    for (int i = 0; i < EVENTS; i++)
        same += schedule_next(&a).dice == schedule_next(&b).dice;
    cr_expect(eq(int, same, 0));
}

Test(schedule, faults_begin_in_the_storm_alone_and_in_order)
{
    struct schedule s = begin(1);
    int64_t last_ms = 0;

    for (int i = 0; i < EVENTS; i++) {
        struct schedule_event e = schedule_next(&s);
        cr_assert(e.at_ms >= last_ms);
        last_ms = e.at_ms;
        /* The first one after a calm comes at its very end. */
        cr_assert(e.at_ms % (SCHEDULE_STORM_MS + SCHEDULE_CALM_MS) < SCHEDULE_STORM_MS);
    }
}

Test(schedule, as_many_as_the_rate_says_and_as_the_weights_say)
{
    struct schedule s = begin(2);
    int of_kind[KINDS] = {0};
    struct schedule_event e;

    for (int i = 0; i < EVENTS; i++) {
        e = schedule_next(&s);
        of_kind[e.kind]++;
        cr_assert(e.target < kinds[e.kind].targets);
        cr_assert(e.lasts_ms >= kinds[e.kind].least_ms &&
                  e.lasts_ms <= kinds[e.kind].most_ms);
    }
    cr_expect(of_kind[1] == 0);
    cr_expect(of_kind[0] > 2 * of_kind[2] && of_kind[0] < 4 * of_kind[2]);
    /* Four a second, four fifths of the time. */
    double a_second = EVENTS / ((double)e.at_ms / 1000);
    cr_expect(a_second > 2.9 && a_second < 3.5, "%f", a_second);
}
