#include "tests/e2e/family.h"

#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TERM_MS = 10000, STOP_MS = 30000 };

static _Noreturn void run_server(const char *const *argv, const char *const *env,
                                 const char *log_path)
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    for (size_t i = 0; env && env[i]; i++)
        (void)putenv((char *)(uintptr_t)env[i]);
    if (in >= 0 && out >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 &&
        dup2(out, 2) == 2 && close_range(3, ~0U, 0) == 0)
        (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

/* Whoever has come here is killed; it may have children of its own, which come next. */
static void reap_orphans(void)
{
    char path[64];
    long pid;

    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    do {
        FILE *f = fopen(path, "re");
        while (f && fscanf(f, "%ld", &pid) == 1)
            (void)kill((pid_t)pid, SIGKILL);
        if (f)
            (void)fclose(f);
    } while (waitpid(-1, NULL, 0) > 0);
}

static _Noreturn void guard(int fd, const char *const *argv, const char *const *env,
                            const char *log_path)
{
    (void)setsid();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t pid = fork();
    if (pid == 0)
        run_server(argv, env, log_path);
    (void)dup2(fd, 3);
    (void)close_range(4, ~0U, 0); /* the pipes of other guards too */
    int ended = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    struct pollfd fds[] = {{ended, POLLIN, 0}, {3, POLLIN, 0}};
    if (ended >= 0 && poll(fds, 2, -1) > 0 && !fds[0].revents) {
        (void)kill(pid, SIGTERM);
        if (poll(fds, 1, TERM_MS) != 1)
            (void)kill(pid, SIGKILL);
    }
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    reap_orphans();
    _exit(0);
}

void family_start(struct family *f, const char *const *argv, const char *const *env,
                  const char *log_path)
{
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    f->guard = fork();
    cr_assert_geq(f->guard, 0);
    if (f->guard == 0) {
        (void)close(ends[1]);
        guard(ends[0], argv, env, log_path);
    }
    (void)close(ends[0]);
    f->fd = ends[1];
}

bool family_is_running(struct family *f)
{
    if (f->guard > 0 && waitpid(f->guard, NULL, WNOHANG) == f->guard) {
        (void)close(f->fd);
        f->guard = 0;
    }
    return f->guard > 0;
}

void family_stop(struct family *f)
{
    if (f->guard <= 0)
        return;
    (void)close(f->fd);
    cr_expect(WAIT_UNTIL(waitpid(f->guard, NULL, WNOHANG) == f->guard, STOP_MS));
    f->guard = 0;
}
