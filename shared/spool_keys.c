#include "shared/spool_keys.h"

#include "shared/cleanup.h"
#include "shared/spool_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CLAIM_TRIES = 8,
    DIR_SIZE = sizeof "keys/00",
    PATH_SIZE = DIR_SIZE + 1 + DIGEST_SHA256_HEX,
    READ_BYTES = 4096
};

static void format_dir(unsigned dir, char ret[static DIR_SIZE])
{
    (void)snprintf(ret, DIR_SIZE, "keys/%02x", dir % SPOOL_KEYS_DIRS); /* fits */
}

static void format_path(const char *name, char ret[static PATH_SIZE])
{
    (void)snprintf(ret, PATH_SIZE, "keys/%.2s/%s", name, name); /* fits */
}

static unsigned dir_of(const char *name)
{
    const char first[] = {name[0], name[1], '\0'};

    return (unsigned)strtoul(first, NULL, 16) % SPOOL_KEYS_DIRS;
}

/* --- Claiming --- */

static enum err_code make_dirs(struct spool *s, const char *name, struct err *e)
{
    char dir[DIR_SIZE];

    format_dir(dir_of(name), dir);
    if ((mkdirat(s->dir_fd, "keys", 0700) < 0 && errno != EEXIST) ||
        (mkdirat(s->dir_fd, dir, 0700) < 0 && errno != EEXIST))
        return spool_errno(e, "make a directory for keys");
    return ERR_OK;
}

static enum err_code open_file(struct spool *s, const char *name, int *ret_fd,
                               struct err *e)
{
    char path[PATH_SIZE];
    const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;

    format_path(name, path);
    int fd = openat(s->dir_fd, path, flags, 0600);
    if (fd < 0 && errno == ENOENT) {
        if (make_dirs(s, name, e))
            return e->code;
        fd = openat(s->dir_fd, path, flags, 0600);
    }
    if (fd < 0)
        return spool_errno(e, "open a file in keys/");
    *ret_fd = fd;
    return ERR_OK;
}

/* *ret_gone: whoever had it before has unlinked it. */
static enum err_code lock_file(int fd, bool *ret_busy, bool *ret_gone,
                               struct stat *ret_stat, struct err *e)
{
    int code;

    do {
        code = flock(fd, LOCK_EX | LOCK_NB);
    } while (code < 0 && errno == EINTR);
    *ret_busy = code < 0 && errno == EWOULDBLOCK;
    if (*ret_busy)
        return ERR_OK;
    if (code < 0)
        return err_errno(e, ERR_CONFIG,
                         "spool: a file in keys/ cannot be locked; the file system "
                         "must know flock(2)");
    if (fstat(fd, ret_stat) < 0)
        return spool_errno(e, "look at a file in keys/");
    if (!S_ISREG(ret_stat->st_mode) || ret_stat->st_uid != geteuid())
        return err_set(e, ERR_CONFIG, "spool: keys/ has what is no file of ours");
    *ret_gone = ret_stat->st_nlink == 0;
    return ERR_OK;
}

enum err_code spool_key_claim(struct spool *s, const char *name, struct spool_key *ret,
                              bool *ret_busy, struct err *e)
{
    for (int i = 0; i < CLAIM_TRIES; i++) {
        CLEANUP(fd_close) int fd = -1;
        bool gone = false;
        struct stat st = {.st_size = 0};
        if (open_file(s, name, &fd, e) || lock_file(fd, ret_busy, &gone, &st, e))
            return e->code;
        if (*ret_busy)
            return ERR_OK;
        if (gone)
            continue;
        *ret = (struct spool_key){.fd = TAKE_FD(fd), .is_empty = st.st_size == 0};
        memcpy(ret->name, name, sizeof ret->name);
        return ERR_OK;
    }
    *ret_busy = true; /* it comes and goes: somebody is at work */
    return ERR_OK;
}

void spool_key_release(struct spool *s, struct spool_key *k)
{
    char path[PATH_SIZE];

    if (k->fd < 0)
        return;
    format_path(k->name, path);
    if (k->is_empty)
        (void)unlinkat(s->dir_fd, path, 0); /* what stays is swept */
    fd_close(&k->fd);
    *k = (struct spool_key)SPOOL_KEY_INIT;
}

/* --- The record --- */

static enum err_code read_file(const struct spool_key *k, struct buf *text,
                               struct err *e)
{
    off_t at = 0;

    buf_clear(text);
    for (;;) {
        char *room = buf_reserve(text, READ_BYTES);
        if (!room)
            return text->starved ? err_set(e, ERR_NOMEM, "spool: no memory for a key")
                                 : ERR_OK; /* too long: no record */
        ssize_t n = pread(k->fd, room, READ_BYTES, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return spool_errno(e, "read a file in keys/");
        if (n == 0)
            return ERR_OK;
        buf_added(text, (size_t)n);
        at += n;
    }
}

static bool is_in_tmp(struct spool *s, const struct job_id *id)
{
    char name[SPOOL_TMP_NAME];
    struct stat st;

    spool_tmp_name(&id->uuid, ".json", name);
    return fstatat(s->tmp_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The first of its jobs was promised: so are the others, whose data stand in jobs/ already.  must_sync: whoever renamed them
 * may have died before jobs/ was synced. */
static enum err_code promise_rest(struct spool *s, const struct key_record *r,
                                  bool must_sync, struct err *e)
{
    struct job_id id;

    for (size_t at = 0; key_record_next(r, &at, &id);) {
        char from[SPOOL_TMP_NAME], to[SPOOL_JOB_NAME];
        spool_tmp_name(&id.uuid, ".json", from);
        spool_job_name(&id, ".json", to);
        if (renameat(s->tmp_fd, from, s->jobs_fd, to) == 0)
            must_sync = true;
        else if (errno != ENOENT)
            return spool_errno(e, "move a file to jobs/");
    }
    return must_sync ? spool_sync_jobs(s, e) : ERR_OK;
}

static enum err_code read_record(struct spool *s, struct spool_key *k, bool must_sync,
                                 struct buf *text, struct key_record *ret,
                                 struct err *e)
{
    struct key_record r = {.created = 0};
    struct job_id first;
    size_t at = 0;

    *ret = r;
    if (k->is_empty)
        return ERR_OK;
    if (read_file(k, text, e))
        return e->code;
    if (!key_record_parse(text->data, text->len, &r) ||
        !key_record_next(&r, &at, &first))
        return ERR_OK;
    if (is_in_tmp(s, &first))
        return spool_key_forget(s, k, e);
    if (promise_rest(s, &r, must_sync, e))
        return e->code;
    *ret = r;
    return ERR_OK;
}

enum err_code spool_key_read(struct spool *s, struct spool_key *k, struct buf *text,
                             struct key_record *ret, struct err *e)
{
    return read_record(s, k, true, text, ret, e);
}

enum err_code spool_key_peek(struct spool *s, struct spool_key *k, struct buf *text,
                             struct key_record *ret, struct err *e)
{
    return read_record(s, k, false, text, ret, e);
}

/* The names of the file and of its directories, once for each of these and each process. */
static enum err_code sync_names(struct spool *s, const char *name, struct err *e)
{
    char dir[DIR_SIZE];
    unsigned number = dir_of(name);

    format_dir(number, dir);
    CLEANUP(fd_close)
    int fd = openat(s->dir_fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return spool_errno(e, "sync keys/");
    if (atomic_load(&s->keys_synced[number]))
        return ERR_OK;
    CLEANUP(fd_close)
    int keys = openat(s->dir_fd, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (keys < 0 || fsync(keys) < 0 || fsync(s->dir_fd) < 0)
        return spool_errno(e, "sync keys/");
    atomic_store(&s->keys_synced[number], true);
    return ERR_OK;
}

static enum err_code sync_record(struct spool *s, struct spool_key *k, struct err *e)
{
    if (!s->durable)
        return ERR_OK;
    if (fsync(s->tmp_fd) < 0)
        return spool_errno(e, "sync tmp/");
    if (fdatasync(k->fd) < 0)
        return spool_errno(e, "sync a file in keys/");
    return sync_names(s, k->name, e);
}

enum err_code spool_key_forget(struct spool *s, struct spool_key *k, struct err *e)
{
    if (ftruncate(k->fd, 0) < 0 || (s->durable && fdatasync(k->fd) < 0))
        return spool_errno(e, "erase a file in keys/");
    k->is_empty = true;
    return ERR_OK;
}

enum err_code spool_key_store(struct spool *s, struct spool_key *k, const void *text,
                              size_t len, struct err *e)
{
    struct err ignored = ERR_INIT;

    if (ftruncate(k->fd, 0) < 0 || lseek(k->fd, 0, SEEK_SET) < 0)
        return spool_errno(e, "erase a file in keys/");
    k->is_empty = false;
    if (spool_write_all(k->fd, text, len, e) == ERR_OK &&
        sync_record(s, k, e) == ERR_OK)
        return ERR_OK;
    if (spool_key_forget(s, k, &ignored))
        k->is_empty = true; /* then it is unlinked, at least */
    return e->code;
}

bool spool_key_has_job(struct spool *s, const struct key_record *r)
{
    struct job_id id;

    for (size_t at = 0; key_record_next(r, &at, &id);) {
        char name[SPOOL_JOB_NAME];
        struct stat st;
        spool_job_name(&id, ".json", name);
        if (fstatat(s->jobs_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
            return true;
    }
    return false;
}
