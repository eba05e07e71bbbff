#include "worker/convert/child_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "worker/convert/sandbox.h"

/* What the child needs between fork and exec, where nothing may be allocated. */
struct plan {
    const struct child_options *options;
    pid_t parent;
    int stdio[3];  /* all above 2 */
    int report_fd; /* takes struct told; closed by a successful exec */
};

/* What the child tells: once before exec, and once more if that, or anything before it, has failed. */
struct told {
    unsigned parts;   /* of the sandbox that are in force */
    unsigned missing; /* of those it must have */
    int why;          /* errno; 0: it goes on */
};

/* --- in the child: async-signal-safe calls alone --- */

static void limit(int resource, int64_t soft, int64_t hard)
{
    struct rlimit l = {.rlim_cur = (rlim_t)soft, .rlim_max = (rlim_t)hard};

    (void)setrlimit((__rlimit_resource_t)resource,
                    &l); /* a system call filter may forbid it */
}

static void set_limits(const struct child_options *o)
{
    limit(RLIMIT_FSIZE, o->file_bytes_max, o->file_bytes_max);
    if (o->memory_max > 0)
        limit(RLIMIT_AS, o->memory_max, o->memory_max);
    if (o->cpu_seconds > 0)
        limit(RLIMIT_CPU, o->cpu_seconds, o->cpu_seconds + CHILD_CPU_GRACE_SECONDS);
    if (o->sandbox != CHILD_NO_SANDBOX)
        limit(RLIMIT_CORE, 0, 0);
}

/* To die with the worker.  Asked for last: becoming another user, or one of another namespace, takes it back. */
static bool follow(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return false;
    return getppid() == parent; /* else it died before the line above */
}

static bool become(const struct plan *p, struct told *told)
{
    const struct child_options *o = p->options;
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* fails for those that have no other */
    (void)sigemptyset(&none);
    if (setsid() < 0 || chdir("/") < 0)
        return false;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(p->stdio[fd], fd) < 0)
            return false;
    /* All of ours are closed by exec already; this is for those of a library or of whoever started us. */
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    set_limits(o);
    if (o->sandbox != CHILD_NO_SANDBOX)
        told->parts = sandbox_enter(o->processes_max);
    if (o->sandbox == CHILD_SANDBOX_WHOLE)
        told->missing = sandbox_wanted(o->processes_max) & ~told->parts;
    return told->missing == 0 && follow(p->parent) &&
           sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static _Noreturn void run_child(const struct plan *p)
{
    struct told told = {.why = 0};

    if (become(p, &told) &&
        write(p->report_fd, &told, sizeof told) == (ssize_t)sizeof told) {
        environ = (char **)(void *)p->options->env;
        (void)execvp(p->options->argv[0], p->options->argv);
    }
    told.why = errno != 0 ? errno : EIO;
    if (write(p->report_fd, &told, sizeof told) < 0)
        _exit(126);
    _exit(127);
}

/* --- in the parent --- */

/* A copy that is no standard descriptor, should we have been started without these. */
static enum err_code lift(int fd, int *ret_fd, struct err *e)
{
    *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return *ret_fd < 0 ? err_errno(e, ERR_RETRY, "copy a descriptor") : ERR_OK;
}

static enum err_code make_pipe(int *ret_read, int *ret_write, struct err *e)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(e, ERR_RETRY, "make a pipe");
    enum err_code code = lift(fds[0], ret_read, e);
    if (code == ERR_OK)
        code = lift(fds[1], ret_write, e);
    (void)close(fds[0]); /* the copies stay */
    (void)close(fds[1]);
    return code;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* One thing that the child tells.  False: it is running, or has gone without a word. */
static bool read_told(int fd, struct told *ret)
{
    ssize_t n;

    do
        n = read(fd, ret, sizeof *ret);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof *ret;
}

/* Whether exec worked, and within what. */
static enum err_code hear(int fd, const char *program, unsigned *ret_parts,
                          struct err *e)
{
    struct told told = {.why = EIO};
    char parts[SANDBOX_TEXT_SIZE];

    while (read_told(fd, &told))
        ;
    if (told.why == 0) {
        *ret_parts = told.parts;
        return ERR_OK;
    }
    if (told.missing != 0) {
        sandbox_format(told.missing, parts);
        return err_set(e, ERR_CONFIG, "its sandbox cannot be had whole here: no %s",
                       parts);
    }
    errno = told.why;
    bool for_now = errno == EAGAIN || errno == ENOMEM || errno == EMFILE ||
                   errno == ENFILE || errno == EIO || errno == ETXTBSY;
    return err_errno(e, for_now ? ERR_RETRY : ERR_CONFIG, "cannot run '%.60s'",
                     program);
}

/* No signal may reach a handler of ours in the child. */
static pid_t fork_quietly(const struct plan *p)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        run_child(p);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static enum err_code fork_and_exec(struct plan *p, struct child_spawned *ret,
                                   struct err *e)
{
    CLEANUP(fd_close) int read_fd = -1;
    CLEANUP(fd_close) int write_fd = -1;

    if (make_pipe(&read_fd, &write_fd, e) != ERR_OK)
        return e->code;
    p->report_fd = write_fd;
    p->parent = getpid();
    ret->pid = fork_quietly(p);
    if (ret->pid < 0)
        return err_errno(e, ERR_RETRY, "fork");
    (void)close(write_fd); /* the child has its own */
    write_fd = -1;
    if (hear(read_fd, p->options->argv[0], &ret->parts, e) == ERR_OK)
        return ERR_OK;
    reap(ret->pid);
    return e->code;
}

/* What it reads: the caller's, or nothing. */
static enum err_code open_input(const struct child_options *o, int *ret_fd,
                                struct err *e)
{
    if (o->stdin_fd >= 0)
        return lift(o->stdin_fd, ret_fd, e);
    CLEANUP(fd_close) int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null_fd < 0)
        return err_errno(e, ERR_RETRY, "open /dev/null");
    return lift(null_fd, ret_fd, e);
}

enum err_code child_spawn(const struct child_options *o, struct child_spawned *ret,
                          struct err *e)
{
    CLEANUP(fd_close) int in_fd = -1;
    CLEANUP(fd_close) int out_fd = -1;
    CLEANUP(fd_close) int read_fd = -1;
    CLEANUP(fd_close) int write_fd = -1;
    struct child_spawned is = {.pid = 0};

    if (open_input(o, &in_fd, e) != ERR_OK ||
        lift(o->stdout_fd, &out_fd, e) != ERR_OK ||
        make_pipe(&read_fd, &write_fd, e) != ERR_OK)
        return e->code;
    if (fcntl(read_fd, F_SETFL, O_NONBLOCK) < 0)
        return err_errno(e, ERR_RETRY, "set O_NONBLOCK");
    struct plan p = {.options = o, .stdio = {in_fd, out_fd, write_fd}};
    if (fork_and_exec(&p, &is, e) != ERR_OK)
        return e->code;
    is.pidfd = pidfd_open(is.pid, 0); /* with close-on-exec */
    if (is.pidfd < 0) {
        err_errno(e, ERR_RETRY, "watch a process");
        (void)kill(-is.pid, SIGKILL);
        reap(is.pid);
        return e->code;
    }
    is.errors_fd = TAKE_FD(read_fd);
    *ret = is;
    return ERR_OK;
}
