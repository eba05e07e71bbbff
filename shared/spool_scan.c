#include "shared/clock.h"
#include "shared/spool_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SUFFIX_LEN = 5 }; /* ".data", ".json" */

DIR *spool_open_stream(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (!stream)
        fd_close(&fd);
    return stream;
}

bool spool_parse_name(const char *name, const char *suffix, struct job_id *ret_id)
{
    size_t len = strlen(name);

    return len > SUFFIX_LEN && strcmp(name + len - SUFFIX_LEN, suffix) == 0 &&
           id_parse_job(name, len - SUFFIX_LEN, ret_id);
}

/* --- Scan --- */

struct spool_scan {
    DIR *stream;
    int error; /* errno that ended the scan; 0: none did */
};

enum err_code spool_scan_open(struct spool *s, struct spool_scan **ret_scan,
                              struct err *e)
{
    struct spool_scan *scan = calloc(1, sizeof *scan);

    if (!scan)
        return err_set(e, ERR_NOMEM, "spool: no memory for a scan");
    scan->stream = spool_open_stream(s->jobs_fd);
    if (!scan->stream) {
        enum err_code code = spool_errno(e, "read jobs/");
        free(scan);
        return code;
    }
    *ret_scan = scan;
    return ERR_OK;
}

bool spool_scan_next(struct spool_scan *scan, struct job_id *ret_id)
{
    struct dirent *entry;

    for (;;) {
        errno = 0;
        entry = readdir(scan->stream);
        if (!entry)
            break;
        if (spool_parse_name(entry->d_name, ".json", ret_id))
            return true;
    }
    scan->error = errno;
    return false;
}

enum err_code spool_scan_error(const struct spool_scan *scan, struct err *e)
{
    if (scan->error == 0)
        return ERR_OK;
    errno = scan->error;
    return err_errno(e, ERR_RETRY, "spool: read jobs/");
}

void spool_scan_close(struct spool_scan *scan)
{
    if (!scan)
        return;
    (void)closedir(scan->stream);
    free(scan);
}

/* --- Sweep --- */

static bool is_older(int dir_fd, const char *name, int64_t before_ms)
{
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
        return false;
    return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 < before_ms;
}

static bool is_debris_in_tmp(int dir_fd, const char *name, int64_t before_ms)
{
    return is_older(dir_fd, name, before_ms);
}

/* Data without its manifest.  The id tells young ones without a look at the disk. */
static bool is_debris_in_jobs(int dir_fd, const char *name, int64_t before_ms)
{
    char manifest[SPOOL_JOB_NAME];
    struct job_id id;
    struct stat st;

    if (!spool_parse_name(name, ".data", &id) ||
        id_uuid_ms(id.uuid.text) >= before_ms || !is_older(dir_fd, name, before_ms))
        return false;
    spool_job_name(&id, ".json", manifest);
    return fstatat(dir_fd, manifest, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static size_t sweep_dir(int dir_fd, int64_t before_ms, size_t max,
                        bool (*is_debris)(int dir_fd, const char *name,
                                          int64_t before_ms))
{
    DIR *stream = max > 0 ? spool_open_stream(dir_fd) : NULL;
    size_t removed = 0;
    struct dirent *entry;

    if (!stream)
        return 0; /* the next pass tries again */
    while (removed < max && (entry = readdir(stream)))
        if (is_debris(dir_fd, entry->d_name, before_ms) &&
            unlinkat(dir_fd, entry->d_name, 0) == 0)
            removed++;
    (void)closedir(stream);
    return removed;
}

size_t spool_sweep(struct spool *s, int64_t age_ms, size_t max)
{
    int64_t before_ms = clock_wall_ms() - age_ms;
    size_t removed = sweep_dir(s->tmp_fd, before_ms, max, is_debris_in_tmp);

    return removed + sweep_dir(s->jobs_fd, before_ms, max - removed, is_debris_in_jobs);
}
