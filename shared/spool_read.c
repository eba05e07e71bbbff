/* What was accepted: its bytes, its manifest, its end. */
#include "shared/spool_internal.h"

#include "shared/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool spool_is_missing(const struct err *e)
{
    return e->os_errno == ENOENT;
}

/* A FIFO must not block us, hence O_NONBLOCK, which means nothing to a regular file. */
enum err_code spool_open_job_file(struct spool *s, const char *name, nlink_t max_links,
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

enum err_code spool_check_size(int64_t size, int64_t expected, struct err *e)
{
    if (size == expected)
        return ERR_OK;
    return err_set(e, ERR_REJECT, "spool %s: %" PRId64 " bytes instead of %" PRId64,
                   size < expected ? "short" : "long", size, expected);
}

enum err_code spool_open_data(struct spool *s, const struct job_id *id,
                              int64_t expected_size, int *ret_fd, struct err *e)
{
    CLEANUP(fd_close) int fd = -1;
    char name[SPOOL_JOB_NAME];
    int64_t size;

    if (expected_size <= SPOOL_SMALL_MAX) {
        enum err_code code = spool_open_small(s, id, expected_size, ret_fd, e);
        if (code != ERR_REJECT || !spool_is_missing(e))
            return code;
    }
    spool_job_name(id, ".data", name);
    if (spool_open_job_file(s, name, SPOOL_DATA_LINKS_MAX, &fd, &size, e))
        return e->code;
    if (spool_check_size(size, expected_size, e))
        return e->code;
    *ret_fd = TAKE_FD(fd);
    return ERR_OK;
}

enum err_code spool_read_all(int fd, char *data, size_t size, size_t *ret_len,
                             struct err *e)
{
    size_t len = 0;

    while (len < size) {
        ssize_t n = read(fd, data + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return spool_errno(e, "read a file in jobs/");
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return ERR_OK;
}

/* Into text, which has room for one byte more than is allowed: decode refuses it then. */
static enum err_code read_text(struct spool *s, const struct job_id *id, char *text,
                               size_t *ret_len, struct err *e)
{
    CLEANUP(fd_close) int fd = -1;
    char name[SPOOL_JOB_NAME];
    int64_t size;

    enum err_code code = spool_read_small_manifest(s, id, text, ret_len, e);
    if (code != ERR_REJECT || !spool_is_missing(e))
        return code;
    spool_job_name(id, ".json", name);
    if (spool_open_job_file(s, name, 1, &fd, &size, e))
        return e->code;
    return spool_read_all(fd, text, JOB_RECORD_MAX + 1, ret_len, e);
}

enum err_code spool_read_manifest(struct spool *s, const struct job_id *id,
                                  struct job *ret_job, bool *ret_missing, struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    char text[JOB_RECORD_MAX + 1];
    size_t len = 0;

    *ret_missing = false;
    if (read_text(s, id, text, &len, e)) {
        *ret_missing = spool_is_missing(e);
        return e->code;
    }
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
    static const char *const suffixes[] = {".job", ".json", ".data"};

    for (size_t i = 0; i < 3; i++) {
        char name[SPOOL_JOB_NAME];
        spool_job_name(id, suffixes[i], name);
        if (unlinkat(s->jobs_fd, name, 0) == 0) {
            if (i == 0)
                return ERR_OK; /* it was all */
        } else if (errno != ENOENT) {
            return spool_errno(e, "unlink a file in jobs/");
        }
    }
    return ERR_OK;
}
