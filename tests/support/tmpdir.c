#include "tests/support/tmpdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(const char *what, const char *path)
{
    fprintf(stderr, "tmpdir: %s %s: %s\n", what, path, strerror(errno));
    abort();
}

void tmpdir_make(struct tmpdir *d)
{
    const char *base = getenv("TMPDIR");

    if (!base || !*base || strlen(base) + sizeof "/hoist.XXXXXX" > sizeof d->path)
        base = "/tmp";
    (void)snprintf(d->path, sizeof d->path, "%s/hoist.XXXXXX", base);
    if (!mkdtemp(d->path))
        die("mkdtemp", d->path);
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *at)
{
    (void)st;
    (void)at;
    int rc = type == FTW_DP ? rmdir(path) : unlink(path);
    if (rc < 0)
        fprintf(stderr, "tmpdir: remove %s: %s\n", path, strerror(errno));
    return 0;
}

void tmpdir_remove(struct tmpdir *d)
{
    if (!d->path[0])
        return;
    if (nftw(d->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0)
        fprintf(stderr, "tmpdir: walk %s: %s\n", d->path, strerror(errno));
    d->path[0] = '\0';
}

struct tmpdir_file tmpdir_file(const struct tmpdir *d, const char *name)
{
    struct tmpdir_file f;

    if ((size_t)snprintf(f.path, sizeof f.path, "%s/%s", d->path, name) >=
        sizeof f.path)
        die("too long:", name);
    return f;
}

struct tmpdir_file tmpdir_write(const struct tmpdir *d, const char *name,
                                const void *data, size_t len)
{
    struct tmpdir_file f = tmpdir_file(d, name);
    int fd = open(f.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        die("open", f.path);
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)data + done, len - done);
        if (n < 0)
            die("write", f.path);
        done += (size_t)n;
    }
    (void)close(fd); /* a test reads it back: what is missing shows there */
    return f;
}

size_t tmpdir_count(const char *path, const char *suffix)
{
    DIR *dir = opendir(path);
    size_t n = 0, tail = strlen(suffix);

    if (!dir)
        die("opendir", path);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t len = strlen(entry->d_name);
        n += entry->d_name[0] != '.' && len >= tail &&
             strcmp(entry->d_name + len - tail, suffix) == 0;
    }
    (void)closedir(dir);
    return n;
}
