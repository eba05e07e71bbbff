#include "fcgi-app/events/pace.h"

size_t pace_slice(size_t count)
{
    const size_t steps = PACE_SPREAD_MS / PACE_STEP_MS;
    size_t slice = (count + steps - 1) / steps;
    if (count <= PACE_AT_ONCE)
        return PACE_AT_ONCE;
    if (slice < PACE_SLICE_MIN)
        return PACE_SLICE_MIN;
    return slice < PACE_SLICE_MAX ? slice : PACE_SLICE_MAX;
}

void pace_begin(struct pace *p, size_t count, int64_t now_ms)
{
    *p = (struct pace){pace_slice(count), now_ms - PACE_STEP_MS};
}

size_t pace_due(struct pace *p, int64_t now_ms)
{
    int64_t steps = (now_ms - p->taken_ms) / PACE_STEP_MS;
    if (steps <= 0)
        return 0;
    if (steps <= PACE_BEHIND) {
        p->taken_ms += steps * PACE_STEP_MS;
    } else {
        steps = PACE_BEHIND;
        p->taken_ms = now_ms;
    }
    return (size_t)steps * p->slice;
}

int64_t pace_next_ms(const struct pace *p)
{
    return p->taken_ms + PACE_STEP_MS;
}
