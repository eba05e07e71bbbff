#include "shared/spool_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    memcpy(ret + strlen(ret), suffix, SPOOL_SUFFIX + 1);
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

enum err_code spool_create_tmp(struct spool *s, const char *name, int *ret_fd,
                               struct err *e)
{
    int fd;

    do {
        fd = openat(s->tmp_fd, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return spool_errno(e, "create a file in tmp/");
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

/* Make (where missing) and open a directory below at_fd.  flags: O_NOFOLLOW or 0. */
static enum err_code open_dir(int at_fd, const char *path, int flags, int *ret_fd,
                              struct err *e)
{
    if (mkdirat(at_fd, path, 0700) < 0 && errno != EEXIST)
        return err_errno(e, ERR_CONFIG, "spool: make directory %s%s", path,
                         errno == ENOENT ? "; the directory above it must exist" : "");
    int fd = openat(at_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    if (fd < 0)
        return err_errno(e, ERR_CONFIG, "spool: open directory %s", path);
    *ret_fd = fd;
    return ERR_OK;
}

static enum err_code open_below(struct spool *s, const struct spool_options *o,
                                struct err *e)
{
    struct stat top, tmp, jobs;

    if (open_dir(AT_FDCWD, o->dir, 0, &s->dir_fd, e) ||
        check_dir(s->dir_fd, o->dir, &top, e))
        return e->code;
    if (open_dir(s->dir_fd, "tmp", O_NOFOLLOW, &s->tmp_fd, e) ||
        check_dir(s->tmp_fd, "tmp/", &tmp, e) ||
        open_dir(s->dir_fd, "jobs", O_NOFOLLOW, &s->jobs_fd, e) ||
        check_dir(s->jobs_fd, "jobs/", &jobs, e))
        return err_prefix(e, "%s", o->dir);
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

    if (!s)
        return err_set(e, ERR_NOMEM, "spool: no memory");
    s->dir_fd = s->tmp_fd = s->jobs_fd = -1;
    s->durable = o->durable;
    (void)pthread_mutex_init(&s->sync_lock, NULL); /* cannot fail on Linux */
    (void)pthread_mutex_init(&s->digest_lock, NULL);
    (void)pthread_cond_init(&s->sync_done, NULL);
    if (open_below(s, o, e) || (o->durable && sync_dirs(s, e))) {
        spool_close(s);
        return e->code;
    }
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
    free(s);
}

/* --- Digests: making a context costs as much as hashing a small upload --- */

static struct digest_sha256 take_digest(struct spool *s)
{
    struct digest_sha256 d = DIGEST_SHA256_INIT;

    (void)pthread_mutex_lock(&s->digest_lock);
    if (s->digest_count > 0)
        d = s->digests[--s->digest_count];
    (void)pthread_mutex_unlock(&s->digest_lock);
    return d;
}

static void give_digest(struct spool *s, struct digest_sha256 *d)
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

enum err_code spool_begin(struct spool *s, struct spool_upload *ret_upload,
                          struct err *e)
{
    struct spool_upload u = {.fd = -1, .uuid = id_new(), .sha256 = take_digest(s)};
    char name[SPOOL_TMP_NAME];

    spool_tmp_name(&u.uuid, ".data", name);
    if (digest_sha256_init(&u.sha256, e) || spool_create_tmp(s, name, &u.fd, e)) {
        give_digest(s, &u.sha256);
        return e->code;
    }
    *ret_upload = u;
    return ERR_OK;
}

enum err_code spool_write(struct spool *s, struct spool_upload *u, const void *data,
                          size_t len, struct err *e)
{
    (void)s;
    if (spool_write_all(u->fd, data, len, e))
        return e->code;
    digest_sha256_update(&u->sha256, data, len);
    u->crc32c = digest_crc32c(u->crc32c, data, len);
    u->size += (int64_t)len;
    return ERR_OK;
}

void spool_forget(struct spool *s, struct spool_upload *u)
{
    fd_close(&u->fd);
    give_digest(s, &u->sha256);
    *u = (struct spool_upload)SPOOL_UPLOAD_INIT;
}

void spool_abort(struct spool *s, struct spool_upload *u)
{
    char name[SPOOL_TMP_NAME];

    if (u->uuid.text[0] == '\0')
        return;
    spool_tmp_name(&u->uuid, ".data", name);
    (void)unlinkat(s->tmp_fd, name, 0); /* what stays is swept */
    spool_forget(s, u);
}

bool spool_is_full(const struct err *e)
{
    return e->os_errno == ENOSPC || e->os_errno == EDQUOT || e->os_errno == EFBIG;
}

/* --- Reading --- */

/* Open a file in jobs/ that we wrote: a regular file of ours, with few links.  A FIFO must not block us, hence
 * O_NONBLOCK, which means nothing to a regular file. */
static enum err_code open_job_file(struct spool *s, const char *name, nlink_t max_links,
                                   int *ret_fd, int64_t *ret_size, struct err *e)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    CLEANUP(fd_close) int fd = -1;
    struct stat st;

    do {
        fd = openat(s->jobs_fd, name, flags);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
        return err_errno(e, ERR_REJECT, "spool missing: %s", name);
    if (fd < 0 || fstat(fd, &st) < 0)
        return spool_errno(e, "open a file in jobs/");
    if (st.st_nlink == 0) { /* removed since it was opened */
        errno = ENOENT;
        return err_errno(e, ERR_REJECT, "spool missing: %s", name);
    }
    if (!S_ISREG(st.st_mode) || st.st_nlink > max_links || st.st_uid != geteuid())
        return err_set(e, ERR_REJECT,
                       "spool missing: %s is not a regular file of ours with its links",
                       name);
    *ret_size = st.st_size;
    *ret_fd = TAKE_FD(fd);
    return ERR_OK;
}

enum err_code spool_open_data(struct spool *s, const struct job_id *id,
                              int64_t expected_size, int *ret_fd, struct err *e)
{
    CLEANUP(fd_close) int fd = -1;
    char name[SPOOL_JOB_NAME];
    int64_t size;

    spool_job_name(id, ".data", name);
    if (open_job_file(s, name, 2, &fd, &size, e))
        return e->code;
    if (size != expected_size)
        return err_set(e, ERR_REJECT, "spool %s: %" PRId64 " bytes instead of %" PRId64,
                       size < expected_size ? "short" : "long", size, expected_size);
    *ret_fd = TAKE_FD(fd);
    return ERR_OK;
}

/* Read to the end of the file, at most size bytes. */
static enum err_code read_all(int fd, char *data, size_t size, size_t *ret_len,
                              struct err *e)
{
    size_t len = 0;

    while (len < size) {
        ssize_t n = read(fd, data + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return spool_errno(e, "read a manifest");
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return ERR_OK;
}

enum err_code spool_read_manifest(struct spool *s, const struct job_id *id,
                                  struct job *ret_job, bool *ret_missing, struct err *e)
{
    CLEANUP(fd_close) int fd = -1;
    CLEANUP(job_release) struct job j = JOB_INIT;
    char text[JOB_RECORD_MAX + 1]; /* one more than allowed: decode refuses it */
    char name[SPOOL_JOB_NAME];
    int64_t size;
    size_t len = 0;

    spool_job_name(id, ".json", name);
    if (open_job_file(s, name, 1, &fd, &size, e)) {
        *ret_missing = e->os_errno == ENOENT;
        return e->code;
    }
    if (read_all(fd, text, sizeof text, &len, e))
        return e->code;
    *ret_missing = false;
    if (job_decode_manifest(text, len, &j, e))
        return e->code;
    if (strcmp(j.id.queue, id->queue) != 0 ||
        strcmp(j.id.uuid.text, id->uuid.text) != 0)
        return err_set(e, ERR_REJECT, "spool: the manifest is another job's");
    *ret_job = j;
    j = (struct job)JOB_INIT;
    return ERR_OK;
}

enum err_code spool_remove(struct spool *s, const struct job_id *id, struct err *e)
{
    static const char *const suffixes[] = {".json", ".data"};

    for (size_t i = 0; i < 2; i++) {
        char name[SPOOL_JOB_NAME];
        spool_job_name(id, suffixes[i], name);
        if (unlinkat(s->jobs_fd, name, 0) < 0 && errno != ENOENT)
            return spool_errno(e, "unlink a file in jobs/");
    }
    return ERR_OK;
}
