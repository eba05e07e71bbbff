#include "tests/chaos/procs.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"

DEFINE_CLEANUP(DIR *, dir_close, closedir)
DEFINE_CLEANUP(FILE *, file_close, fclose)

/* Entries of a directory without the hidden ones; -1: there is none. */
static int64_t count_entries(const char *path)
{
    CLEANUP(dir_close) DIR *dir = opendir(path);
    int64_t count = 0;

    if (!dir)
        return -1;
    for (const struct dirent *d; (d = readdir(dir));)
        count += d->d_name[0] != '.';
    return count;
}

struct status {
    char state;
    int64_t parent, threads, rss_kib;
};

static bool read_status(const char *pid, struct status *ret)
{
    char path[64], line[256];
    (void)snprintf(path, sizeof path, "/proc/%.20s/status", pid);
    CLEANUP(file_close) FILE *file = fopen(path, "re");
    struct status s = {.state = '?'};

    if (!file)
        return false;
    while (fgets(line, sizeof line, file)) {
        const char *value = strchr(line, ':');
        if (!value)
            continue;
        value += 1 + strspn(value + 1, " \t");
        if (strncmp(line, "State:", 6) == 0)
            s.state = *value;
        else if (strncmp(line, "PPid:", 5) == 0)
            s.parent = strtoll(value, NULL, 10);
        else if (strncmp(line, "Threads:", 8) == 0)
            s.threads = strtoll(value, NULL, 10);
        else if (strncmp(line, "VmRSS:", 6) == 0)
            s.rss_kib = strtoll(value, NULL, 10);
    }
    *ret = s;
    return true;
}

/* Children of parent that nobody waits for. */
static int64_t count_zombies(int64_t parent)
{
    CLEANUP(dir_close) DIR *dir = opendir("/proc");
    int64_t count = 0;
    struct status s;

    if (!dir)
        return 0;
    for (const struct dirent *d; (d = readdir(dir));)
        if (isdigit((unsigned char)d->d_name[0]) && read_status(d->d_name, &s))
            count += s.parent == parent && s.state == 'Z';
    return count;
}

bool procs_take(const char *name, pid_t pid, struct procs_sample *ret_sample)
{
    struct procs_sample p = {.pid = pid};
    struct status s;
    char text[16], path[64];

    (void)snprintf(text, sizeof text, "%d", (int)pid);
    (void)snprintf(path, sizeof path, "/proc/%s/fd", text);
    (void)snprintf(p.name, sizeof p.name, "%s", name);
    if (!read_status(text, &s) || s.state == 'Z')
        return false;
    p.descriptors = count_entries(path);
    if (p.descriptors < 0)
        return false;
    p.threads = s.threads;
    p.rss_kib = s.rss_kib;
    p.zombies = count_zombies(pid);
    *ret_sample = p;
    return true;
}

bool procs_is_settled(const struct procs_sample *before,
                      const struct procs_sample *after, const struct procs_slack *slack,
                      char *ret_text, size_t size)
{
    int64_t share = before->rss_kib * slack->rss_percent / 100;
    int64_t rss = before->rss_kib + (share > slack->rss_kib ? share : slack->rss_kib);
    const struct {
        const char *what;
        int64_t was, is, most;
    } rows[] = {
        {"descriptors", before->descriptors, after->descriptors,
         before->descriptors + slack->descriptors},
        {"threads", before->threads, after->threads, before->threads + slack->threads},
        {"KiB resident", before->rss_kib, after->rss_kib, rss},
        {"zombies", before->zombies, after->zombies, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].is <= rows[i].most)
            continue;
        (void)snprintf(ret_text, size, "%s: %lld %s, %lld after the warm-up",
                       after->name, (long long)rows[i].is, rows[i].what,
                       (long long)rows[i].was);
        return false;
    }
    return true;
}

int64_t procs_own_zombies(void)
{
    return count_zombies(getpid());
}
