#include "worker/metrics/metrics_text.h"

#define COUNTER EXPOSITION_COUNTER
#define GAUGE EXPOSITION_GAUGE
#define LABELS EXPOSITION_LABELS

/* --- Uploads --- */

/* "several" and "other" appear with their first job. */
static const char *name_of(const struct metrics_look *l, size_t i)
{
    const struct tally_destination *d = &l->tally->destinations[i];
    if (i < l->config->destination_count)
        return l->config->destinations[i].name;
    for (size_t k = 0; k < TALLY_RESULTS; k++)
        if (d->results[k] > 0)
            return i == TALLY_SEVERAL ? "several" : "other";
    return NULL;
}

static void write_histograms(const struct metrics_look *l, struct exposition *x,
                             bool bytes)
{
    for (size_t i = 0; i < TALLY_DESTINATIONS; i++) {
        const struct tally_destination *d = &l->tally->destinations[i];
        struct histogram_sum sum = {.sum = 0};
        const char *name = name_of(l, i);
        if (!name)
            continue;
        histogram_read(bytes ? &d->bytes : &d->ms, &sum);
        exposition_histogram(x, LABELS({"destination", name}),
                             bytes ? &histogram_bytes : &histogram_upload_ms, &sum);
    }
}

static void write_uploads(const struct metrics_look *l, struct exposition *x)
{
    static const char *const results[TALLY_RESULTS] = {"done", "failed", "dead",
                                                       "cancelled", "released"};
    exposition_begin(x, COUNTER, "hoist_uploads_total",
                     "Jobs this worker had, by destination and how they ended; failed "
                     "ones run again, released ones were given back.");
    for (size_t i = 0; i < TALLY_DESTINATIONS; i++) {
        const char *name = name_of(l, i);
        for (size_t k = 0; name && k < TALLY_RESULTS; k++)
            exposition_int(x, LABELS({"destination", name}, {"result", results[k]}),
                           l->tally->destinations[i].results[k]);
    }
    exposition_begin(x, EXPOSITION_HISTOGRAM, "hoist_upload_duration_seconds",
                     "Uploads that worked, from their begin to the store's answer.");
    write_histograms(l, x, false);
    exposition_begin(x, EXPOSITION_HISTOGRAM, "hoist_upload_size_bytes",
                     "Uploads that worked: bytes sent.");
    write_histograms(l, x, true);
}

/* --- Destinations --- */

static void write_gates(const struct metrics_look *l, struct exposition *x)
{
    static const char *const gates[] = {"runs", "probes", "rests"};
    exposition_begin(x, GAUGE, "hoist_destination_state",
                     "1 for how the destination is: it runs, one job probes whether it "
                     "is back, or it rests.");
    for (size_t i = 0; i < l->config->destination_count; i++)
        for (size_t k = 0; k < sizeof gates / sizeof gates[0]; k++)
            exposition_int(x,
                           LABELS({"destination", l->config->destinations[i].name},
                                  {"state", gates[k]}),
                           k == (l->flows[i].is_there ? l->flows[i].gate : FLOW_RUNS));
}

static void write_flows(const struct metrics_look *l, struct exposition *x)
{
    const struct config_destination *d = l->config->destinations;
    write_gates(l, x);
    exposition_begin(x, GAUGE, "hoist_destination_requests",
                     "Requests to the destination's endpoint, under way and waiting "
                     "for their turn.");
    for (size_t i = 0; i < l->config->destination_count; i++) {
        const struct flow_figures *f = &l->flows[i].requests;
        if (!l->flows[i].is_there)
            continue;
        exposition_int(x, LABELS({"destination", d[i].name}, {"state", "under_way"}),
                       (int64_t)f->under_way);
        exposition_int(x, LABELS({"destination", d[i].name}, {"state", "waiting"}),
                       (int64_t)f->waiting);
    }
    exposition_begin(
        x, GAUGE, "hoist_destination_requests_limit",
        "The most that may be under way now; it falls when the store wants "
        "fewer.");
    for (size_t i = 0; i < l->config->destination_count; i++)
        if (l->flows[i].is_there)
            exposition_int(x, LABELS({"destination", d[i].name}),
                           (int64_t)l->flows[i].requests.limit);
}

/* --- The rest --- */

static void write_worker(const struct metrics_look *l, struct exposition *x)
{
    exposition_one(x, GAUGE, "hoist_worker_alive",
                   "1 while a claim or a wait for work has succeeded lately.",
                   l->is_alive);
    exposition_one(x, GAUGE, "hoist_worker_draining",
                   "1 once it was told to stop and begins no more.", l->drains);
    exposition_one(x, GAUGE, "hoist_worker_quiet",
                   "1 while it was told to begin no more, and goes on.", l->quiet);
    exposition_one(x, GAUGE, "hoist_worker_slots",
                   "Jobs it may have at a time ([worker] concurrency).", l->slots);
    exposition_one(x, GAUGE, "hoist_worker_slots_busy", "Jobs it has.", l->busy);
    exposition_one(x, COUNTER, "hoist_leases_lost_total",
                   "Jobs it had that another worker took over.", l->tally->leases_lost);
    exposition_one(x, COUNTER, "hoist_leases_late_total",
                   "Uploads it stopped because their lease could not be renewed.",
                   l->tally->leases_late);
    exposition_one(x, COUNTER, "hoist_leases_reaped_total",
                   "Leases of workers that died that it has taken back.",
                   l->tally->leases_reaped);
}

static void write_redis(const struct metrics_look *l, struct exposition *x)
{
    struct histogram_sum sum = {.sum = 0};
    histogram_read(l->redis_us, &sum);
    exposition_one(x, GAUGE, "hoist_redis_up", "1 while Redis answers.", l->redis_up);
    exposition_begin(x, EXPOSITION_HISTOGRAM, "hoist_redis_round_trip_seconds",
                     "From a command to its reply.");
    exposition_histogram(x, NULL, &histogram_redis_us, &sum);
    exposition_one(x, GAUGE, "hoist_redis_pending_commands",
                   "Commands that Redis has not answered yet.", l->redis_pending);
}

static void write_reconcile(const struct metrics_look *l, struct exposition *x)
{
    const struct tally *t = l->tally;
    exposition_begin(x, COUNTER, "hoist_reconcile_passes_total",
                     "Comparisons of the spool with Redis.");
    exposition_int(x, LABELS({"result", "done"}), t->passes_done);
    exposition_int(x, LABELS({"result", "failed"}), t->passes_failed);
    exposition_begin(
        x, COUNTER, "hoist_reconcile_repairs_total",
        "What they repaired: jobs that Redis did not know, enqueued; files "
        "of ended jobs, removed; debris, swept.");
    exposition_int(x, LABELS({"repair", "enqueued"}), (int64_t)t->repairs.enqueued);
    exposition_int(x, LABELS({"repair", "removed"}), (int64_t)t->repairs.removed);
    exposition_int(x, LABELS({"repair", "swept"}), (int64_t)t->repairs.swept);
    exposition_begin(x, GAUGE, "hoist_reconcile_problems",
                     "What the latest pass could not repair: damaged ones are left to "
                     "people, failed ones are tried again.");
    exposition_int(x, LABELS({"problem", "damaged"}), (int64_t)t->latest.damaged);
    exposition_int(x, LABELS({"problem", "failed"}), (int64_t)t->latest.failed);
    exposition_one(x, GAUGE, "hoist_reconcile_spool_jobs",
                   "Jobs that the latest pass met in the spool.",
                   (int64_t)t->latest.scanned);
    exposition_begin(
        x, GAUGE, "hoist_reconcile_last_pass_timestamp_seconds",
        "When the latest pass ended that was not broken off, Unix time; 0: "
        "none yet.");
    exposition_ratio(x, NULL, t->pass_ms, 1000);
}

void metrics_text_write(const struct metrics_look *l, struct exposition *x)
{
    write_worker(l, x);
    write_uploads(l, x);
    write_flows(l, x);
    write_redis(l, x);
    write_reconcile(l, x);
}
