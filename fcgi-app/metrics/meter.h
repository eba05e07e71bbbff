/*
 * meter: what one handler thread has answered: how often, how fast, by route and by class of status.
 *
 *     handler thread --meter_note, 20 ns--> its own counters --meter_read, any thread, any time--> the sum over all
 *
 * Each thread has a meter of its own, which it alone writes: no lock, no locked instruction, no cache line that two threads
 * write.  A reader may see a request in one of its counters and not yet in another; the next look has it in all.
 *
 * A route is its place in handlers_routes; METER_OTHER stands for what met none (404, 405, OPTIONS, refused before).
 */
#ifndef HOIST_FCGI_METER_H
#define HOIST_FCGI_METER_H

#include "shared/histogram.h"

#include <stddef.h>
#include <stdint.h>

enum {
    METER_ROUTES_MAX = 63,
    METER_OTHER = METER_ROUTES_MAX,
    METER_ROUTES,     /* with that one */
    METER_CLASSES = 4 /* 2xx, 3xx, 4xx, 5xx */
};

struct meter { /* all zero: nothing yet */
    struct histogram latency_us[METER_ROUTES];
    _Atomic uint64_t classes[METER_ROUTES][METER_CLASSES];
    _Atomic uint64_t parked; /* answered elsewhere, later (listeners.h) */
};

struct meter_sum { /* all zero: nothing yet */
    struct histogram_sum latency_us[METER_ROUTES];
    uint64_t classes[METER_ROUTES][METER_CLASSES];
    uint64_t parked;
};

/* A request was answered with this status, us after it had been read.  The meter's thread. */
void meter_note(struct meter *m, size_t route, int status, int64_t us);
/* One was parked.  The same thread. */
void meter_note_parked(struct meter *m);
/* Add what m counts to *to. */
void meter_read(const struct meter *m, struct meter_sum *to);

#endif
