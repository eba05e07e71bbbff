#include "worker/flow/aimd.h"

#include <assert.h>

void aimd_init(struct aimd *a, unsigned ceiling)
{
    assert(ceiling > 0);
    *a = (struct aimd){.limit = AIMD_START, .halved_ms = INT64_MIN};
    aimd_set_ceiling(a, ceiling);
}

void aimd_set_ceiling(struct aimd *a, unsigned ceiling)
{
    a->ceiling = ceiling;
    if (a->limit > ceiling)
        a->limit = ceiling;
}

void aimd_success(struct aimd *a, bool held_back)
{
    if (!held_back || a->limit >= a->ceiling)
        return;
    a->successes++;
    if (a->throttled && a->successes < a->limit)
        return;
    a->successes = 0;
    a->limit++;
}

bool aimd_throttled(struct aimd *a, int64_t began_ms, int64_t now_ms)
{
    bool first = a->halved_ms == INT64_MIN;

    if (!first && (began_ms < a->halved_ms || now_ms - a->halved_ms < AIMD_HALVE_MS))
        return false;
    a->throttled = true;
    a->halved_ms = now_ms;
    a->successes = 0;
    a->limit = a->limit > 1 ? a->limit / 2 : 1;
    return true;
}
