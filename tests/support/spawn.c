#include "tests/support/spawn.h"

#include <errno.h>
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

static void die(const char *what, const char *of)
{
    fprintf(stderr, "spawn: %s %s: %s\n", what, of, strerror(errno));
    abort();
}

static void child_signals(pid_t parent)
{
    sigset_t none;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(126);
    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL); /* SIGKILL, SIGSTOP and glibc's own refuse */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail with these arguments */
}

static bool child_files(const struct spawn_options *o)
{
    int in = o->stdin_fd > 0 ? o->stdin_fd : open("/dev/null", O_RDONLY);
    int out = o->log_path ? open(o->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600)
                          : STDERR_FILENO;

    if (in < 0 || out < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0 || dup2(in, STDIN_FILENO) < 0)
        return false;
    if (in > STDERR_FILENO)
        (void)close(in);
    if (out > STDERR_FILENO)
        (void)close(out);
    return true;
}

static _Noreturn void child(const struct spawn_options *o, pid_t parent, int report_fd)
{
    child_signals(parent);
    bool ready = child_files(o) && (!o->dir || chdir(o->dir) == 0);
    for (size_t i = 0; ready && o->env && o->env[i]; i++)
        ready = putenv((char *)(uintptr_t)o->env[i]) == 0;
    if (ready)
        execvp(o->argv[0], (char *const *)(uintptr_t)o->argv);
    int why = errno;
    ssize_t ignored = write(report_fd, &why, sizeof why);
    (void)ignored; /* the exit status says it too */
    _exit(127);
}

void spawn_start(struct spawn *s, const struct spawn_options *o)
{
    int report[2];
    int why = 0;
    pid_t parent = getpid();

    memset(s, 0, sizeof *s);
    if (o->log_path && (size_t)snprintf(s->log_path, sizeof s->log_path, "%s",
                                        o->log_path) >= sizeof s->log_path)
        die("log path too long:", o->log_path);
    if (pipe2(report, O_CLOEXEC) < 0)
        die("pipe for", o->argv[0]);
    s->pid = fork();
    if (s->pid < 0)
        die("fork for", o->argv[0]);
    if (s->pid == 0)
        child(o, parent, report[1]);
    (void)close(report[1]);
    ssize_t n = read(report[0], &why, sizeof why);
    (void)close(report[0]);
    if (n != 0) {
        errno = why;
        die("start", o->argv[0]);
    }
}

bool spawn_wait(struct spawn *s, int deadline_ms, int *ret_status)
{
    if (s->pid) {
        int fd = (int)syscall(SYS_pidfd_open, s->pid, 0);
        if (fd < 0)
            die("pidfd_open for", s->log_path);
        int n = poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, deadline_ms);
        (void)close(fd);
        if (n != 1)
            return false;
        if (waitpid(s->pid, &s->status, 0) != s->pid)
            die("waitpid for", s->log_path);
        s->pid = 0;
    }
    if (ret_status)
        *ret_status = s->status;
    return true;
}

bool spawn_is_running(struct spawn *s)
{
    return s->pid && !spawn_wait(s, 0, NULL);
}

void spawn_signal(struct spawn *s, int signal)
{
    if (s->pid && kill(s->pid, signal) < 0)
        die("signal", s->log_path);
}

void spawn_pause(struct spawn *s)
{
    siginfo_t info;

    spawn_signal(s, SIGSTOP);
    if (s->pid && waitid(P_PID, (id_t)s->pid, &info, WSTOPPED | WEXITED | WNOWAIT) < 0)
        die("wait for the stop of", s->log_path);
}

void spawn_resume(struct spawn *s)
{
    spawn_signal(s, SIGCONT);
}

void spawn_kill(struct spawn *s)
{
    spawn_signal(s, SIGKILL);
    if (!spawn_wait(s, 10000, NULL))
        die("does not die:", s->log_path);
}

bool spawn_stop(struct spawn *s, int deadline_ms)
{
    int status;

    spawn_signal(s, SIGTERM);
    if (!spawn_wait(s, deadline_ms, &status)) {
        spawn_kill(s);
        return false;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void spawn_show_log(const struct spawn *s)
{
    char text[8192];
    FILE *f = s->log_path[0] ? fopen(s->log_path, "re") : NULL;

    if (!f)
        return;
    if (fseek(f, -(long)sizeof text, SEEK_END) < 0)
        rewind(f);
    size_t n = fread(text, 1, sizeof text, f);
    (void)fclose(f); /* only read */
    fprintf(stderr, "--- %s\n%.*s---\n", s->log_path, (int)n, text);
}

bool spawn_log_has(const struct spawn *s, const char *text)
{
    FILE *f = fopen(s->log_path, "re");
    char *line = NULL;
    size_t size = 0;
    bool found = false;

    if (!f)
        die("the log", s->log_path);
    while (!found && getline(&line, &size, f) > 0)
        found = strstr(line, text) != NULL;
    free(line);
    (void)fclose(f); /* only read */
    return found;
}
