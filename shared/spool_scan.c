#include "shared/clock.h"
#include "shared/spool_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    size_t len = strlen(name), end = strlen(suffix);

    return len > end && strcmp(name + len - end, suffix) == 0 &&
           id_parse_job(name, len - end, ret_id);
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
        if (spool_parse_name(entry->d_name, ".json", ret_id) ||
            spool_parse_name(entry->d_name, ".job", ret_id))
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
