#include "worker/metrics/tally.h"

#include <string.h>

void tally_init(struct tally *t, const struct config *config)
{
    memset(t, 0, sizeof *t);
    t->config = config;
}

static struct tally_destination *find(struct tally *t, const char *to)
{
    const struct config_destination *d =
        to ? config_find_destination(t->config, to, strlen(to)) : NULL;

    if (d)
        return &t->destinations[d - t->config->destinations];
    return &t->destinations[to && strchr(to, ',') ? TALLY_SEVERAL : TALLY_OTHER];
}

void tally_end(struct tally *t, const char *to, enum tally_result result)
{
    if (t)
        find(t, to)->results[result]++;
}

void tally_upload(struct tally *t, const char *to, int64_t ms, int64_t bytes)
{
    if (!t)
        return;
    struct tally_destination *d = find(t, to);
    histogram_note(&d->ms, &histogram_upload_ms, ms);
    histogram_note(&d->bytes, &histogram_bytes, bytes);
}

void tally_lost(struct tally *t)
{
    if (t)
        t->leases_lost++;
}

void tally_late(struct tally *t)
{
    if (t)
        t->leases_late++;
}

void tally_reaped(struct tally *t)
{
    if (t)
        t->leases_reaped++;
}

void tally_pass(struct tally *t, bool is_done, const struct reconcile_stats *s,
                int64_t wall_ms)
{
    if (!t)
        return;
    t->repairs.enqueued += s->enqueued;
    t->repairs.removed += s->removed;
    t->repairs.swept += s->swept;
    t->repairs.keys += s->keys;
    if (!is_done) {
        t->passes_failed++;
        return;
    }
    t->passes_done++;
    t->latest = *s;
    t->pass_ms = wall_ms;
}
