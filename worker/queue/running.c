#include "worker/queue/running.h"

#include <string.h>

#include "shared/clock.h"
#include "shared/worker_jobs.h"

/* Put t in its place among the longest-running ones, if it is one of them. */
static void insert(struct transfer *t, struct transfer **found, size_t *count)
{
    size_t i = *count;

    if (i == WORKER_JOBS_MAX && found[i - 1]->began_ms <= t->began_ms)
        return;
    if (i < WORKER_JOBS_MAX)
        ++*count;
    else
        i--;
    for (; i > 0 && found[i - 1]->began_ms > t->began_ms; i--)
        found[i] = found[i - 1];
    found[i] = t;
}

static void describe(struct transfer *t, struct buf *b)
{
    struct destination_progress p = transfer_progress(t);
    int64_t now_ms = clock_mono_ms();
    struct worker_job j;

    progress_meter_look(&t->meter, p.sent, now_ms);
    worker_job_describe(&t->job, &j);
    const char *phase = destination_phase_name(p.phase);
    if (phase)
        (void)memccpy(j.phase, phase, '\0', sizeof j.phase - 1);
    j.sent = p.sent;
    j.rate = t->meter.rate;
    j.parts = p.parts;
    j.parts_done = p.parts_done;
    j.started = clock_wall_ms() - (now_ms - t->began_ms);
    worker_jobs_add(b, &j);
}

void running_describe(struct transfers *s, struct buf *b)
{
    struct transfer *found[WORKER_JOBS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < s->capacity; i++)
        if (s->slots[i] && s->slots[i]->state == TRANSFER_RUNNING)
            insert(s->slots[i], found, &count);
    for (size_t i = 0; i < count; i++)
        describe(found[i], b);
}
