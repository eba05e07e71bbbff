#include "tests/chaos/schedule.h"

#include <assert.h>

uint64_t schedule_draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint64_t below(struct schedule *s, uint64_t n)
{
    return n ? schedule_draw(&s->state) % n : 0;
}

void schedule_init(struct schedule *s, uint64_t seed, double rate,
                   const struct schedule_kind *kinds, size_t count)
{
    *s = (struct schedule){.state = seed, .rate = rate, .kinds = kinds, .count = count};
}

static size_t draw_kind(struct schedule *s)
{
    uint64_t total = 0, point;
    size_t i = 0;

    for (size_t k = 0; k < s->count; k++)
        total += s->kinds[k].weight;
    assert(total > 0);
    for (point = below(s, total); point >= s->kinds[i].weight; i++)
        point -= s->kinds[i].weight;
    return i;
}

struct schedule_event schedule_next(struct schedule *s)
{
    /* Evenly from nothing to twice the mean: neither a rhythm nor long waits. */
    s->at_ms += (int64_t)below(s, (uint64_t)(2000 / s->rate) + 1);
    int64_t into = s->at_ms % (SCHEDULE_STORM_MS + SCHEDULE_CALM_MS);
    if (into >= SCHEDULE_STORM_MS)
        s->at_ms += SCHEDULE_STORM_MS + SCHEDULE_CALM_MS - into;

    struct schedule_event e = {.at_ms = s->at_ms, .kind = draw_kind(s)};
    const struct schedule_kind *k = &s->kinds[e.kind];
    e.target = (unsigned)below(s, k->targets);
    e.lasts_ms = k->least_ms + (int)below(s, (uint64_t)(k->most_ms - k->least_ms) + 1);
    e.dice = schedule_draw(&s->state);
    return e;
}
