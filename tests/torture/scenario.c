#include "tests/torture/scenario.h"

#include "shared/reconcile.h"
#include "tests/support/wait_until.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum {
    START_MS = 10000,
    STALL_MS = 1500,
    STOP_MS = 10000,
    SETTLE_MS = 15000,
    DESCRIPTORS_MS = 3000,
    REPEATS = 200,
    DESCRIPTORS_MORE = 2 /* of a thread that was not needed before */
};

const char *const program_names[PROGRAMS] = {"fcgi", "worker", "worker-s3"};

bool verdict_is_bad(const struct verdict *v)
{
    return v->crashed || v->quit || v->hung || v->wrong || v->leaked;
}

static bool is_worker(const struct run *run)
{
    return run->program != PROGRAM_FCGI;
}

struct helper {
    const struct run_hooks *hooks;
    struct spawn *s;
    atomic_bool stop;
    pthread_t thread;
};

static void *help(void *arg)
{
    struct helper *h = arg;

    while (!atomic_load(&h->stop))
        h->hooks->meanwhile(h->s, h->hooks->ctx);
    return NULL;
}

/* Again and again; of a worker it is the short part, which leaves no directory behind. */
static void work_long(struct run *run, struct verdict *v, struct spawn *s)
{
    int64_t end_ms = wait_now_ms() + run->repeat_ms;

    for (int i = 0; spawn_is_running(s) && i < REPEATS; i++) {
        if (!is_worker(run))
            fcgi_work(run, v);
        else if (i == 0)
            worker_work(run, v, s);
        else if (!worker_recovers(run))
            v->hung++;
        if (wait_now_ms() >= end_ms || v->hung)
            return;
    }
}

static void work(struct run *run, struct verdict *v, struct spawn *s)
{
    static const struct run_hooks none = {NULL, NULL, NULL, NULL};
    struct helper h = {.hooks = run->hooks ? run->hooks : &none, .s = s};

    if (h.hooks->before)
        h.hooks->before(s, h.hooks->ctx);
    if (h.hooks->meanwhile && pthread_create(&h.thread, NULL, help, &h) != 0)
        abort();
    work_long(run, v, s);
    if (run->may_stall)
        v->hung = 0;
    atomic_store(&h.stop, true);
    if (h.hooks->meanwhile)
        (void)pthread_join(h.thread, NULL);
    atomic_store(&run->rig->control->armed, 0);
    if (h.hooks->after)
        h.hooks->after(s, h.hooks->ctx);
}

static void tell(const char *what)
{
    printf("  BROKEN: %s\n", what);
}

/*
 * Libraries that end the program themselves: what hoist can do about it is to lose nothing, which is looked at all the
 * same, and to be started again.
 *   libuv: without its pipe for signals, a thread for its pool or a watch (epoll_ctl) it aborts
 *   libcrypto, until a program is ready: without memory its own beginning may crash, and leaks
 */
static bool is_known_death(const struct run *run)
{
    static const struct {
        const char *library;
        bool at_start, by_alloc;
    } known[] = {{"libuv.so", false, false}, {"libcrypto.so", true, true}};
    const struct torture_control *c = run->rig->control;

    if (!atomic_load(&c->place_filled))
        return false;
    if (!run->log_path && rig_log_has(run->rig, "AddressSanitizer: CHECK failed"))
        return true; /* its own allocations */
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(c->place, known[i].library, strlen(known[i].library)) == 0 &&
            (!known[i].at_start || run->from_start) &&
            (!known[i].by_alloc || c->calls == UINT64_C(1) << TORTURE_ALLOC))
            return true;
    return false;
}

/* It has ended although nobody told it to. */
static void judge_end(const struct run *run, const struct spawn *s, struct verdict *v)
{
    bool killed = WIFSIGNALED(s->status);

    if (killed && WTERMSIG(s->status) == SIGKILL && run->may_die)
        return;
    if (killed &&
        (is_known_death(run) || (run->may_abort && WTERMSIG(s->status) == SIGABRT))) {
        v->known++;
        return;
    }
    if (killed) {
        printf("  BROKEN: it died of %s\n", strsignal(WTERMSIG(s->status)));
        v->crashed++;
    } else if (!v->started && run->prefix && WEXITSTATUS(s->status) == 127) {
        return; /* the loader could not load it, and has said so */
    } else if (v->started || WEXITSTATUS(s->status) != 1) {
        printf("  BROKEN: it ended by itself with status %d\n", WEXITSTATUS(s->status));
        v->quit++;
    } else if (!rig_log_has(run->rig, "level=error") && !run->log_path) {
        tell("it did not start and did not say why");
        v->quit++;
    }
}

static void recover(struct run *run, struct verdict *v, struct spawn *s)
{
    bool does = is_worker(run) ? worker_recovers(run) : fcgi_recovers(run);

    if (!spawn_is_running(s))
        return;
    if (!does) {
        tell("it does not work again when nothing fails any more");
        v->hung++;
        return;
    }
    size_t most = run->descriptors + DESCRIPTORS_MORE;
    if (run->descriptors > 0 &&
        !WAIT_UNTIL(rig_descriptors(s) <= most, DESCRIPTORS_MS)) {
        printf("  BROKEN: %zu descriptors, %zu are usual\n", rig_descriptors(s),
               run->descriptors);
        v->leaked++;
    }
    run->ret_descriptors = rig_descriptors(s);
}

static void stop(const struct run *run, struct verdict *v, struct spawn *s)
{
    if (!spawn_is_running(s)) {
        judge_end(run, s, v);
        return;
    }
    spawn_signal(s, SIGTERM);
    if (!spawn_wait(s, STOP_MS, NULL)) {
        tell("it does not end in time");
        spawn_kill(s);
        v->hung++;
    } else if (WIFSIGNALED(s->status)) {
        judge_end(run, s, v);
    } else if (WEXITSTATUS(s->status) != 0) {
        printf("  BROKEN: SIGTERM ended it with status %d\n", WEXITSTATUS(s->status));
        v->quit++;
    }
}

static void read_log(const struct run *run, struct verdict *v)
{
    if (run->log_path)
        return;
    if (v->known > 0)
        return;
    if (rig_log_has(run->rig, "LeakSanitizer: detected")) {
        tell("LeakSanitizer found something");
        v->leaked++;
    } else if (rig_log_has(run->rig, "Sanitizer:") ||
               rig_log_has(run->rig, "runtime error:")) {
        tell("a sanitizer found something");
        v->crashed++;
    }
}

struct verdict scenario_play(struct run *run)
{
    struct rig *rig = run->rig;
    struct verdict v = {0};
    struct spawn s;
    const struct rig_start how = {.is_worker = is_worker(run),
                                  .is_clean = run->is_clean,
                                  .log_path = run->log_path,
                                  .prefix = run->prefix,
                                  .nofile = run->nofile};

    if (is_worker(run))
        worker_prepare(run);
    if (run->from_start)
        rig_arm(rig);
    rig_start(rig, &how, &s);
    v.started =
        rig_is_ready(rig, is_worker(run), &s, run->may_stall ? STALL_MS : START_MS);
    if (!v.started && run->may_stall && spawn_is_running(&s)) {
        run->hooks->after(&s, run->hooks->ctx);
        v.started = rig_is_ready(rig, is_worker(run), &s, START_MS);
    }
    if (run->from_start)
        atomic_store(&rig->control->armed, 0);
    if (v.started) {
        if (!run->from_start)
            rig_arm(rig);
        work(run, &v, &s);
        if (spawn_is_running(&s))
            recover(run, &v, &s);
    } else if (spawn_is_running(&s)) {
        tell("it neither starts nor ends");
        v.hung++;
    }
    stop(run, &v, &s);
    read_log(run, &v);
    v.wrong += ledger_check_spool(run->ledger, rig);
    if (verdict_is_bad(&v) && !run->log_path)
        spawn_show_log(&s);
    return v;
}

/* What stands in jobs/: its state in Redis.  With age, as if those that are done had been so for a minute, for that long
 * their files are left to the worker that did them; else they are printed. */
static void walk_jobs(struct rig *rig, bool age)
{
    char path[TMPDIR_FILE_MAX + 8], key[160], then[24];

    (void)snprintf(then, sizeof then, "%lld", (long long)(time(NULL) - 60) * 1000);
    (void)snprintf(path, sizeof path, "%s/jobs", rig->spool_dir.path);
    DIR *d = opendir(path);
    struct dirent *entry;
    while (d && (entry = readdir(d))) {
        const char *dot = strchr(entry->d_name, '.');
        if (!dot || dot == entry->d_name || entry->d_name[0] == '.')
            continue;
        (void)snprintf(key, sizeof key, "hoist:{%.*s}:job:%.36s",
                       (int)(dot - entry->d_name), entry->d_name, dot + 1);
        char *state = redis_fixture_ask(&rig->redis, "HGET", key, "state", NULL);
        if (!age)
            printf("  jobs/%s: '%s' in Redis\n", entry->d_name, state);
        else if (strcmp(state, "done") == 0)
            free(redis_fixture_ask(&rig->redis, "HSET", key, "ended", then, NULL));
        free(state);
    }
    if (d)
        (void)closedir(d);
}

/* As if two days had passed: what has no lock of its own is left for one. */
static void let_age(const char *path)
{
    const struct timespec then[2] = {{time(NULL) - 2 * 24 * 3600, 0},
                                     {time(NULL) - 2 * 24 * 3600, 0}};
    DIR *d = opendir(path);
    struct dirent *entry;

    while (d && (entry = readdir(d)))
        if (entry->d_name[0] != '.' && utimensat(dirfd(d), entry->d_name, then, 0) < 0)
            abort();
    if (d)
        (void)closedir(d);
}

/* Put right what a crash left, as the workers do every half minute and every day. */
static void settle_spool(struct rig *rig, struct verdict *v)
{
    char path[TMPDIR_FILE_MAX + 8];
    struct reconcile_options o = {.min_age_ms = 0, .sweep_age_ms = 0};
    struct reconcile_stats stats;
    struct err e = ERR_INIT;

    (void)snprintf(path, sizeof path, "%s/tmp", rig->spool_dir.path);
    let_age(path);
    walk_jobs(rig, true);
    (void)spool_sweep(rig->spool, 0, 1000);
    if (reconcile_run(rig->spool, rig->client, &o, &stats, &e) != ERR_OK) {
        printf("  BROKEN: reconcile: %s\n", e.text);
        v->wrong++;
    }
    if (stats.damaged + stats.failed > 0) {
        printf("  BROKEN: reconcile: %zu damaged, %zu failed: %s\n", stats.damaged,
               stats.failed, stats.bad_why.text);
        v->wrong++;
    }
}

struct verdict scenario_settle(struct rig *rig, struct ledger *l)
{
    struct verdict v = {0};
    struct spawn s;

    rig_disarm(rig);
    settle_spool(rig,
                 &v); /* so that what was not pushed need not wait its two seconds */
    rig_start(rig, &(struct rig_start){.is_worker = true, .is_clean = true}, &s);
    if (!rig_is_ready(rig, true, &s, START_MS) || !jobs_end(rig, SETTLE_MS, &v.dead)) {
        tell("a clean worker does not end all jobs");
        walk_jobs(rig, false);
        v.wrong++;
    }
    if (!spawn_stop(&s, STOP_MS)) {
        tell("a clean worker does not end");
        v.wrong++;
    }
    settle_spool(rig, &v);
    v.wrong += ledger_check_objects(l, rig);
    if (rig_count(rig, "spool/tmp") != 0 ||
        rig_count(rig, "spool/jobs") != 2 * (size_t)v.dead) {
        printf("  BROKEN: the spool is not clean: %zu files in tmp/, %zu in jobs/\n",
               rig_count(rig, "spool/tmp"), rig_count(rig, "spool/jobs"));
        v.wrong++;
    }
    if (v.wrong)
        spawn_show_log(&s);
    l->count = 0;
    rig_empty(rig);
    return v;
}
