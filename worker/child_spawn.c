#include "worker/child_spawn.h"

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

/* What the child needs between fork and exec, where nothing may be allocated. */
struct plan {
    const struct child_options *options;
    pid_t parent;
    int stdio[3];   /* all above 2 */
    int failure_fd; /* to tell errno; closed by a successful exec */
};

/* --- in the child: async-signal-safe calls alone --- */

static bool become(const struct plan *p)
{
    struct rlimit limit = {.rlim_cur = (rlim_t)p->options->file_bytes_max,
                           .rlim_max = (rlim_t)p->options->file_bytes_max};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* fails for those that have no other */
    (void)sigemptyset(&none);
    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || chdir("/") < 0)
        return false;
    if (getppid() != p->parent)
        return false; /* it died before the line above */
    for (int fd = 0; fd < 3; fd++)
        if (dup2(p->stdio[fd], fd) < 0)
            return false;
    /* All of ours are closed by exec already; this is for those of a library or of whoever started us. */
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)setrlimit(RLIMIT_FSIZE, &limit); /* a system call filter may forbid it */
    return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static _Noreturn void run_child(const struct plan *p)
{
    if (become(p)) {
        environ = (char **)(void *)p->options->env;
        (void)execvp(p->options->argv[0], p->options->argv);
    }
    int why = errno;
    if (write(p->failure_fd, &why, sizeof why) < 0)
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

/* Whether exec worked: else errno has come through the pipe. */
static enum err_code read_failure(int fd, const char *program, struct err *e)
{
    int why = 0;
    ssize_t n;

    do
        n = read(fd, &why, sizeof why);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return ERR_OK;
    errno = n == (ssize_t)sizeof why ? why : EIO;
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

static enum err_code fork_and_exec(struct plan *p, pid_t *ret_pid, struct err *e)
{
    CLEANUP(fd_close) int read_fd = -1;
    CLEANUP(fd_close) int write_fd = -1;

    if (make_pipe(&read_fd, &write_fd, e) != ERR_OK)
        return e->code;
    p->failure_fd = write_fd;
    p->parent = getpid();
    pid_t pid = fork_quietly(p);
    if (pid < 0)
        return err_errno(e, ERR_RETRY, "fork");
    (void)close(write_fd); /* the child has its own */
    write_fd = -1;
    if (read_failure(read_fd, p->options->argv[0], e) != ERR_OK) {
        reap(pid);
        return e->code;
    }
    *ret_pid = pid;
    return ERR_OK;
}

enum err_code child_spawn(const struct child_options *o, pid_t *ret_pid, int *ret_pidfd,
                          int *ret_errors_fd, struct err *e)
{
    CLEANUP(fd_close) int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CLEANUP(fd_close) int in_fd = -1;
    CLEANUP(fd_close) int out_fd = -1;
    CLEANUP(fd_close) int read_fd = -1;
    CLEANUP(fd_close) int write_fd = -1;
    pid_t pid = 0;

    if (null_fd < 0)
        return err_errno(e, ERR_RETRY, "open /dev/null");
    if (lift(null_fd, &in_fd, e) != ERR_OK ||
        lift(o->stdout_fd, &out_fd, e) != ERR_OK ||
        make_pipe(&read_fd, &write_fd, e) != ERR_OK)
        return e->code;
    if (fcntl(read_fd, F_SETFL, O_NONBLOCK) < 0)
        return err_errno(e, ERR_RETRY, "set O_NONBLOCK");
    struct plan p = {.options = o, .stdio = {in_fd, out_fd, write_fd}};
    if (fork_and_exec(&p, &pid, e) != ERR_OK)
        return e->code;
    int pidfd = pidfd_open(pid, 0); /* with close-on-exec */
    if (pidfd < 0) {
        err_errno(e, ERR_RETRY, "watch a process");
        (void)kill(-pid, SIGKILL);
        reap(pid);
        return e->code;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    *ret_errors_fd = TAKE_FD(read_fd);
    return ERR_OK;
}
