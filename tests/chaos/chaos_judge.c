#include "tests/chaos/chaos.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Debris of a writer that was killed is swept after two minutes. */
enum { TMP_AGE_MS = 130000 };

bool chaos_judge(struct run *r)
{
    const char *logs[] = {strdup(system_path(&r->system, "log")), NULL};
    static const char *const secrets[] = {SYSTEM_SECRET, NULL};
    const struct options *o = r->options;
    struct ledger_record record = LEDGER_RECORD_INIT;
    struct check_result result;
    struct store_changes changes = {0};
    struct store_puts puts = {0};
    struct watch_counts watched = watch_counts(r->watch);
    struct poller_counts polled = poller_counts(r->poller);
    struct err e = ERR_INIT;
    char spool[256], path[256];

    (void)snprintf(path, sizeof path, "%s", system_path(&r->system, "ledger/ledger"));
    chaos_must(ledger_read(path, &record, &e), &e, "ledger");
    if (r->index) {
        chaos_must(store_index_update(r->index, &r->store, &e), &e, "store");
        changes = store_index_changes(r->index);
    } else {
        (void)snprintf(path, sizeof path, "%s",
                       system_path(&r->system, "log/store-access.log"));
        chaos_must(store_read_access_log(path, &puts, &e), &e, "store");
    }
    (void)snprintf(spool, sizeof spool, "%s", system_path(&r->system, "disk/spool"));
    struct check_options c = {
        .ledger = &record,
        .store = &r->store,
        .spool_dir = spool,
        .redis_url = r->redis_url,
        .queues = chaos_queues,
        .changes = r->index ? &changes : NULL,
        .puts = r->index ? NULL : &puts,
        .watched = &watched,
        .polled = &polled,
        .before = r->before,
        .after = r->after,
        .process_count = r->sampled,
        .slack = {.descriptors = 72, /* connections to the store, kept */
                  .threads = 8,
                  .rss_kib = 65536,
                  .rss_percent = 100},
        .logs = logs,
        .secrets = secrets,
        .cores = r->system.dir.path,
        .crashes = (int64_t)r->system.note_count,
        .crash = r->system.notes[0],
        .tmp_age_ms = TMP_AGE_MS,
        .may_replace = o->store == OPTIONS_SINK,
        .kills = r->system.kills};
    chaos_must(check_run(&c, &result, &e), &e, "check");
    check_print(stdout, &result);
    ledger_record_release(&record);
    free((void *)(uintptr_t)logs[0]);
    return check_passed(&result);
}

/* Why the run has failed; always false. */
__attribute__((format(printf, 1, 2))) static bool said(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("FAILED: ", stdout);
    (void)vprintf(format, args);
    (void)putchar('\n');
    va_end(args);
    return false;
}

bool chaos_print_summary(struct run *r, double seconds)
{
    struct clients_counts c = clients_counts(r->clients);
    struct latency_summary l =
        latency_between(clients_latency(r->clients), 0, INT64_MAX);

    faults_print(r->faults, stdout);
    printf("202s: p50 %.1f ms, p99 %.1f ms, the slowest %.0f ms; %" PRId64
           " refused (%" PRId64 " busy, %" PRId64 " other 5xx)\n",
           (double)l.p50_us / 1000, (double)l.p99_us / 1000, (double)l.max_us / 1000,
           c.refused, c.busy, c.errors);
    printf("%u kills, %" PRId64 " faults, seed %" PRIu64
           ", %.0f s, store %s, %d workers",
           r->system.kills, faults_begun(r->faults), r->options->seed, seconds,
           options_store_name(r->options->store), r->options->workers);
    printf("; %u ends with an error status\n", r->system.gave_up);
    bool good = true;
    if (c.wrong + c.cut_accepted > 0)
        good = said("%" PRId64 " answers were wrong, %" PRId64
                    " broken uploads were accepted: %s",
                    c.wrong, c.cut_accepted, c.example);
    if (r->options->spotless && c.refused + c.unknown + c.connects_failed > 0)
        good = said("%" PRId64 " uploads refused, %" PRId64
                    " without an answer, %" PRId64 " connections failed",
                    c.refused, c.unknown, c.connects_failed);
    if (!r->reached)
        good = said("the run did not reach what was asked for");
    if (!r->quiet)
        good = said("not all jobs have ended in time");
    return good;
}
