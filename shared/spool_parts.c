#include "shared/spool_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/spool_internal.h"

enum { TRIES = 8, READ_BYTES = 64 * 1024 };

static const char suffix[] = ".parts";

/* --- names --- */

void spool_parts_name(const struct spool_parts_id *id,
                      char ret[static SPOOL_PARTS_NAME])
{
    char job[ID_JOB_MAX + 1];

    id_format_job(&id->job, job);
    (void)snprintf(ret, SPOOL_PARTS_NAME, "%s.%s%s", job, id->destination,
                   suffix); /* fits */
}

bool spool_parts_parse_name(const char *name, struct spool_parts_id *ret)
{
    size_t len = strlen(name);
    struct spool_parts_id id;

    if (len < sizeof suffix || len >= SPOOL_PARTS_NAME ||
        strcmp(name + len - strlen(suffix), suffix) != 0)
        return false;
    len -= strlen(suffix);
    const char *dot = memrchr(name, '.', len);
    size_t of_destination = dot ? len - (size_t)(dot + 1 - name) : 0;
    if (!dot || !id_is_queue(dot + 1, of_destination) ||
        !id_parse_job(name, (size_t)(dot - name), &id.job))
        return false;
    memcpy(id.destination, dot + 1, of_destination);
    id.destination[of_destination] = '\0';
    *ret = id;
    return true;
}

/* --- files --- */

/* parts/, made when it is missing and make is set; -1 with errno. */
static int open_dir(struct spool *s, bool make)
{
    int fd =
        openat(s->dir_fd, "parts", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    if (mkdirat(s->dir_fd, "parts", 0700) < 0 && errno != EEXIST)
        return -1;
    if (s->durable && fsync(s->dir_fd) < 0)
        return -1;
    return openat(s->dir_fd, "parts", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_ours(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_uid == geteuid();
}

static enum err_code read_all(int fd, struct buf *ret, bool *ret_cut, struct err *e)
{
    for (;;) {
        size_t room =
            ret->max - ret->len < READ_BYTES ? ret->max - ret->len : READ_BYTES;
        *ret_cut = room == 0;
        if (room == 0)
            return ERR_OK;
        char *to = buf_reserve(ret, room);
        if (!to)
            return err_set(e, ERR_NOMEM, "no memory to read a journal of parts");
        ssize_t n = read(fd, to, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return spool_errno(e, "read a file in parts/");
        if (n == 0)
            return ERR_OK;
        buf_added(ret, (size_t)n);
    }
}

enum err_code spool_parts_read(struct spool *s, const struct spool_parts_id *id,
                               struct buf *ret, bool *ret_missing, bool *ret_cut,
                               int *ret_fd, struct err *e)
{
    int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    CLEANUP(fd_close) int dir = open_dir(s, false);
    CLEANUP(fd_close) int fd = -1;
    char name[SPOOL_PARTS_NAME];
    struct stat st;

    *ret_missing = *ret_cut = false;
    spool_parts_name(id, name);
    if (dir >= 0)
        fd = openat(dir, name, flags);
    if (fd < 0 && errno == ENOENT) {
        *ret_missing = true;
        return err_set(e, ERR_REJECT, "there is no parts/%s", name);
    }
    if (fd < 0 || fstat(fd, &st) < 0)
        return spool_errno(e, "open a file in parts/");
    if (!is_ours(&st))
        return err_set(e, ERR_REJECT, "parts/%s is not a regular file of ours", name);
    if (read_all(fd, ret, ret_cut, e) != ERR_OK)
        return e->code;
    if (ret_fd)
        *ret_fd = TAKE_FD(fd);
    return ERR_OK;
}

enum err_code spool_parts_append(struct spool *s, int fd, const struct buf *lines,
                                 bool sync, struct err *e)
{
    if (lines->failed)
        return err_set(e, ERR_REJECT, "a line of a journal of parts is too long");
    if (spool_write_all(fd, lines->data, lines->len, e) != ERR_OK)
        return e->code;
    if (sync && s->durable && fdatasync(fd) < 0)
        return spool_errno(e, "sync a file in parts/");
    return ERR_OK;
}

/* Open for appending; *ret_made: there was none. */
static enum err_code open_file(int dir, const char *name, int *ret_fd, bool *ret_made,
                               struct err *e)
{
    int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    CLEANUP(fd_close) int fd = openat(dir, name, flags | O_CREAT | O_EXCL, 0600);
    struct stat st;

    *ret_made = fd >= 0;
    if (fd < 0 && errno == EEXIST)
        fd = openat(dir, name, flags);
    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ENOENT ? err_set(e, ERR_RETRY, "parts/%s has just gone", name)
                               : spool_errno(e, "open a file in parts/");
    if (!is_ours(&st))
        return err_set(e, ERR_CONFIG, "parts/%s is not a regular file of ours", name);
    *ret_fd = TAKE_FD(fd);
    return ERR_OK;
}

/* Whether it has been removed since it was opened. */
static bool is_unlinked(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static enum err_code begin_once(struct spool *s, int dir, const char *name,
                                const struct buf *head, const struct buf *lines,
                                int *ret_fd, struct err *e)
{
    CLEANUP(fd_close) int fd = -1;
    bool made = false;

    if (open_file(dir, name, &fd, &made, e) != ERR_OK)
        return e->code;
    /* The head once more where another owner has made the file and not written yet: the same twice is no harm. */
    if ((made || lseek(fd, 0, SEEK_END) == 0) &&
        spool_parts_append(s, fd, head, false, e) != ERR_OK)
        return e->code;
    if (spool_parts_append(s, fd, lines, true, e) != ERR_OK)
        return e->code;
    if (made && s->durable && fsync(dir) < 0)
        return spool_errno(e, "sync parts/");
    if (is_unlinked(fd))
        return err_set(e, ERR_RETRY, "parts/%s has just gone", name);
    *ret_fd = TAKE_FD(fd);
    return ERR_OK;
}

enum err_code spool_parts_begin(struct spool *s, const struct spool_parts_id *id,
                                const struct buf *head, const struct buf *lines,
                                int *ret_fd, struct err *e)
{
    CLEANUP(fd_close) int dir = open_dir(s, true);
    char name[SPOOL_PARTS_NAME];
    enum err_code code = ERR_RETRY;

    if (dir < 0)
        return spool_errno(e, "open parts/");
    spool_parts_name(id, name);
    /* Another owner may remove it under us, when it has ended what stood there. */
    for (int i = 0; i < TRIES && code == ERR_RETRY; i++)
        code = begin_once(s, dir, name, head, lines, ret_fd, e);
    return code;
}

enum err_code spool_parts_remove(struct spool *s, const struct spool_parts_id *id,
                                 struct err *e)
{
    CLEANUP(fd_close) int dir = open_dir(s, false);
    char name[SPOOL_PARTS_NAME];

    spool_parts_name(id, name);
    if (dir < 0)
        return errno == ENOENT ? ERR_OK : spool_errno(e, "open parts/");
    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
        return spool_errno(e, "remove a file in parts/");
    return ERR_OK;
}

/* --- listing --- */

static int by_name(const void *a, const void *b)
{
    char x[SPOOL_PARTS_NAME], y[SPOOL_PARTS_NAME];

    spool_parts_name(a, x);
    spool_parts_name(b, y);
    return strcmp(x, y);
}

/* Keep the first max in order. */
static void insert(struct spool_parts_id *items, size_t max, size_t *count,
                   const struct spool_parts_id *id)
{
    size_t at = *count;

    while (at > 0 && by_name(id, &items[at - 1]) < 0)
        at--;
    if (at == max)
        return;
    size_t moved = (*count < max ? *count : max - 1) - at;
    memmove(&items[at + 1], &items[at], moved * sizeof *items);
    items[at] = *id;
    *count += *count < max;
}

enum err_code spool_parts_list(struct spool *s, const struct spool_parts_id *after,
                               struct spool_parts_id *ret, size_t max,
                               size_t *ret_count, struct err *e)
{
    CLEANUP(fd_close) int dir = open_dir(s, false);
    struct spool_parts_id id;
    struct dirent *entry;

    *ret_count = 0;
    if (dir < 0)
        return errno == ENOENT ? ERR_OK : spool_errno(e, "open parts/");
    DIR *stream = spool_open_stream(dir);
    if (!stream)
        return spool_errno(e, "read parts/");
    while ((errno = 0, entry = readdir(stream)))
        if (spool_parts_parse_name(entry->d_name, &id) &&
            (!after || by_name(&id, after) > 0))
            insert(ret, max, ret_count, &id);
    int error = errno;
    (void)closedir(stream);
    errno = error;
    return error ? spool_errno(e, "read parts/") : ERR_OK;
}
