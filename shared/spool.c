#include "shared/spool_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { BLOCK_MAX = 4096 }; /* no file system of ours has larger ones; NFS says so */

/* --- Shared by the files of this module --- */

void spool_tmp_name(const struct uuid *uuid, const char *suffix,
                    char ret[static SPOOL_TMP_NAME])
{
    memcpy(ret, uuid->text, ID_UUID_LEN);
    memcpy(ret + ID_UUID_LEN, suffix, SPOOL_SUFFIX + 1);
}

void spool_job_name(const struct job_id *id, const char *suffix,
                    char ret[static SPOOL_JOB_NAME])
{
    id_format_job(id, ret);
    memcpy(ret + strlen(ret), suffix, strlen(suffix) + 1);
}

enum err_code spool_errno(struct err *e, const char *doing)
{
    static const int for_operators[] = {EACCES, EPERM, EROFS, ENOENT, ENOTDIR, ESTALE};
    enum err_code code = ERR_RETRY;

    for (size_t i = 0; i < sizeof for_operators / sizeof for_operators[0]; i++)
        if (errno == for_operators[i])
            code = ERR_CONFIG;
    return err_errno(e, code, "spool: %s", doing);
}

enum err_code spool_write_all(int fd, const void *data, size_t len, struct err *e)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = EIO; /* write(2) of more than nothing that writes nothing */
            return spool_errno(e, "write");
        }
        p += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

enum err_code spool_create(int dir_fd, const char *name, int *ret_fd, struct err *e)
{
    int fd;

    do {
        fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return spool_errno(e, "create a file");
    *ret_fd = fd;
    return ERR_OK;
}

/* --- Opening --- */

/* The directory must be ours and closed to others: whoever can write into it can plant jobs. */
static enum err_code check_dir(int fd, const char *what, struct stat *ret_stat,
                               struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(e, ERR_CONFIG, "spool: %s", what);
    if (st.st_uid != geteuid())
        return err_set(e, ERR_CONFIG,
                       "spool: %s belongs to user %ju; it must belong to user %ju, who "
                       "runs this",
                       what, (uintmax_t)st.st_uid, (uintmax_t)geteuid());
    if ((st.st_mode & 0777) != 0700)
        return err_set(e, ERR_CONFIG,
                       "spool: %s has mode %04o; it must be 0700 (chmod 700)", what,
                       (unsigned)(st.st_mode & 07777));
    *ret_stat = st;
    return ERR_OK;
}

static enum err_code make_dir(int at_fd, const char *path, struct err *e)
{
    if (mkdirat(at_fd, path, 0700) == 0 || errno == EEXIST)
        return ERR_OK;
    return err_errno(e, ERR_CONFIG, "spool: make directory %s%s", path,
                     errno == ENOENT ? "; the directory above it must exist" : "");
}

/* flags: O_NOFOLLOW or 0. */
static enum err_code open_dir(int at_fd, const char *path, int flags, int *ret_fd,
                              struct err *e)
{
    int fd = openat(at_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    if (fd < 0)
        return err_errno(e, ERR_CONFIG, "spool: open directory %s", path);
    *ret_fd = fd;
    return ERR_OK;
}

static enum err_code open_top(struct spool *s, const struct spool_options *o,
                              struct err *e)
{
    if (!o->own_filesystem)
        return make_dir(AT_FDCWD, o->dir, e) ||
                       open_dir(AT_FDCWD, o->dir, 0, &s->dir_fd, e)
                   ? e->code
                   : ERR_OK;
    if (open_dir(AT_FDCWD, o->dir, 0, &s->dir_fd, e))
        return err_prefix(e, "[spool] own_filesystem: it must be a mount point");
    return ERR_OK;
}

static enum err_code open_below(struct spool *s, const struct spool_options *o,
                                struct err *e)
{
    struct stat top, tmp, jobs;

    if (open_top(s, o, e) || check_dir(s->dir_fd, o->dir, &top, e) ||
        spool_check_mounted(s, e))
        return e->code;
    if (make_dir(s->dir_fd, "tmp", e) ||
        open_dir(s->dir_fd, "tmp", O_NOFOLLOW, &s->tmp_fd, e) ||
        check_dir(s->tmp_fd, "tmp/", &tmp, e) || make_dir(s->dir_fd, "jobs", e) ||
        open_dir(s->dir_fd, "jobs", O_NOFOLLOW, &s->jobs_fd, e) ||
        check_dir(s->jobs_fd, "jobs/", &jobs, e))
        return err_prefix(e, "%s", o->dir);
    s->block_bytes = tmp.st_blksize < BLOCK_MAX ? tmp.st_blksize : BLOCK_MAX;
    if (tmp.st_dev != jobs.st_dev)
        return err_set(e, ERR_CONFIG,
                       "spool: %s: tmp/ and jobs/ are on different file systems; a "
                       "rename must be able to move files between them",
                       o->dir);
    return ERR_OK;
}

/* The directories themselves must survive a power cut, whoever made them. */
static enum err_code sync_dirs(struct spool *s, struct err *e)
{
    CLEANUP(fd_close)
    int parent = openat(s->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fsync(s->jobs_fd) < 0 || fsync(s->dir_fd) < 0)
        return err_errno(e, ERR_CONFIG, "spool: sync the directory");
    if (parent >= 0 &&
        fsync(parent) < 0) /* not readable: it was made by someone else */
        return err_errno(e, ERR_CONFIG, "spool: sync the directory above");
    return ERR_OK;
}

enum err_code spool_open(const struct spool_options *o, struct spool **ret_spool,
                         struct err *e)
{
    struct spool *s = calloc(1, sizeof *s);
    char *dir = strdup(o->dir);

    if (!s || !dir) {
        free(s);
        free(dir);
        return err_set(e, ERR_NOMEM, "spool: no memory");
    }
    s->dir = dir;
    s->dir_fd = s->tmp_fd = s->jobs_fd = -1;
    s->durable = o->durable;
    s->own_filesystem = o->own_filesystem;
    s->small_bytes =
        o->small_bytes < SPOOL_SMALL_MAX ? o->small_bytes : SPOOL_SMALL_MAX;
    s->uid = geteuid();
    (void)pthread_mutex_init(&s->sync_lock, NULL); /* cannot fail on Linux */
    (void)pthread_mutex_init(&s->digest_lock, NULL);
    (void)pthread_cond_init(&s->sync_done, NULL);
    if (open_below(s, o, e) || (o->durable && sync_dirs(s, e))) {
        spool_close(s);
        return e->code;
    }
    s->close_tells = !o->durable && spool_writes_late(s->tmp_fd);
    *ret_spool = s;
    return ERR_OK;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    fd_close(&s->dir_fd);
    fd_close(&s->tmp_fd);
    fd_close(&s->jobs_fd);
    for (size_t i = 0; i < s->digest_count; i++)
        digest_sha256_release(&s->digests[i]);
    (void)pthread_cond_destroy(&s->sync_done);
    (void)pthread_mutex_destroy(&s->digest_lock);
    (void)pthread_mutex_destroy(&s->sync_lock);
    free(s->dir);
    free(s);
}

/* --- Digests: making a context costs as much as hashing a small upload --- */

struct digest_sha256 spool_take_digest(struct spool *s)
{
    struct digest_sha256 d = DIGEST_SHA256_INIT;

    (void)pthread_mutex_lock(&s->digest_lock);
    if (s->digest_count > 0)
        d = s->digests[--s->digest_count];
    (void)pthread_mutex_unlock(&s->digest_lock);
    return d;
}

void spool_give_digest(struct spool *s, struct digest_sha256 *d)
{
    bool kept = false;

    (void)pthread_mutex_lock(&s->digest_lock);
    if (s->digest_count < SPOOL_DIGESTS_MAX) {
        s->digests[s->digest_count++] = *d;
        kept = true;
    }
    (void)pthread_mutex_unlock(&s->digest_lock);
    if (!kept)
        digest_sha256_release(d);
}

/* --- Writing --- */

/* A new file in tmp/, with the lock that tells a sweep that its writer lives, however long it takes. */
static enum err_code create_locked(struct spool *s, const char *name, int *ret_fd,
                                   struct err *e)
{
    CLEANUP(fd_close) int fd = -1;

    if (spool_create(s->tmp_fd, name, &fd, e))
        return e->code;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno != ENOLCK && errno != EOPNOTSUPP) {
        enum err_code code = spool_errno(e, "lock a file in tmp/");
        (void)unlinkat(s->tmp_fd, name, 0); /* what stays is swept */
        return code;
    }
    *ret_fd = TAKE_FD(fd);
    return ERR_OK;
}

enum err_code spool_unfold(struct spool *s, struct spool_upload *u, struct err *e)
{
    char name[SPOOL_TMP_NAME];

    spool_tmp_name(&u->uuid, ".data", name);
    if (create_locked(s, name, &u->fd, e))
        return e->code;
    u->is_small = false;
    enum err_code code = spool_write_all(u->fd, u->small.data, u->small.len, e);
    buf_release(&u->small);
    return code;
}

enum err_code spool_begin(struct spool *s, struct spool_upload *ret_upload,
                          struct err *e)
{
    struct spool_upload u = {.fd = -1,
                             .is_small = true,
                             .small = BUF_INIT(s->small_bytes),
                             .uuid = id_new(),
                             .sha256 = spool_take_digest(s)};

    if (spool_refuse_unsynced(s, e) || digest_sha256_init(&u.sha256, e) ||
        (s->small_bytes == 0 && spool_unfold(s, &u, e))) {
        spool_give_digest(s, &u.sha256);
        return e->code;
    }
    *ret_upload = u;
    return ERR_OK;
}

enum err_code spool_begin_digest(struct spool *s, struct spool_upload *ret_upload,
                                 struct err *e)
{
    struct spool_upload u = {
        .fd = -1, .uuid = id_new(), .sha256 = spool_take_digest(s)};

    if (digest_sha256_init(&u.sha256, e)) {
        spool_give_digest(s, &u.sha256);
        return e->code;
    }
    *ret_upload = u;
    return ERR_OK;
}

enum err_code spool_write(struct spool *s, struct spool_upload *u, const void *data,
                          size_t len, struct err *e)
{
    if (u->is_small && len > u->small.max - u->small.len && spool_unfold(s, u, e))
        return e->code;
    if (u->is_small && !buf_add(&u->small, data, len))
        return err_set(e, ERR_NOMEM, "spool: no memory for an upload");
    if (u->fd >= 0 && !u->is_adopted && spool_write_all(u->fd, data, len, e))
        return e->code;
    digest_sha256_update(&u->sha256, data, len);
    u->crc32c = digest_crc32c(u->crc32c, data, len);
    u->size += (int64_t)len;
    return ERR_OK;
}

enum err_code spool_sum(struct spool_upload *u, uint8_t ret_sum[DIGEST_SHA256_BYTES],
                        struct err *e)
{
    if (!u->is_summed && digest_sha256_final(&u->sha256, u->sum, e))
        return e->code;
    u->is_summed = true;
    memcpy(ret_sum, u->sum, sizeof u->sum);
    return ERR_OK;
}

void spool_forget(struct spool *s, struct spool_upload *u)
{
    fd_close(&u->fd);
    buf_release(&u->small);
    spool_give_digest(s, &u->sha256);
    *u = (struct spool_upload)SPOOL_UPLOAD_INIT;
}

void spool_abort(struct spool *s, struct spool_upload *u)
{
    char name[SPOOL_TMP_NAME];

    if (u->uuid.text[0] == '\0')
        return;
    spool_tmp_name(&u->uuid, ".data", name);
    if (!u->is_small)
        (void)unlinkat(s->tmp_fd, name, 0); /* what stays is swept */
    spool_forget(s, u);
}

bool spool_is_full(const struct err *e)
{
    return e->os_errno == ENOSPC || e->os_errno == EDQUOT || e->os_errno == EFBIG;
}
