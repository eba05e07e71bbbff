#include "tests/support/wait_until.h"
#include "tests/torture/trouble_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 64, SAMPLE = 40, NUMBER_MAX = 60 };

/* What may fail how, by the kernel's names.  The number counts within each thread, as strace does.  No error of read and
 * write but EINTR: strace would give it to an eventfd, too, which has no other.  No brk and mprotect: that is the loader's. */
static const struct {
    const char *call, *how;
} faults[] = {
    {"openat", "error=EMFILE"},       {"openat", "error=ENOSPC"},
    {"openat", "error=EINTR"},        {"write", "error=EINTR"},
    {"read", "error=EINTR"},          {"pread64", "error=EIO"},
    {"fsync", "error=EIO"},           {"fdatasync", "error=EIO"},
    {"renameat", "error=ENOSPC"},     {"unlinkat", "error=EROFS"},
    {"linkat", "error=EIO"},          {"newfstatat", "error=EIO"},
    {"accept4", "error=EMFILE"},      {"recvfrom", "error=EINTR"},
    {"recvfrom", "error=ECONNRESET"}, {"sendto", "error=EPIPE"},
    {"sendto", "error=ENOBUFS"},      {"connect", "error=EINTR"},
    {"socket", "error=EMFILE"},       {"epoll_ctl", "error=ENOMEM"},
    {"epoll_wait", "error=EINTR"},    {"mmap", "error=ENOMEM"},
    {"clone3", "error=EAGAIN"},       {"getrandom", "error=EINTR"},
    {"poll", "error=EINTR"},          {"fdatasync", "signal=KILL"},
    {"renameat", "signal=KILL"},      {"sendto", "signal=KILL"},
    {"fsync", "signal=KILL"},         {"write", "signal=KILL"},
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

struct counts {
    long of[FAULTS];
};

/* A line of `strace -c` ends with its call; the number of calls is the fourth word.  True: it is whole, with its total. */
static bool read_counts(const char *path, struct counts *ret)
{
    FILE *f = fopen(path, "re");
    char line[200];
    bool whole = false;

    *ret = (struct counts){{0}};
    while (f && fgets(line, sizeof line, f)) {
        char *rest = line, *word, *last = NULL;
        long calls = 0;
        for (int i = 0; (word = strsep(&rest, " \n"));) {
            if (!*word)
                continue;
            if (++i == 4)
                calls = strtol(word, NULL, 10);
            last = word;
        }
        whole = whole || (last && strcmp(last, "total") == 0);
        for (size_t i = 0; last && i < FAULTS; i++)
            if (strcmp(faults[i].call, last) == 0)
                ret->of[i] = calls;
    }
    if (f)
        (void)fclose(f);
    return whole;
}

static bool count(struct trouble *t, struct counts *ret)
{
    struct tmpdir_file path = tmpdir_file(&t->rig->dir, "counts");
    const char *const prefix[] = {"strace", "-D", "-f", "-c", "-o", path.path, NULL};
    struct run run = {.prefix = prefix, .is_clean = true};

    if (trouble_play(t, &run, "counting under strace"))
        return false;
    /* The tracer writes when the last of its threads has gone, which may be after the program has. */
    return WAIT_UNTIL(read_counts(path.path, ret), 5000);
}

static void play(struct trouble *t, size_t fault, long n)
{
    char trace[64], inject[120], what[256];

    (void)snprintf(trace, sizeof trace, "trace=%s", faults[fault].call);
    (void)snprintf(inject, sizeof inject, "inject=%s:%s:when=%ld", faults[fault].call,
                   faults[fault].how, n);
    (void)snprintf(what, sizeof what, "strace -D -f -e %s -e %s", trace, inject);
    const char *const prefix[] = {"strace", "-D",  "-f", "-qq",  "-o", "/dev/null",
                                  "-e",     trace, "-e", inject, NULL};
    struct run run = {
        .prefix = prefix,
        .is_clean = true,
        /* libuv has no way to say that it got no thread, no stack for one, or no watch. */
        .may_abort = strcmp(faults[fault].call, "clone3") == 0 ||
                     strcmp(faults[fault].call, "epoll_ctl") == 0 ||
                     strcmp(faults[fault].call, "mmap") == 0,
        .may_die = strstr(faults[fault].how, "KILL") != NULL};
    (void)trouble_play(t, &run, what);
}

void trouble_strace(struct trouble *t)
{
    struct counts counts;
    uint64_t x = 88172645463325252u + t->o->seed;
    size_t runs = t->o->runs ? t->o->runs : SAMPLE;

    if (!count(t, &counts))
        return;
    for (size_t i = 0; i < runs;) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        size_t fault = (size_t)(x % FAULTS);
        long most = counts.of[fault] < NUMBER_MAX ? counts.of[fault] : NUMBER_MAX;
        i++;
        if (most > 0)
            play(t, fault, 1 + (long)(x / FAULTS % (uint64_t)most));
    }
}
