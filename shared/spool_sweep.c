/* Debris: what writers that have died left behind. */
#include "shared/clock.h"
#include "shared/spool_internal.h"
#include "shared/spool_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { DAY_MS = 24 * 60 * 60 * 1000, SUFFIX_LEN = 5 /* in tmp/: ".data", ".json" */ };

struct sweep {
    struct spool *spool;
    const struct spool_sweep_options *options;
    int dir_fd;
    const char *dir;
    int64_t now_ms;
    size_t swept;
};

static bool is_older(const struct stat *st, int64_t before_ms)
{
    int64_t written_ms =
        (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;

    return !S_ISDIR(st->st_mode) && written_ms < before_ms;
}

/* Whether nobody writes to this file of dir_fd: its lock can be had.  What is no file of ours has no writer. */
static bool is_abandoned(const struct sweep *w, const char *name, const struct stat *st)
{
    CLEANUP(fd_close) int fd = -1;

    if (!S_ISREG(st->st_mode))
        return true;
    fd = openat(w->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno != ENOENT && is_older(st, w->now_ms - DAY_MS);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true; /* until it is closed, which is soon enough: writers lock what they have just made */
    return errno != EWOULDBLOCK && is_older(st, w->now_ms - DAY_MS);
}

/* A manifest in tmp/ belongs to the data beside it.  Without that its writer may stand between its two renames. */
static bool is_debris_in_tmp(const struct sweep *w, const char *name,
                             const struct stat *st)
{
    size_t len = strlen(name);
    char data[SPOOL_TMP_NAME];
    struct stat of_data;

    if (len != SPOOL_TMP_NAME - 1 || strcmp(name + len - SUFFIX_LEN, ".json") != 0)
        return is_abandoned(w, name, st);
    (void)snprintf(data, sizeof data, "%.*s.data", (int)(len - SUFFIX_LEN), name);
    if (fstatat(w->dir_fd, data, &of_data, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT && is_older(st, w->now_ms - DAY_MS);
    return is_abandoned(w, data, &of_data);
}

/* Data without its manifest, and what was never all of a job. */
static bool is_debris_in_jobs(const struct sweep *w, const char *name,
                              const struct stat *st)
{
    char manifest[SPOOL_JOB_NAME];
    struct job_id id;
    struct stat of_manifest;

    if (!spool_parse_name(name, ".data", &id))
        return true;
    spool_job_name(&id, ".json", manifest);
    return is_abandoned(w, name, st) &&
           fstatat(w->dir_fd, manifest, &of_manifest, AT_SYMLINK_NOFOLLOW) < 0 &&
           errno == ENOENT;
}

/* The id in a name in jobs/ tells young ones, and jobs are none, without a look at the disk.  What may be debris is so when
 * nothing was written to it since *ret_ms. */
static bool may_be_debris(const struct sweep *w, const char *name, bool in_jobs,
                          int64_t *ret_ms)
{
    struct job_id id;

    *ret_ms = w->now_ms - w->options->tmp_age_ms;
    if (!in_jobs)
        return true;
    if (!spool_parse_name(name, ".new", &id)) {
        *ret_ms = w->now_ms - w->options->jobs_age_ms;
        if (!spool_parse_name(name, ".data", &id))
            return false;
    }
    return id_uuid_ms(id.uuid.text) < *ret_ms;
}

/* A manifest in tmp/ may stand for a promise that a key's record waits for.  False: that cannot be undone now. */
static bool lose_promise(const struct sweep *w, const char *name)
{
    size_t len = strlen(name);

    return len != SPOOL_TMP_NAME - 1 || strcmp(name + len - SUFFIX_LEN, ".json") != 0 ||
           spool_key_forget_of(w->spool, name);
}

static void sweep_one(struct sweep *w, const char *name, bool in_jobs)
{
    const struct spool_sweep_options *o = w->options;
    char path[sizeof "jobs/" + 256];
    struct stat st;
    int64_t since_ms;

    if (!may_be_debris(w, name, in_jobs, &since_ms) ||
        fstatat(w->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !is_older(&st, since_ms))
        return;
    if (!(in_jobs ? is_debris_in_jobs : is_debris_in_tmp)(w, name, &st))
        return;
    if (!o->dry_run &&
        ((!in_jobs && !lose_promise(w, name)) || unlinkat(w->dir_fd, name, 0) < 0))
        return;
    w->swept++;
    (void)snprintf(path, sizeof path, "%s/%s", w->dir, name); /* a name has 255 bytes */
    if (o->on_file)
        o->on_file(path, o->ctx);
}

static void sweep_dir(struct sweep *w, bool in_jobs)
{
    DIR *stream = w->swept < w->options->max ? spool_open_stream(w->dir_fd) : NULL;
    struct dirent *entry;

    if (!stream)
        return; /* the next pass tries again */
    while (w->swept < w->options->max && (entry = readdir(stream)))
        sweep_one(w, entry->d_name, in_jobs);
    (void)closedir(stream);
}

size_t spool_sweep_files(struct spool *s, const struct spool_sweep_options *o)
{
    struct sweep w = {.spool = s,
                      .options = o,
                      .dir_fd = s->tmp_fd,
                      .dir = "tmp",
                      .now_ms = clock_wall_ms()};

    sweep_dir(&w, false);
    w.dir_fd = s->jobs_fd;
    w.dir = "jobs";
    sweep_dir(&w, true);
    return w.swept;
}

size_t spool_sweep(struct spool *s, int64_t age_ms, size_t max)
{
    struct spool_sweep_options o = {
        .tmp_age_ms = age_ms, .jobs_age_ms = age_ms, .max = max};

    return spool_sweep_files(s, &o);
}
