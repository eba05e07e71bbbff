/* What was accepted: its bytes, its manifest, its end. */
#include "shared/spool_internal.h"

#include "shared/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    if (!S_ISREG(st.st_mode) || st.st_nlink > max_links || st.st_uid != s->uid)
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
