/*
 * schedule: which fault, of whom, when and for how long; all of it from one seed.
 *
 *     |------------- storm ------------|-- calm --|------------- storm ------------|-- calm --| ...
 *      x  x x    x x x   x  x  x xx  x             x x  x
 *
 * A list without an end, asked for one by one: the same seed, rate, faults and targets give the same list, on any machine
 * and at whatever speed the run goes.  Faults last into the calm, none begins there.  Pure.
 */
#ifndef HOIST_TESTS_CHAOS_SCHEDULE_H
#define HOIST_TESTS_CHAOS_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

enum { SCHEDULE_STORM_MS = 12000, SCHEDULE_CALM_MS = 3000, SCHEDULE_KINDS_MAX = 64 };

/* A fault that can be drawn. */
struct schedule_kind {
    unsigned weight;       /* 0: never */
    unsigned targets;      /* it is drawn from so many */
    int least_ms, most_ms; /* how long it lasts; 0: an instant */
};

struct schedule {
    uint64_t state;
    double rate; /* a second, in the storm */
    int64_t at_ms;
    const struct schedule_kind *kinds; /* count of them, the caller's */
    size_t count;
};

struct schedule_event {
    int64_t at_ms; /* since the start */
    size_t kind;   /* index into kinds */
    unsigned target;
    int lasts_ms;
    uint64_t dice; /* for what else the fault has to choose */
};

/* The next number of a stream that begins with *state (splitmix64). */
uint64_t schedule_draw(uint64_t *state);

void schedule_init(struct schedule *s, uint64_t seed, double rate,
                   const struct schedule_kind *kinds, size_t count);
/* At least one kind must have a weight. */
struct schedule_event schedule_next(struct schedule *s);

#endif
