/* What becomes of files, on the pool's threads. */
#include "worker/dest/dest_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/convert.h"
#include "worker/dest/beneath.h"

enum { OBJECT_MODE = 0640 };

bool dest_file_is_stopped(const struct destination_run *run)
{
    return atomic_load_explicit(&run->stop, memory_order_relaxed) ||
           destination_is_late(&run->work);
}

enum err_code dest_file_write(int fd, const char *data, size_t len, struct err *e)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, beneath_class(errno), "write the object");
        data += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

/* What a pass over a file does besides hashing it. */
struct pass {
    int64_t size;          /* of the file */
    int out_fd;            /* copy to it; -1: only read */
    _Atomic int64_t *sent; /* bytes passed; NULL: nobody asks */
};

/* Hash the first size bytes of in_fd.  Aborted: ERR_RETRY. */
static enum err_code read_through(struct dest_file_copy *c, int in_fd,
                                  const struct pass *p,
                                  char ret_sha256[static DIGEST_SHA256_HEX + 1],
                                  struct err *e)
{
    CLEANUP(digest_sha256_release) struct digest_sha256 digest = DIGEST_SHA256_INIT;
    uint8_t sum[DIGEST_SHA256_BYTES];
    int64_t at = 0;

    if (digest_sha256_init(&digest, e) != ERR_OK)
        return e->code;
    while (at < p->size) {
        int64_t left = p->size - at;
        ssize_t n =
            pread(in_fd, c->chunk,
                  (size_t)(left < DEST_FILE_CHUNK ? left : DEST_FILE_CHUNK), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, ERR_RETRY, "read");
        if (n == 0)
            return err_set(e, ERR_REJECT, "spool short");
        if (dest_file_is_stopped(c->run))
            return err_set(e, ERR_RETRY, "aborted");
        digest_sha256_update(&digest, c->chunk, (size_t)n);
        if (p->out_fd >= 0 &&
            dest_file_write(p->out_fd, c->chunk, (size_t)n, e) != ERR_OK)
            return e->code;
        at += n;
        if (p->sent)
            atomic_store_explicit(p->sent, at, memory_order_relaxed);
    }
    if (digest_sha256_final(&digest, sum, e) != ERR_OK)
        return e->code;
    digest_hex_encode(sum, sizeof sum, ret_sha256);
    return ERR_OK;
}

/* Whether an open object has the right bytes; where any will do, they become the right ones. */
static enum err_code compare(struct dest_file_copy *c, int fd, bool *ret_same,
                             struct err *e)
{
    char sha256[DIGEST_SHA256_HEX + 1];
    struct pass pass = {.out_fd = -1};
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(e, ERR_RETRY, "stat the object that is there");
    *ret_same = S_ISREG(st.st_mode) && (c->takes_any || st.st_size == c->size);
    if (!*ret_same || (c->takes_any && c->run->work.only_look))
        return ERR_OK;
    pass.size = st.st_size;
    if (read_through(c, fd, &pass, sha256, e) != ERR_OK)
        return e->code;
    *ret_same = c->takes_any || strcmp(sha256, c->sha256) == 0;
    c->size = st.st_size;
    memcpy(c->sha256, sha256, sizeof c->sha256);
    return ERR_OK;
}

/*
 * See whether the object is there already.  ERR_OK: *ret_there tells; if so it has the right bytes and is synced (its
 * maker may have died before that).  ERR_REJECT: it has other bytes, or is no file.
 */
static enum err_code check_existing(struct dest_file_copy *c, bool *ret_there,
                                    struct err *e)
{
    CLEANUP(fd_close)
    int fd = openat(c->dir_fd, c->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *ret_there = false;
        return ERR_OK;
    }
    if (fd < 0)
        return err_errno(e, beneath_class(errno), "open the object that is there");

    bool same = false;
    if (compare(c, fd, &same, e) != ERR_OK)
        return e->code;
    if (!same)
        return err_set(e, ERR_REJECT, "key exists with other content");
    if (fsync(fd) < 0 || fsync(c->dir_fd) < 0)
        return err_errno(e, ERR_RETRY, "sync the object that is there");
    *ret_there = true;
    return ERR_OK;
}

/* Open what will become the object: nameless where that exists, else under the job's temporary name. */
enum err_code dest_file_open_output(struct dest_file_copy *c, struct err *e)
{
    if (!c->run->dest->named) {
        c->out_fd =
            openat(c->dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, OBJECT_MODE);
        if (c->out_fd >= 0)
            return ERR_OK;
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
            return err_errno(e, beneath_class(errno), "create the object");
    }
    if (unlinkat(c->dir_fd, c->temporary, 0) < 0 && errno != ENOENT)
        return err_errno(e, beneath_class(errno), "remove '%s'", c->temporary);
    c->out_fd =
        openat(c->dir_fd, c->temporary,
               O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, OBJECT_MODE);
    if (c->out_fd < 0)
        return err_errno(e, beneath_class(errno), "create '%s'", c->temporary);
    c->is_named = true;
    return ERR_OK;
}

/*
 * Give the synced file its name.  Linked through its descriptor: should another attempt of this job have removed our
 * temporary name meanwhile, this fails, where a rename would publish the other's half-written file.
 */
enum err_code dest_file_publish(struct dest_file_copy *c, struct err *e)
{
    char self[64];
    bool there = false;

    if (fdatasync(c->out_fd) < 0)
        return err_errno(e, ERR_RETRY, "sync the object");
    if (dest_file_is_stopped(c->run))
        return err_set(e, ERR_RETRY, "aborted");
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", c->out_fd); /* always fits */
    if (linkat(AT_FDCWD, self, c->dir_fd, c->name, AT_SYMLINK_FOLLOW) == 0) {
        if (fsync(c->dir_fd) < 0)
            return err_errno(e, ERR_RETRY, "sync the object's directory");
        return ERR_OK;
    }
    if (errno != EEXIST)
        return err_errno(e, beneath_class(errno), "link the object to its name");
    if (check_existing(c, &there, e) != ERR_OK)
        return e->code;
    return there ? ERR_OK : err_set(e, ERR_RETRY, "the object came and went");
}

void dest_file_copy_init(struct dest_file_copy *c, struct destination_run *run)
{
    const struct job *j = run->work.job;
    bool converted = j->convert && run->work.only_look;

    *c = (struct dest_file_copy){
        .run = run, .job = j, .root_fd = -1, .dir_fd = -1, .out_fd = -1};
    c->takes_any =
        converted || run->work.remade || (run->work.stream && convert_owns_key(j));
    (void)snprintf(c->temporary, sizeof c->temporary, ".%s.tmp", j->id.uuid.text);
    if (run->work.stream)
        return;
    c->size = j->size;
    if (j->sha256)
        (void)snprintf(c->sha256, sizeof c->sha256, "%s", j->sha256);
}

void dest_file_copy_release(struct dest_file_copy *c)
{
    if (c->is_named)
        (void)unlinkat(c->dir_fd, c->temporary, 0); /* else the next attempt does */
    c->is_named = false;
    fd_close(&c->out_fd); /* synced, or thrown away */
    fd_close(&c->dir_fd);
    fd_close(&c->root_fd);
    free(c->chunk);
    c->chunk = NULL;
}

enum err_code dest_file_open_root(struct dest_file_copy *c, struct err *e)
{
    const char *dir = c->run->dest->base.config->dir;

    c->chunk = malloc(DEST_FILE_CHUNK);
    if (!c->chunk)
        return err_set(e, ERR_NOMEM, "no memory for a copy");
    c->root_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->root_fd >= 0)
        return ERR_OK;
    bool for_now = errno == EMFILE || errno == ENFILE;
    return err_errno(e, for_now ? ERR_RETRY : ERR_CONFIG,
                     "open destination directory %s", dir);
}

enum err_code dest_file_find(struct dest_file_copy *c, bool *ret_there, struct err *e)
{
    if (beneath_open_parent(c->root_fd, c->job->key, &c->dir_fd, &c->name, e) != ERR_OK)
        return e->code;
    *ret_there = false;
    if (c->run->work.stream && !c->takes_any)
        return ERR_OK; /* what it must hold is not known yet: linking tells */
    return check_existing(c, ret_there, e);
}

enum err_code dest_file_look(struct dest_file_copy *c, bool *ret_there, struct err *e)
{
    *ret_there = false;
    if (beneath_find_parent(c->root_fd, c->job->key, &c->dir_fd, &c->name, e) != ERR_OK)
        return e->code;
    return c->dir_fd < 0 ? ERR_OK : check_existing(c, ret_there, e);
}

enum err_code dest_file_copy_spooled(struct dest_file_copy *c, struct err *e)
{
    char sha256[DIGEST_SHA256_HEX + 1];
    bool there = false;

    if (dest_file_find(c, &there, e) != ERR_OK || there)
        return there ? ERR_OK : e->code;
    if (dest_file_open_output(c, e) != ERR_OK)
        return e->code;
    (void)posix_fadvise(c->run->work.fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint */
    struct pass pass = {c->size, c->out_fd, &c->run->sent};
    if (read_through(c, c->run->work.fd, &pass, sha256, e) != ERR_OK)
        return e->code;
    if (strcmp(sha256, c->sha256) != 0)
        return err_set(e, ERR_REJECT,
                       "spool corrupt: its SHA-256 is not the manifest's");
    return dest_file_publish(c, e);
}

/* file:///dir/key, percent-encoded but for the slashes. */
static char *object_url(const char *dir, const char *key)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(32 * 1024);
    const char *parts[] = {dir, "/", key};

    buf_puts(&b, "file://");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (const char *s = parts[i]; *s;) {
            size_t len = strcspn(s, "/");
            buf_add_percent(&b, s, len);
            s += len;
            if (*s == '/')
                buf_putc(&b, *s++);
        }
    return buf_detach(&b);
}

void dest_file_conclude(struct dest_file_copy *c, bool there, const struct err *e)
{
    struct destination_run *run = c->run;
    struct outcome *o = &run->outcome;

    o->sent = atomic_load_explicit(&run->sent, memory_order_relaxed);
    if (e) {
        outcome_fail_err(o, e);
        o->aborted = dest_file_is_stopped(run);
        return;
    }
    o->done = there;
    o->absent = !there;
    if (!there)
        return;
    o->sent = c->size;
    if (run->work.stream || run->work.remade)
        memcpy(o->sha256, c->sha256, sizeof o->sha256);
    o->earlier = run->work.remade && strcmp(c->sha256, c->job->sha256) != 0;
    o->url = object_url(run->dest->base.config->dir, c->job->key);
}
