/*
 * pace: how fast many are told the same: a few at once, thousands in small slices over most of a second.  Pure.
 *
 *     30 listeners   |##############################|
 *     2,000          |#####  #####  #####  #####  #####  ...  #####|      5 every PACE_STEP_MS, the last ones after 0.8 s
 *
 * What a listener costs is for the most part the web server's: some 30 us, in which it takes no upload.  So an upload waits for
 * a slice at most, never for all of them.
 *
 * Guarantees:
 *   - Up to PACE_AT_ONCE are due with the first step.
 *   - Else no more than a slice is due in each step, and all of them within PACE_SPREAD_MS, if there are no more than
 *     PACE_SLICE_MAX * PACE_SPREAD_MS / PACE_STEP_MS (7,200); more of them take longer.
 *   - Who was kept from calling for some steps has theirs, too, but never more than PACE_BEHIND slices at a time: the rest
 *     comes later, at the same pace, and is not caught up with in a burst.  On a machine that lets a thread wait for more than
 *     PACE_BEHIND * PACE_STEP_MS again and again it takes longer than PACE_SPREAD_MS.
 */
#ifndef HOIST_FCGI_PACE_H
#define HOIST_FCGI_PACE_H

#include <stddef.h>
#include <stdint.h>

enum {
    PACE_AT_ONCE = 32,
    PACE_STEP_MS = 2,
    PACE_SPREAD_MS = 900,
    PACE_SLICE_MIN = 4,
    PACE_SLICE_MAX = 16,
    PACE_BEHIND = 16
};

struct pace {
    size_t slice;
    int64_t taken_ms; /* the steps until then have been taken */
};

/* How many of so many are told in one step. */
size_t pace_slice(size_t count);

/* So many are to be told, from now on. */
void pace_begin(struct pace *p, size_t count, int64_t now_ms);
/* How many of them are due now; they are told then, and not due again. */
size_t pace_due(struct pace *p, int64_t now_ms);
/* When the next ones are. */
int64_t pace_next_ms(const struct pace *p);

#endif
