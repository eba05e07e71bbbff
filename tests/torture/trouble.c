#include "tests/torture/trouble.h"

#include "tests/support/wait_until.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/torture/trouble_internal.h"

/* Play it, settle, and say what was wrong.  1 when something was. */
int trouble_play(struct trouble *t, struct run *run, const char *what)
{
    rig_disarm(t->rig);
    run->rig = t->rig;
    run->ledger = &t->ledger;
    run->program = t->o->program;
    run->number = ++t->runs;
    struct verdict v = scenario_play(run);
    struct verdict after = scenario_settle(t->rig, &t->ledger);
    bool bad = verdict_is_bad(&v) || verdict_is_bad(&after);
    t->crashes += v.crashed > 0;
    t->quits += v.quit > 0;
    t->hangs += v.hung > 0;
    t->wrong += v.wrong > 0 || after.wrong > 0;
    t->leaks += v.leaked > 0;
    t->started += v.started;
    if (bad)
        printf("BAD %s\n\n", what);
    t->bad += bad;
    return bad;
}

/* --- Descriptors --- */

enum {
    FEWEST = 5,
    MOST = 40,
    DRAWN_DOWN = 8,
    ENOUGH = 3, /* for a connection, an upload and a question to Redis */
    PLENTY = 1024
};

static void set_limit(const struct spawn *s, rlim_t n)
{
    struct rlimit limit;

    if (!s->pid || prlimit(s->pid, RLIMIT_NOFILE, NULL, &limit) < 0)
        return; /* it has ended */
    limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
    if (prlimit(s->pid, RLIMIT_NOFILE, &limit, NULL) < 0 && errno != ESRCH)
        perror("prlimit");
}

static void draw_down(struct spawn *s, void *ctx)
{
    const int *more = ctx;

    set_limit(s, rig_descriptors(s) + (size_t)*more);
}

static void raise_limit(struct spawn *s, void *ctx)
{
    (void)ctx;
    set_limit(s, PLENTY);
}

static void run_descriptors(struct trouble *t)
{
    char what[80];
    int step = t->o->all ? 1 : 6;

    for (int n = FEWEST + (int)(t->o->seed % (unsigned)step); n <= MOST; n += step) {
        const struct run_hooks hooks = {.after = raise_limit};
        struct run run = {.nofile = n, .hooks = &hooks, .may_stall = true};
        (void)snprintf(what, sizeof what, "with %d descriptors from the start", n);
        (void)trouble_play(t, &run, what);
    }
    for (int more = 0; more <= DRAWN_DOWN; more += t->o->all ? 1 : 3) {
        const struct run_hooks hooks = {
            .before = draw_down, .after = raise_limit, .ctx = &more};
        struct run run = {.hooks = &hooks, .may_stall = more < ENOUGH};
        (void)snprintf(what, sizeof what, "with %d descriptors more than it has", more);
        (void)trouble_play(t, &run, what);
    }
}

/* --- Signals --- */

struct storm {
    int numbers[8]; /* 0 ends them */
    size_t next;
};

static void storm(struct spawn *s, void *ctx)
{
    struct storm *st = ctx;

    if (s->pid)
        (void)kill(s->pid, st->numbers[st->next]); /* it may just have ended */
    st->next = st->numbers[st->next + 1] ? st->next + 1 : 0;
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* 1 kHz */
}

static void run_storm(struct trouble *t, const char *what, struct storm *st)
{
    const struct run_hooks hooks = {.meanwhile = storm, .ctx = st};
    struct run run = {.hooks = &hooks, .repeat_ms = t->o->all ? 10000 : 2000};

    (void)trouble_play(t, &run, what);
}

/* --- Standard error --- */

static void run_full_device(struct trouble *t)
{
    struct run run = {.log_path = "/dev/full", .repeat_ms = 500};

    (void)trouble_play(t, &run, "standard error on /dev/full");
}

/* A pipe that holds no more, and whose reader does not read. */
static void run_full_pipe(struct trouble *t)
{
    static const char filling[4096];
    struct tmpdir_file pipe = tmpdir_file(&t->rig->dir, "pipe");
    struct run run = {.log_path = pipe.path, .repeat_ms = 500};

    if (mkfifo(pipe.path, 0600) < 0)
        abort();
    int fd = open(pipe.path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        abort();
    while (write(fd, filling, sizeof filling) > 0)
        continue;
    (void)trouble_play(t, &run, "standard error on a full pipe nobody reads");
    (void)close(fd);
    (void)unlink(pipe.path);
}

static void run_signals(struct trouble *t)
{
    struct storm all = {{SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGPIPE, SIGWINCH, SIGURG},
                        0};
    struct storm hup = {{SIGHUP}, 0}, usr1 = {{SIGUSR1}, 0};

    run_storm(t, "a storm of HUP, USR1, USR2, CHLD, PIPE, WINCH, URG", &all);
    if (t->o->all) {
        run_storm(t, "a storm of HUP", &hup);
        run_storm(t, "a storm of USR1", &usr1);
    }
    run_full_device(t);
    run_full_pipe(t);
}

int trouble_run(struct rig *rig, const struct sweep_options *o)
{
    struct trouble *t = calloc(1, sizeof *t);
    int64_t begin_ms = wait_now_ms();

    if (!t)
        abort();
    t->rig = rig;
    t->o = o;
    if (strcmp(o->kind, "fd") == 0)
        run_descriptors(t);
    else if (strcmp(o->kind, "signal") == 0)
        run_signals(t);
    else if (strcmp(o->kind, "strace") == 0)
        trouble_strace(t);
    else
        fprintf(stderr, "torture: no kind '%s'\n", o->kind);
    printf("%s, %s: %d runs, %d started, %d crashes, %d quits, %d hangs, %d wrong, %d "
           "leaks, %d bad, %.0f s\n",
           program_names[o->program], o->kind, t->runs, t->started, t->crashes,
           t->quits, t->hangs, t->wrong, t->leaks, t->bad,
           (double)(wait_now_ms() - begin_ms) / 1000);
    int bad = t->runs == 0 ? -1 : t->bad;
    free(t);
    return bad;
}
