#include "tests/chaos/trace.h"

#include "shared/cleanup.h"
#include "tests/support/wait_until.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { ATTACH_MS = 5000, TICK_US = 20000, STOPPED_BY_CALL = SIGTRAP | 0x80 };

/* The calls that leave something behind: on a disk, or at a peer. */
static const struct {
    long number;
    const char *name;
} counted[] = {
    {SYS_openat, "openat"},
    {SYS_close, "close"},
    {SYS_write, "write"},
    {SYS_writev, "writev"},
    {SYS_pwrite64, "pwrite64"},
    {SYS_pwritev, "pwritev"},
    {SYS_fsync, "fsync"},
    {SYS_fdatasync, "fdatasync"},
    {SYS_fallocate, "fallocate"},
    {SYS_ftruncate, "ftruncate"},
    {SYS_renameat, "renameat"},
    {SYS_renameat2, "renameat2"},
    {SYS_linkat, "linkat"},
    {SYS_unlinkat, "unlinkat"},
    {SYS_sendto, "sendto"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_sync_file_range, "sync_file_range"},
    {SYS_io_uring_enter, "io_uring_enter"},
#ifdef SYS_rename
    {SYS_rename, "rename"},
    {SYS_unlink, "unlink"},
    {SYS_link, "link"},
    {SYS_open, "open"},
#endif
};

static struct trace_thread *find(struct trace *t, pid_t tid)
{
    for (size_t i = 0; i < t->thread_count; i++)
        if (t->threads[i].tid == tid)
            return &t->threads[i];
    return NULL;
}

static struct trace_thread *add(struct trace *t, pid_t tid)
{
    struct trace_thread *one = find(t, tid);

    if (one)
        return one;
    if (t->thread_count == TRACE_THREADS_MAX)
        return NULL;
    one = &t->threads[t->thread_count++];
    *one = (struct trace_thread){.tid = tid, .call = -1};
    return one;
}

static void drop(struct trace *t, struct trace_thread *one)
{
    *one = t->threads[--t->thread_count];
}

/* --- Attach --- */

static enum err_code seize(struct trace *t, pid_t tid, struct err *e)
{
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;

    if (find(t, tid))
        return ERR_OK;
    if (!add(t, tid))
        return err_set(e, ERR_RETRY, "trace: too many threads");
    if (ptrace(PTRACE_SEIZE, tid, NULL, options) == 0)
        (void)ptrace(PTRACE_INTERRUPT, tid, NULL, NULL); /* it may be ending */
    else if (errno != EPERM) /* begun by one that we had: it is ours, and stops */
        return err_errno(e, ERR_RETRY, "trace: attach");
    return ERR_OK;
}

static enum err_code seize_all(struct trace *t, struct err *e)
{
    char path[64];
    struct dirent *entry;

    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)t->pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return err_errno(e, ERR_RETRY, "trace: %s", path);
    enum err_code code = ERR_OK;
    while (code == ERR_OK && (entry = readdir(tasks))) {
        long tid = strtol(entry->d_name, NULL, 10);
        if (tid > 0)
            code = seize(t, (pid_t)tid, e);
    }
    (void)closedir(tasks);
    return code;
}

static void on_tick(int signal)
{
    (void)signal; /* it ends a waitpid, so that the deadline is looked at */
}

static void set_tick(suseconds_t every_us)
{
    struct sigaction act = {.sa_handler = on_tick};
    struct itimerval every = {{0, every_us}, {0, every_us}};

    (void)sigaction(SIGALRM, &act, NULL); /* cannot fail with these arguments */
    (void)setitimer(ITIMER_REAL, &every, NULL);
}

/* The next report of a traced thread; 0: none by the deadline. */
static pid_t wait_any(int *ret_status, int64_t until_ms)
{
    pid_t tid;

    set_tick(TICK_US);
    while ((tid = waitpid(-1, ret_status, __WALL)) < 0 && errno == EINTR &&
           wait_now_ms() < until_ms) {
    }
    set_tick(0);
    return tid > 0 ? tid : 0;
}

static struct trace_thread *running(struct trace *t)
{
    for (size_t i = 0; i < t->thread_count; i++)
        if (!t->threads[i].stopped)
            return &t->threads[i];
    return NULL;
}

static enum err_code wait_all(struct trace *t, struct err *e)
{
    int64_t end = wait_now_ms() + ATTACH_MS;
    int status;

    while (running(t)) {
        pid_t tid = wait_any(&status, end);
        struct trace_thread *one = tid > 0 && WIFSTOPPED(status) ? add(t, tid) : NULL;
        if (!one)
            return err_set(e, ERR_RETRY, "trace: it does not stop");
        one->stopped = true;
    }
    return ERR_OK;
}

enum err_code trace_attach(struct trace *t, pid_t pid, const char *const *others,
                           struct err *e)
{
    *t = (struct trace){.pid = pid, .others = others};
    for (size_t before = SIZE_MAX; before != t->thread_count;) {
        before = t->thread_count;
        if (seize_all(t, e) || wait_all(t, e))
            return e->code;
    }
    return ERR_OK;
}

/* --- Run --- */

static const char *counted_name(int64_t call)
{
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++)
        if (counted[i].number == call)
            return counted[i].name;
    return NULL;
}

static void read_name(const struct trace *t, pid_t tid, char *ret, size_t size)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)t->pid, (int)tid);
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, ret, size - 1) : 0;
    ret[len > 0 ? len - 1 : 0] = '\0'; /* without the line's end */
}

static bool is_other(const struct trace *t, const char *name)
{
    for (size_t i = 0; t->others[i]; i++)
        if (strcmp(name, t->others[i]) == 0)
            return true;
    return false;
}

/* A thread stands at the beginning or the end of a call; true: at the end of one that counts. */
static bool note_call(struct trace *t, struct trace_thread *one)
{
    struct __ptrace_syscall_info info;
    const char *name;
    char thread[32];

    if (ptrace(PTRACE_GET_SYSCALL_INFO, one->tid, (void *)sizeof info, &info) <= 0)
        return false; /* killed meanwhile */
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        one->call = (int64_t)info.entry.nr;
        return false;
    }
    name = info.op == PTRACE_SYSCALL_INFO_EXIT ? counted_name(one->call) : NULL;
    one->call = -1;
    read_name(t, one->tid, thread, sizeof thread);
    if (!name || is_other(t, thread))
        return false;
    t->calls++;
    (void)snprintf(t->last, sizeof t->last, "%s of %s", name, thread);
    return true;
}

static void go_on(pid_t tid, int signal)
{
    /* Fails when it was killed meanwhile: wait_any tells. */
    (void)ptrace(PTRACE_SYSCALL, tid, NULL, (long)signal);
}

/* Signals of its own are passed on; stops of ptrace are not signals. */
static int signal_of(int status)
{
    int signal = WSTOPSIG(status);

    return status >> 16 || signal == SIGTRAP ? 0 : signal;
}

enum trace_end trace_run(struct trace *t, int64_t n, bool (*done)(void *ctx), void *ctx,
                         int deadline_ms)
{
    int64_t until_ms = wait_now_ms() + deadline_ms;
    int status;

    for (size_t i = 0; i < t->thread_count; i++)
        go_on(t->threads[i].tid, 0);
    for (;;) {
        pid_t tid = wait_any(&status, until_ms);
        if (tid == 0)
            return TRACE_LATE;
        struct trace_thread *one = WIFSTOPPED(status) ? add(t, tid) : find(t, tid);
        if (!one) {
            fprintf(stderr, "trace: another child ended, or too many threads\n");
            abort();
        }
        if (!WIFSTOPPED(status)) {
            drop(t, one);
            if (tid == t->pid)
                return TRACE_DIED;
            continue;
        }
        if (WSTOPSIG(status) == STOPPED_BY_CALL && note_call(t, one)) {
            if (t->calls >= n)
                return TRACE_REACHED;
            if (done(ctx))
                return TRACE_DONE;
        }
        go_on(tid, WSTOPSIG(status) == STOPPED_BY_CALL ? 0 : signal_of(status));
    }
}

/* Some thread of it but the first: those that began a moment ago are in no list of ours.  0: there is none. */
static pid_t any_thread(const struct trace *t)
{
    char path[64];
    struct dirent *entry;
    pid_t found = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)t->pid);
    DIR *tasks = opendir(path);
    while (tasks && found == 0 && (entry = readdir(tasks))) {
        long tid = strtol(entry->d_name, NULL, 10);
        if (tid > 0 && tid != t->pid)
            found = (pid_t)tid;
    }
    if (tasks)
        (void)closedir(tasks);
    return found;
}

void trace_kill(struct trace *t)
{
    pid_t tid;
    int status;

    (void)kill(t->pid, SIGKILL);
    /* The first thread, which is its parent's to wait for, ends behind all the others. */
    while ((tid = any_thread(t)) > 0)
        if (waitpid(tid, &status, __WALL) < 0)
            break; /* it has gone meanwhile */
    t->thread_count = 0;
}
