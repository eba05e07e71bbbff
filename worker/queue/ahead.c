#include "worker/queue/ahead.h"

enum { WEIGHT = 8 };

void ahead_note(struct ahead *a, int64_t run_us)
{
    if (run_us < 0)
        run_us = 0;
    a->mean_us = a->samples == 0 ? run_us : a->mean_us + (run_us - a->mean_us) / WEIGHT;
    if (a->samples < AHEAD_SAMPLES)
        a->samples++;
}

void ahead_forget(struct ahead *a)
{
    *a = (struct ahead){.samples = 0};
}

size_t ahead_count(const struct ahead *a, size_t concurrency)
{
    return a->samples >= AHEAD_SAMPLES && a->mean_us < (int64_t)AHEAD_RUN_MS * 1000
               ? concurrency
               : 0;
}
