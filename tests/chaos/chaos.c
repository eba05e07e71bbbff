/*
 * chaos: one run, from start to verdict.  README.md says what it proves, options.c what can be said to it.
 *
 *     up -> warm-up -> storm: clients upload, faults come and go -> calm: healed, until all has ended -> verdict
 */
#include "tests/chaos/chaos.h"
#include "tests/chaos/place.h"
#include "tests/support/wait_until.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    PROGRESS_MS = 5000,
    UP_MS = 500,
    SETTLE_MS = 30000, /* and three leases, counted from the last job that ended */
    STILL_MS =
        20000 /* files of jobs that are done stay for 15 s when their worker has died */
};

static volatile sig_atomic_t stopped; /* SIGINT, SIGTERM: verdict now */

static void on_signal(int signal)
{
    (void)signal;
    stopped = 1;
}

/* --- The storm --- */

static size_t count_files(const char *path)
{
    DIR *d = opendir(path);
    size_t n = 0;

    for (struct dirent *entry; d && (entry = readdir(d));)
        n += entry->d_name[0] != '.';
    if (d)
        (void)closedir(d);
    return n;
}

static void show_progress(struct run *r, const char *phase)
{
    struct clients_counts c = clients_counts(r->clients);

    if (wait_now_ms() - r->progress_ms < PROGRESS_MS)
        return;
    r->progress_ms = wait_now_ms();
    fprintf(stderr,
            "chaos: %s, %" PRId64 " s: %" PRId64 " accepted, %" PRId64
            " refused, %" PRId64 " unknown, %zu files in the spool, %u kills, %" PRId64
            " faults\n",
            phase, (r->progress_ms - r->began_ms) / 1000, c.accepted, c.refused,
            c.unknown, count_files(system_path(&r->system, "disk/spool/jobs")),
            r->system.kills, faults_begun(r->faults));
}

/* Look for objects that were replaced, a tenth of the time at most. */
static void look_at_store(struct run *r)
{
    int64_t now_ms = wait_now_ms();
    struct err e = ERR_INIT;

    if (!r->index || now_ms - r->looked_ms < 500 + 10 * r->look_took_ms)
        return;
    chaos_must(store_index_update(r->index, &r->store, &e), &e, "store");
    r->looked_ms = wait_now_ms();
    r->look_took_ms = r->looked_ms - now_ms;
}

static void look(struct run *r, const char *phase)
{
    struct err e = ERR_INIT;

    system_tick(&r->system);
    look_at_store(r);
    show_progress(r, phase);
    chaos_must(clients_error(r->clients, &e), &e, "clients");
}

static bool is_reached(struct run *r, int64_t now_ms)
{
    const struct options *o = r->options;

    return now_ms >= (int64_t)o->seconds * 1000 &&
           r->system.kills >= (unsigned)o->kills &&
           clients_counts(r->clients).accepted >= o->jobs;
}

static void storm(struct run *r)
{
    int64_t now_ms = 0;

    r->began_ms = wait_now_ms();
    while (!stopped && now_ms < (int64_t)r->options->limit_seconds * 1000 &&
           !(r->reached = is_reached(r, now_ms))) {
        faults_tick(r->faults, now_ms, true);
        look(r, "storm");
        wait_a_moment();
        now_ms = wait_now_ms() - r->began_ms;
    }
}

/* --- The calm --- */

/* Until nothing is left, or nothing moves any more. */
static void calm(struct run *r)
{
    int64_t limit_ms = SETTLE_MS + 3 * r->options->lease_ms;
    int64_t moved_ms = wait_now_ms(), quiet_ms = 0;
    size_t left = SIZE_MAX;
    char text[256] = "";

    while (wait_now_ms() - moved_ms < limit_ms && !r->quiet) {
        size_t files = count_files(system_path(&r->system, "disk/spool/jobs"));
        if (files < left) {
            left = files;
            moved_ms = wait_now_ms();
        }
        if (!check_is_quiet(r->redis_url, chaos_queues, text, sizeof text))
            quiet_ms = 0;
        else if (quiet_ms == 0)
            quiet_ms = wait_now_ms();
        r->quiet = quiet_ms && (files == 0 || wait_now_ms() - quiet_ms > STILL_MS);
        for (int i = 0; i < 20; i++) {
            look(r, "calm");
            wait_a_moment();
        }
    }
    if (!r->quiet)
        fprintf(stderr, "chaos: not all has ended: %s\n", text);
}

/* All programs are up, and have been for a moment: what they hold can be looked at. */
static void await_all(struct run *r)
{
    int64_t now_ms = wait_now_ms(), end_ms = now_ms + SETTLE_MS, up_ms = now_ms;

    while (now_ms < end_ms && now_ms - up_ms < UP_MS) {
        look(r, "calm");
        wait_a_moment();
        now_ms = wait_now_ms();
        for (size_t i = 0; i < r->system.program_count; i++)
            if (!r->system.programs[i].spawn.pid || r->system.programs[i].asked)
                up_ms = now_ms;
    }
}

/* One comparison of spool and Redis by hand, when all workers have stopped. */
static void reconcile(struct run *r)
{
    char exe[512], conf[256], log[256];
    const char *const argv[] = {exe, "--config", conf, "--reconcile", NULL};
    struct spawn s;
    int status = -1;

    (void)snprintf(exe, sizeof exe, "%s/worker/hoist-worker", r->options->build);
    (void)snprintf(conf, sizeof conf, "%s/etc/responder.ini", r->system.dir.path);
    (void)snprintf(log, sizeof log, "%s/log/reconcile.log", r->system.dir.path);
    spawn_start(&s, &(struct spawn_options){.argv = argv, .log_path = log});
    if (!spawn_wait(&s, SETTLE_MS, &status) || status != 0) {
        spawn_show_log(&s);
        fprintf(stderr, "chaos: hoist-worker --reconcile failed\n");
        spawn_kill(&s);
    }
}

static int run(bool is_private, void *ctx)
{
    struct run *r = ctx;
    struct sigaction act = {.sa_handler = on_signal};

    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    chaos_begin(r, is_private);
    storm(r);
    double seconds = (double)(wait_now_ms() - r->began_ms) / 1000;
    clients_stop(r->clients);
    faults_heal(r->faults);
    calm(r);
    await_all(r);
    chaos_sample(r, r->after);
    poller_stop(r->poller);
    system_stop_ours(&r->system);
    reconcile(r);
    watch_stop(r->watch);
    bool passed = chaos_judge(r);
    passed = chaos_print_summary(r, seconds) && passed;
    system_stop(&r->system);
    poller_free(r->poller);
    watch_free(r->watch);
    clients_free(r->clients);
    ledger_close(r->ledger);
    store_index_free(r->index);
    faults_close(r->faults);
    bool keep = r->options->keep || !passed;
    if (keep)
        printf("all of it is in %s\n", r->system.dir.path);
    system_close(&r->system, keep);
    puts(passed ? "chaos: all promises were kept" : "chaos: FAILED");
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct run r;
    struct options o;
    int status;

    if (!options_parse(argc, argv, &o, &status))
        return status;
    if (o.plan) {
        faults_print_plan(&o, true, stdout);
        return EXIT_SUCCESS;
    }
    r.options = &o;
    /* Nothing goes on without who started it. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail with this signal */
    return place_run(run, &r);
}
