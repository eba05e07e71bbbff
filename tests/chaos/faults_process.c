#include "tests/chaos/faults_internal.h"

#include "tests/support/wait_until.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { CHILDREN_MAX = 32, STARTED_MS = 1000 };

/* Whom it is about; false when that one is down. */
static bool find_target(struct system *s, struct fault *f)
{
    f->program = system_program(s, f->row->kind, f->event.target);
    if (!f->program || !f->program->spawn.pid)
        return false;
    f->pid = f->program->spawn.pid;
    (void)snprintf(f->target, sizeof f->target, "%s", f->program->name);
    return true;
}

bool fault_kill(struct system *s, struct fault *f)
{
    if (!find_target(s, f))
        return false;
    system_kill(s, f->program);
    return true;
}

bool fault_kill_child(struct system *s, struct fault *f)
{
    pid_t children[CHILDREN_MAX];

    if (!find_target(s, f))
        return false;
    size_t count = system_children(f->program, children, CHILDREN_MAX);
    if (count == 0 || kill(children[f->event.dice % count], SIGKILL) < 0)
        return false;
    s->kills++;
    return true;
}

bool fault_signal(struct system *s, struct fault *f)
{
    /* Who was told to end, and has not yet, would take a second time for "at once"; and before main nobody can keep a SIGHUP
     * from ending it. */
    if (!find_target(s, f) || f->program->asked ||
        wait_now_ms() - f->program->started_ms < STARTED_MS)
        return false;
    system_signal(f->program, f->row->signal);
    return true;
}

/* One after the other: only when all others of its kind are up. */
bool fault_roll(struct system *s, struct fault *f)
{
    if (!find_target(s, f))
        return false;
    for (size_t i = 0; i < s->program_count; i++) {
        const struct program *p = &s->programs[i];
        if (p->kind == f->row->kind && (!p->spawn.pid || p->asked))
            return false;
    }
    system_signal(f->program, f->row->signal);
    return true;
}

bool fault_signal_twice(struct system *s, struct fault *f)
{
    if (!find_target(s, f))
        return false;
    system_signal(f->program, f->row->signal);
    system_signal(f->program, f->row->signal);
    return true;
}

bool fault_stop(struct system *s, struct fault *f)
{
    if (!find_target(s, f))
        return false;
    spawn_signal(&f->program->spawn, SIGSTOP);
    return true;
}

bool fault_continue(struct system *s, struct fault *f)
{
    (void)s;
    if (f->program->spawn.pid == f->pid)
        spawn_signal(&f->program->spawn, SIGCONT);
    return true;
}

/* --- Descriptors --- */

static int count_files(pid_t pid)
{
    char path[64];
    int count = 0;

    (void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *d = opendir(path);
    if (!d)
        return -1;
    for (struct dirent *entry; (entry = readdir(d));)
        count += entry->d_name[0] != '.';
    (void)closedir(d);
    return count;
}

/* A limit a little above what it has open now. */
bool fault_few_files(struct system *s, struct fault *f)
{
    if (!find_target(s, f))
        return false;
    int open = count_files(f->pid);
    if (open < 3 || prlimit(f->pid, RLIMIT_NOFILE, NULL, &f->limit) < 0)
        return false;
    struct rlimit few = {.rlim_cur = (rlim_t)open + f->event.dice % 4,
                         .rlim_max = f->limit.rlim_max};
    /* Twice at the same time would leave the first one's behind. */
    return f->limit.rlim_cur > few.rlim_cur + 64 &&
           prlimit(f->pid, RLIMIT_NOFILE, &few, NULL) == 0;
}

bool fault_files_again(struct system *s, struct fault *f)
{
    (void)s;
    if (f->program->spawn.pid == f->pid)
        (void)prlimit(f->pid, RLIMIT_NOFILE, &f->limit, NULL); /* it may be ending */
    return true;
}

/* --- Clock --- */

static const struct {
    const char *name;
    int64_t seconds;
} jumps[] = {
    {"+20min", 20 * 60},
    {"-20min", -20 * 60},
    {"+1h", 3600},
    {"-1h", -3600},
    {"+25h", 25 * 3600},
    {"-25h", -25 * 3600},
    {"+10y", INT64_C(3650) * 86400},
    {"-10y", INT64_C(-3650) * 86400},
    {"1970", 0},
};

bool fault_clock(struct system *s, struct fault *f)
{
    size_t i = f->event.dice % (sizeof jumps / sizeof jumps[0]);
    int64_t seconds = jumps[i].seconds ? jumps[i].seconds : -(int64_t)time(NULL);

    (void)snprintf(f->target, sizeof f->target, "%s", jumps[i].name);
    __atomic_store_n(s->clock_ns, seconds * 1000000000, __ATOMIC_RELAXED);
    return true;
}

bool fault_clock_right(struct system *s, struct fault *f)
{
    (void)f;
    __atomic_store_n(s->clock_ns, 0, __ATOMIC_RELAXED);
    return true;
}
