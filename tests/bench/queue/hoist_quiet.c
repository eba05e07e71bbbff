#include "tests/bench/queue/hoist.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Resident memory of one process now. */
static long rss_of_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (f)
        (void)fclose(f);
    return kib;
}

static int remove_entry(const char *path, const struct stat *st, int flag,
                        struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void remove_spool(const char *dir)
{
    (void)nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* What the real worker does when nothing comes: hoist-worker of the same build. */
void run_quiet(struct bench *b)
{
    char self[4096], worker[4200], url[1024], spool[] = "/tmp/hoist-bench.XXXXXX";
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    int status;

    self[n > 0 ? n : 0] = '\0';
    char *build = strstr(self, "/tests/bench/queue/");
    if (!build || !mkdtemp(spool))
        die("quiet: not in a build directory", NULL);
    *build = '\0';
    (void)snprintf(worker, sizeof worker, "%s/worker/hoist-worker", self);
    (void)snprintf(url, sizeof url, "unix://%s", b->options.target.unix_path);
    if (access(worker, X_OK) != 0)
        die("quiet: hoist-worker is not built", NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
        (void)setenv("HOIST_REDIS_URL", url, 1);
        (void)setenv("HOIST_SPOOL_DIR", spool, 1);
        (void)execl(worker, worker, (char *)NULL);
        _exit(127);
    }
    (void)sleep((unsigned)b->seconds);
    long rss = rss_of_kib(pid);
    (void)kill(pid, SIGTERM);
    (void)waitpid(pid, &status, 0);
    remove_spool(spool);
    printf("{\"rss_kib\":%ld}\n", rss);
}
