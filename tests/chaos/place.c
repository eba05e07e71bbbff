#include "tests/chaos/place.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "chaos: %s: %s\n", what, strerror(errno));
    abort();
}

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        (void)close(fd);
    return done;
}

/* A user becomes root of a namespace with one user. */
static bool map_user(uid_t uid, gid_t gid)
{
    char text[64];

    (void)snprintf(text, sizeof text, "0 %u 1", (unsigned)uid);
    if (!write_file("/proc/self/uid_map", text) ||
        !write_file("/proc/self/setgroups", "deny"))
        return false;
    (void)snprintf(text, sizeof text, "0 %u 1", (unsigned)gid);
    return write_file("/proc/self/gid_map", text);
}

/* Children of the caller are in the new process namespace from now on. */
static bool leave(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();

    return unshare(CLONE_NEWNS | CLONE_NEWPID | (uid ? CLONE_NEWUSER : 0)) == 0 &&
           (uid == 0 || map_user(uid, gid));
}

/* In such a child: mounts stay here, and /proc shows the processes of this place. */
static bool arrive(void)
{
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

/* Whether all of it works, found out by a process that ends. */
static bool is_possible(void)
{
    int status = 1;
    pid_t outer = fork();

    if (outer == 0) {
        pid_t inner = leave() ? fork() : -1;
        if (inner == 0)
            _exit(arrive() && mount("tmpfs", "/proc", "tmpfs", 0, "size=1m") == 0 ? 0
                                                                                  : 1);
        if (inner > 0 && waitpid(inner, &status, 0) == inner && status == 0)
            _exit(0);
        _exit(1);
    }
    return outer > 0 && waitpid(outer, &status, 0) == outer && status == 0;
}

static volatile sig_atomic_t inner_pid; /* for the handler */

static void pass_on(int signal)
{
    if (inner_pid > 0)
        (void)kill((pid_t)inner_pid, signal);
}

static int wait_for(pid_t pid)
{
    struct sigaction act = {.sa_handler = pass_on};
    int status;

    inner_pid = (int)pid;
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            die("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int place_run(int (*run)(bool is_private, void *ctx), void *ctx)
{
    int ready[2];
    char byte = 0;

    if (!is_possible() || !leave()) {
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* else orphans are process 1's */
        return run(false, ctx);
    }
    if (pipe2(ready, O_CLOEXEC) < 0)
        die("pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        (void)close(ready[1]);
        /* Not before the other side is known to live: the end of a process that has ended already is not told. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || read(ready[0], &byte, 1) != 1 ||
            !arrive())
            _exit(126);
        (void)close(ready[0]);
        int status = run(true, ctx);
        (void)fflush(NULL);
        exit(status);
    }
    (void)close(ready[0]);
    if (write(ready[1], &byte, 1) != 1)
        die("write");
    (void)close(ready[1]);
    /* Not exit: what looks for leaks then could not start its thread, since ours are born in a place that is over. */
    _exit(wait_for(pid));
}

void place_mount(const char *dir, size_t bytes)
{
    char options[64];

    (void)snprintf(options, sizeof options, "size=%zu,mode=0700", bytes);
    if (mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        die("mount a tmpfs");
}

void place_unmount(const char *dir)
{
    if (umount2(dir, MNT_DETACH) < 0)
        die(dir);
}

bool place_remount(const char *dir, bool read_only)
{
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV;

    return mount("none", dir, NULL, flags | (read_only ? MS_RDONLY : 0), NULL) == 0;
}
