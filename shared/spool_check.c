/* Whether the spool is where it was and keeps what it is given. */
#include "shared/spool_internal.h"

#include "shared/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

/* --- Syncs that fail --- */

void spool_note_sync_error(struct spool *s)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return;
    atomic_store(&s->sync_errno, errno);
    (void)atomic_fetch_add(&s->sync_errors, 1);
}

void spool_note_synced(struct spool *s)
{
    if (atomic_load(&s->sync_errors) != 0)
        atomic_store(&s->sync_errors, 0);
}

static bool is_unsynced(struct spool *s)
{
    return atomic_load(&s->sync_errors) >= SPOOL_SYNC_ERRORS;
}

enum err_code spool_refuse_unsynced(struct spool *s, struct err *e)
{
    if (!is_unsynced(s))
        return ERR_OK;
    errno = atomic_load(&s->sync_errno);
    return err_errno(e, ERR_RETRY,
                     "spool: no uploads are taken, %d syncs have failed; the latest",
                     SPOOL_SYNC_ERRORS);
}

bool spool_writes_late(int fd)
{
    static const uint32_t ours[] = {TMPFS_MAGIC, EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,
                                    BTRFS_SUPER_MAGIC};
    struct statfs v;

    if (fstatfs(fd, &v) < 0)
        return true;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if ((uint32_t)v.f_type == ours[i])
            return false;
    return true;
}

/* What a commit does, with data alone. */
static enum err_code commit_probe(struct spool *s, const char *tmp, const char *name,
                                  struct err *e)
{
    static const char text[] = "whether syncs work\n";
    CLEANUP(fd_close) int fd = -1;

    if (spool_create(s->tmp_fd, tmp, &fd, e) ||
        spool_write_all(fd, text, sizeof text - 1, e) ||
        spool_sync_and_close(s, &fd, e))
        return e->code;
    if (renameat(s->tmp_fd, tmp, s->jobs_fd, name) < 0)
        return spool_errno(e, "move a file to jobs/");
    return spool_sync_jobs(s, e);
}

static enum err_code probe(struct spool *s, struct err *e)
{
    const struct job_id id = {.queue = "probe", .uuid = id_new()};
    char tmp[SPOOL_TMP_NAME], name[SPOOL_JOB_NAME];

    spool_tmp_name(&id.uuid, ".data", tmp);
    spool_job_name(&id, ".data", name);
    enum err_code code = commit_probe(s, tmp, name, e);
    (void)unlinkat(s->tmp_fd, tmp, 0); /* may not be there; what stays is swept */
    (void)unlinkat(s->jobs_fd, name, 0);
    if (code != ERR_OK)
        return err_prefix(e, "no uploads are taken, and a probe fails");
    spool_note_synced(s);
    return ERR_OK;
}

/* --- Where it is --- */

enum err_code spool_check_mounted(struct spool *s, struct err *e)
{
    struct stat dir, above;

    if (!s->own_filesystem)
        return ERR_OK;
    if (fstat(s->dir_fd, &dir) < 0 || fstatat(s->dir_fd, "..", &above, 0) < 0)
        return err_errno(e, ERR_CONFIG, "spool: look above %s", s->dir);
    if (dir.st_dev != above.st_dev)
        return ERR_OK;
    return err_set(e, ERR_CONFIG,
                   "spool: no file system is mounted at %s: mount it, or set [spool] "
                   "own_filesystem = no",
                   s->dir);
}

static enum err_code check_same(int at_fd, const char *path, int opened_fd,
                                struct err *e)
{
    struct stat there, opened;

    if (fstatat(at_fd, path, &there, 0) < 0 || fstat(opened_fd, &opened) < 0)
        return err_errno(e, ERR_CONFIG, "spool: look at %s", path);
    if (there.st_dev == opened.st_dev && there.st_ino == opened.st_ino)
        return ERR_OK;
    return err_set(e, ERR_CONFIG,
                   "spool: %s is not the directory that was opened: put it (or mount "
                   "it) back, or start this program anew",
                   path);
}

enum err_code spool_check(struct spool *s, struct err *e)
{
    struct statvfs v;

    if (check_same(AT_FDCWD, s->dir, s->dir_fd, e))
        return e->code;
    if (check_same(s->dir_fd, "tmp", s->tmp_fd, e) ||
        check_same(s->dir_fd, "jobs", s->jobs_fd, e))
        return err_prefix(e, "%s", s->dir);
    if (spool_check_mounted(s, e))
        return e->code;
    if (fstatvfs(s->jobs_fd, &v) < 0)
        return spool_errno(e, "ask the file system");
    if (v.f_flag & ST_RDONLY) {
        errno = EROFS;
        return err_errno(e, ERR_CONFIG, "spool: %s", s->dir);
    }
    return is_unsynced(s) ? probe(s, e) : ERR_OK;
}
