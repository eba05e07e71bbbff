/* Taking over a file that somebody else has written. */
#include "shared/spool_internal.h"

#include "shared/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum err_code spool_check_adoptable(const struct spool *s, int dir_fd, struct err *e)
{
    struct stat dir, tmp;

    if (fstat(dir_fd, &dir) < 0 || fstat(s->tmp_fd, &tmp) < 0)
        return spool_errno(e, "look at a directory");
    if (dir.st_dev == tmp.st_dev)
        return ERR_OK;
    return err_set(e, ERR_CONFIG,
                   "it is not on the file system of [spool] dir, %s: a rename must be "
                   "able to move files between them",
                   s->dir);
}

/* What was moved is what the caller has opened, and nobody can come to it by another name. */
static enum err_code check_moved(struct spool *s, const char *name, int fd,
                                 struct err *e)
{
    struct stat moved, opened;

    if (fstatat(s->tmp_fd, name, &moved, AT_SYMLINK_NOFOLLOW) < 0 ||
        fstat(fd, &opened) < 0)
        return spool_errno(e, "look at a file in tmp/");
    if (moved.st_dev != opened.st_dev || moved.st_ino != opened.st_ino)
        return err_set(e, ERR_REJECT, "it was replaced while it was looked at");
    if (opened.st_nlink != 1)
        return err_set(e, ERR_REJECT, "it has %ju names", (uintmax_t)opened.st_nlink);
    return ERR_OK;
}

static enum err_code lock(int fd, struct err *e)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno == ENOLCK || errno == EOPNOTSUPP)
        return ERR_OK;
    if (errno == EWOULDBLOCK)
        return err_errno(e, ERR_REJECT, "somebody has locked it");
    return spool_errno(e, "lock a file");
}

/* The lock comes first: a sweep takes what stands in tmp/ without one, however young its name is there. */
static enum err_code take_over(struct spool *s, const struct spool_foreign *f,
                               struct spool_upload *u, struct err *e)
{
    char name[SPOOL_TMP_NAME];
    struct stat st;

    if (fstat(f->fd, &st) < 0)
        return spool_errno(e, "look at a file");
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return err_set(e, ERR_REJECT, "it is not a regular file of ours");
    u->fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    if (u->fd < 0)
        return spool_errno(e, "duplicate a descriptor");
    if (lock(u->fd, e))
        return e->code;
    spool_tmp_name(&u->uuid, ".data", name);
    if (renameat(f->dir_fd, f->name, s->tmp_fd, name) < 0)
        return errno == EXDEV ? err_errno(e, ERR_CONFIG, "move it to tmp/")
                              : spool_errno(e, "move a file to tmp/");
    if (check_moved(s, name, u->fd, e)) {
        (void)unlinkat(s->tmp_fd, name, 0); /* what stays is swept */
        return e->code;
    }
    return ERR_OK;
}

enum err_code spool_adopt(struct spool *s, const struct spool_foreign *f,
                          struct spool_upload *ret_upload, struct err *e)
{
    struct spool_upload u = {
        .fd = -1, .uuid = id_new(), .sha256 = spool_take_digest(s), .is_adopted = true};

    if (spool_refuse_unsynced(s, e) || digest_sha256_init(&u.sha256, e) ||
        take_over(s, f, &u, e)) {
        spool_forget(s, &u);
        return e->code;
    }
    *ret_upload = u;
    return ERR_OK;
}
