/* Small uploads: manifest and bytes in one file, and reading them from there. */
#include "shared/spool_internal.h"

#include "shared/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- Writing --- */

/* As a rule one call: between two there is nothing that a reader could take for a job. */
static enum err_code write_both(int fd, const struct buf *head, const struct buf *bytes,
                                struct err *e)
{
    struct iovec parts[] = {{head->data, head->len}, {bytes->data, bytes->len}};
    ssize_t n;

    do {
        n = writev(fd, parts, 2);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return spool_errno(e, "write");
    size_t done = (size_t)n;
    if (done < head->len && spool_write_all(fd, head->data + done, head->len - done, e))
        return e->code;
    done = done < head->len ? 0 : done - head->len;
    return spool_write_all(fd, bytes->data + done, bytes->len - done, e);
}

static enum err_code write_new(struct spool *s, const struct job *j, const char *name,
                               const struct buf *bytes, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(JOB_RECORD_MAX);
    CLEANUP(fd_close) int fd = -1;

    if (!buf_reserve(&text, SPOOL_MANIFEST_USUAL))
        return err_set(e, ERR_NOMEM, "spool: no memory for a manifest");
    if (job_encode_manifest(j, &text, e) || spool_create(s->jobs_fd, name, &fd, e) ||
        write_both(fd, &text, bytes, e))
        return e->code;
    return spool_sync_and_close(s, &fd, e);
}

enum err_code spool_promise_small(struct spool *s, const struct job *j,
                                  const struct buf *bytes, struct err *e)
{
    char new[SPOOL_JOB_NAME], name[SPOOL_JOB_NAME];

    spool_job_name(&j->id, ".new", new);
    spool_job_name(&j->id, ".job", name);
    enum err_code code = write_new(s, j, new, bytes, e);
    if (code == ERR_OK && renameat(s->jobs_fd, new, s->jobs_fd, name) < 0)
        code = errno == ENOENT /* it was swept: this process stood still for minutes */
                   ? err_errno(e, ERR_RETRY, "spool: rename a file in jobs/")
                   : spool_errno(e, "rename a file in jobs/");
    if (code == ERR_OK)
        code = spool_sync_jobs(s, e);
    if (code == ERR_OK) {
        spool_note_synced(s);
        return ERR_OK;
    }
    (void)unlinkat(s->jobs_fd, name, 0); /* may not have got there */
    (void)unlinkat(s->jobs_fd, new, 0);  /* what stays is swept */
    return code;
}

/* --- Reading --- */

/* A .job that has been opened, and its beginning. */
struct small {
    int fd;
    int64_t size;                  /* of the file */
    char text[JOB_RECORD_MAX + 1]; /* one more than a manifest may have */
    size_t len;
    size_t
        manifest_len; /* its line end with it; all that was read where there is none */
};

static enum err_code open_small(struct spool *s, const struct job_id *id,
                                struct small *ret, struct err *e)
{
    CLEANUP(fd_close) int fd = -1;
    char name[SPOOL_JOB_NAME];

    spool_job_name(id, ".job", name);
    if (spool_open_job_file(s, name, 1, &fd, &ret->size, e))
        return e->code;
    size_t most =
        (uint64_t)ret->size < sizeof ret->text ? (size_t)ret->size : sizeof ret->text;
    if (spool_read_all(fd, ret->text, most, &ret->len, e))
        return e->code;
    const char *end = memchr(ret->text, '\n', ret->len);
    ret->manifest_len = end ? (size_t)(end - ret->text) + 1 : ret->len;
    ret->fd = TAKE_FD(fd);
    return ERR_OK;
}

static enum err_code check_size(const struct small *f, int64_t expected, struct err *e)
{
    return spool_check_size(f->size - (int64_t)f->manifest_len, expected, e);
}

/* What open_small has read, then the rest; to is left at its beginning. */
static enum err_code copy_bytes(struct small *f, int to, struct err *e)
{
    const char *bytes = f->text + f->manifest_len;
    size_t len = f->len - f->manifest_len;
    int64_t left = f->size - (int64_t)f->manifest_len;

    for (;;) {
        if (spool_write_all(to, bytes, len, e))
            return e->code;
        left -= (int64_t)len;
        if (left <= 0)
            break;
        if (spool_read_all(f->fd, f->text, sizeof f->text, &len, e))
            return e->code;
        if (len == 0)
            return err_set(e, ERR_REJECT, "spool short: it was cut while it was read");
        bytes = f->text;
    }
    return lseek(to, 0, SEEK_SET) < 0 ? spool_errno(e, "go back in memory") : ERR_OK;
}

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int create_in_memory(void)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("upload", flags | MFD_NOEXEC_SEAL);

    return fd < 0 && errno == EINVAL ? memfd_create("upload", flags) : fd;
}

/* Converters get it, and destinations share it: nobody shall write to it, nor open it for that again. */
static enum err_code seal(int fd, struct err *e)
{
    if (fcntl(fd, F_ADD_SEALS,
              F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
        return ERR_OK;
    return err_errno(e, ERR_RETRY, "spool: seal a copy in memory");
}

enum err_code spool_open_small(struct spool *s, const struct job_id *id,
                               int64_t expected_size, int *ret_fd, struct err *e)
{
    CLEANUP(fd_close) int copy = -1;
    struct small f;

    if (open_small(s, id, &f, e))
        return e->code;
    enum err_code code = check_size(&f, expected_size, e);
    if (code == ERR_OK && (copy = create_in_memory()) < 0)
        code = err_errno(e, ERR_RETRY, "spool: memfd_create");
    if (code == ERR_OK)
        code = copy_bytes(&f, copy, e);
    if (code == ERR_OK)
        code = seal(copy, e);
    fd_close(&f.fd);
    if (code == ERR_OK)
        *ret_fd = TAKE_FD(copy);
    return code;
}

enum err_code spool_read_small_manifest(struct spool *s, const struct job_id *id,
                                        char *text, size_t *ret_len, struct err *e)
{
    struct small f;

    if (open_small(s, id, &f, e))
        return e->code;
    fd_close(&f.fd);
    memcpy(text, f.text, f.manifest_len);
    *ret_len = f.manifest_len;
    return ERR_OK;
}
