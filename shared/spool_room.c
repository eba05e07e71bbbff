/* How much room there is, and taking it before it is needed. */
#include "shared/spool_internal.h"

#include "shared/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* --- One upload --- */

enum err_code spool_expect(struct spool *s, struct spool_upload *u, int64_t size,
                           struct err *e)
{
    int rc;

    if (size <= u->size || (u->is_small && (uint64_t)size <= u->small.max))
        return ERR_OK;
    if (u->is_small && spool_unfold(s, u, e))
        return e->code;
    do {
        rc = fallocate(u->fd, FALLOC_FL_KEEP_SIZE, 0, size);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return errno == EOPNOTSUPP || errno == ENOSYS
                   ? ERR_OK
                   : spool_errno(e, "take room for an upload");
    u->expected = size;
    return ERR_OK;
}

static int64_t blocks_of(const struct spool *s, int64_t bytes)
{
    return bytes / s->block_bytes + (bytes % s->block_bytes != 0);
}

enum err_code spool_give_back(struct spool *s, struct spool_upload *u, struct err *e)
{
    int rc;

    if (blocks_of(s, u->expected) <= blocks_of(s, u->size))
        return ERR_OK;
    do {
        rc = ftruncate(u->fd, u->size); /* the size stays */
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? spool_errno(e, "give back room") : ERR_OK;
}

/* --- All --- */

static enum err_code count_data(struct spool *s, struct spool_usage *u, struct err *e)
{
    DIR *stream = spool_open_stream(s->jobs_fd);
    struct dirent *entry;
    int error = 0;

    if (!stream)
        return spool_errno(e, "read jobs/");
    u->files = u->data_bytes = 0;
    while (error == 0 && (errno = 0, entry = readdir(stream))) {
        struct job_id id;
        struct stat st;
        if (!spool_parse_name(entry->d_name, ".data", &id) &&
            !spool_parse_name(entry->d_name, ".job", &id))
            continue;
        if (fstatat(s->jobs_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            u->files++;
            u->data_bytes += st.st_size;
        } else if (errno != ENOENT) { /* removed a moment ago */
            error = errno;
        }
    }
    if (error == 0)
        error = errno;
    (void)closedir(stream); /* read only */
    errno = error;
    return error == 0 ? ERR_OK : spool_errno(e, "read jobs/");
}

enum err_code spool_measure(struct spool *s, bool count, struct spool_usage *ret,
                            struct err *e)
{
    struct statvfs v;

    if (fstatvfs(s->jobs_fd, &v) < 0)
        return spool_errno(e, "ask the file system");
    struct spool_usage u = {
        .bytes = (int64_t)((v.f_blocks - v.f_bavail) * v.f_frsize),
        .bytes_max = (int64_t)(v.f_blocks * v.f_frsize),
        .inodes = (int64_t)(v.f_files - v.f_favail),
        .inodes_max = (int64_t)v.f_files,
        .files = -1,
        .data_bytes = -1,
    };
    if (count && count_data(s, &u, e))
        return e->code;
    *ret = u;
    return ERR_OK;
}
