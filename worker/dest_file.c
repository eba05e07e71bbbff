#include "worker/dest_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/digest.h"
#include "worker/beneath.h"

enum { CHUNK = 128 * 1024, OBJECT_MODE = 0640, DIRECTORY_MODE = 0755 };

struct dest_file {
    struct destination base;
    uv_loop_t *loop;
    bool named;
};

struct destination_run {
    uv_work_t request;
    struct dest_file *dest;
    struct destination_work work;
    struct outcome outcome; /* the pool's thread until it ends, then the loop's */
    atomic_bool stop;
    _Atomic int64_t sent;
};

/* One copy under way, on the pool's thread. */
struct copy {
    struct destination_run *run;
    const struct job *job;
    int dir_fd;       /* directory of the object */
    int out_fd;       /* what will become the object */
    const char *name; /* of the object in dir_fd */
    char temporary[ID_UUID_LEN + 8];
    bool is_named; /* out_fd has the name `temporary` */
    char *chunk;   /* CHUNK bytes */
};

static bool is_stopped(const struct destination_run *run)
{
    return atomic_load_explicit(&run->stop, memory_order_relaxed) ||
           destination_is_late(&run->work);
}

static enum err_code write_all(int fd, const char *data, size_t len, struct err *e)
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
    int out_fd;            /* copy to it; -1: only read */
    _Atomic int64_t *sent; /* bytes passed; NULL: nobody asks */
};

/* Hash the job's size bytes of in_fd.  *ret_matches: these are the job's bytes.  Aborted: ERR_RETRY. */
static enum err_code read_through(struct copy *c, int in_fd, const struct pass *p,
                                  bool *ret_matches, struct err *e)
{
    CLEANUP(digest_sha256_release) struct digest_sha256 digest = DIGEST_SHA256_INIT;
    uint8_t sum[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX + 1];
    int64_t at = 0;

    if (digest_sha256_init(&digest, e) != ERR_OK)
        return e->code;
    while (at < c->job->size) {
        int64_t left = c->job->size - at;
        ssize_t n = pread(in_fd, c->chunk, (size_t)(left < CHUNK ? left : CHUNK), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, ERR_RETRY, "read");
        if (n == 0)
            return err_set(e, ERR_REJECT, "spool short");
        if (is_stopped(c->run))
            return err_set(e, ERR_RETRY, "aborted");
        digest_sha256_update(&digest, c->chunk, (size_t)n);
        if (p->out_fd >= 0 && write_all(p->out_fd, c->chunk, (size_t)n, e) != ERR_OK)
            return e->code;
        at += n;
        if (p->sent)
            atomic_store_explicit(p->sent, at, memory_order_relaxed);
    }
    if (digest_sha256_final(&digest, sum, e) != ERR_OK)
        return e->code;
    digest_hex_encode(sum, sizeof sum, hex);
    *ret_matches = strcmp(hex, c->job->sha256) == 0;
    return ERR_OK;
}

/*
 * See whether the object is there already.  ERR_OK: *ret_there tells; if so it has the job's bytes and is synced (its
 * maker may have died before that).  ERR_REJECT: it has other bytes, or is no file.
 */
static enum err_code check_existing(struct copy *c, bool *ret_there, struct err *e)
{
    CLEANUP(fd_close)
    int fd = openat(c->dir_fd, c->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *ret_there = false;
        return ERR_OK;
    }
    if (fd < 0)
        return err_errno(e, beneath_class(errno), "open the object that is there");

    struct stat st;
    bool matches = false;
    if (fstat(fd, &st) < 0)
        return err_errno(e, ERR_RETRY, "stat the object that is there");
    if (S_ISREG(st.st_mode) && st.st_size == c->job->size &&
        read_through(c, fd, &(struct pass){.out_fd = -1}, &matches, e) != ERR_OK)
        return e->code;
    if (!matches)
        return err_set(e, ERR_REJECT, "key exists with other content");
    if (fsync(fd) < 0 || fsync(c->dir_fd) < 0)
        return err_errno(e, ERR_RETRY, "sync the object that is there");
    *ret_there = true;
    return ERR_OK;
}

/* Open what will become the object: nameless where that exists, else under the job's temporary name. */
static enum err_code open_output(struct copy *c, struct err *e)
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
static enum err_code publish(struct copy *c, struct err *e)
{
    char self[64];
    bool there = false;

    if (fdatasync(c->out_fd) < 0)
        return err_errno(e, ERR_RETRY, "sync the object");
    if (is_stopped(c->run))
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

static enum err_code copy_object(struct copy *c, struct err *e)
{
    bool there = false, matches = false;

    if (check_existing(c, &there, e) != ERR_OK || there)
        return there ? ERR_OK : e->code;
    if (open_output(c, e) != ERR_OK)
        return e->code;
    (void)posix_fadvise(c->run->work.fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint */
    struct pass pass = {.out_fd = c->out_fd, .sent = &c->run->sent};
    if (read_through(c, c->run->work.fd, &pass, &matches, e) != ERR_OK)
        return e->code;
    if (!matches)
        return err_set(e, ERR_REJECT,
                       "spool corrupt: its SHA-256 is not the manifest's");
    return publish(c, e);
}

static enum err_code copy_to_root(struct copy *c, int root_fd, struct err *e)
{
    c->chunk = malloc(CHUNK);
    if (!c->chunk)
        return err_set(e, ERR_NOMEM, "no memory for a copy");
    enum err_code code =
        beneath_open_parent(root_fd, c->job->key, &c->dir_fd, &c->name, e);
    if (code == ERR_OK)
        code = copy_object(c, e);
    if (c->is_named)
        (void)unlinkat(c->dir_fd, c->temporary, 0); /* else the next attempt does */
    if (c->out_fd >= 0)
        (void)close(c->out_fd); /* synced, or thrown away */
    if (c->dir_fd >= 0)
        (void)close(c->dir_fd);
    free(c->chunk);
    return code;
}

/* Whether the object is there; nothing is made. */
static enum err_code look_in_root(struct copy *c, int root_fd, bool *ret_there,
                                  struct err *e)
{
    enum err_code code =
        beneath_find_parent(root_fd, c->job->key, &c->dir_fd, &c->name, e);

    *ret_there = false;
    if (code != ERR_OK || c->dir_fd < 0)
        return code;
    c->chunk = malloc(CHUNK);
    code = c->chunk ? check_existing(c, ret_there, e)
                    : err_set(e, ERR_NOMEM, "no memory for a look");
    (void)close(c->dir_fd);
    free(c->chunk);
    return code;
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

static void run_on_pool(uv_work_t *request)
{
    struct destination_run *run = request->data;
    const struct config_destination *config = run->dest->base.config;
    struct copy c = {.run = run, .job = run->work.job, .dir_fd = -1, .out_fd = -1};
    struct err e = ERR_INIT;
    enum err_code code;
    bool there = true;

    (void)snprintf(c.temporary, sizeof c.temporary, ".%s.tmp", c.job->id.uuid.text);
    CLEANUP(fd_close)
    int root_fd = open(config->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        code =
            err_errno(&e, errno == EMFILE || errno == ENFILE ? ERR_RETRY : ERR_CONFIG,
                      "open destination directory %s", config->dir);
    else if (run->work.only_look)
        code = look_in_root(&c, root_fd, &there, &e);
    else
        code = copy_to_root(&c, root_fd, &e);
    run->outcome.sent = atomic_load_explicit(&run->sent, memory_order_relaxed);
    if (code != ERR_OK) {
        outcome_fail_err(&run->outcome, &e);
        run->outcome.aborted = is_stopped(run);
        return;
    }
    run->outcome.done = there;
    run->outcome.absent = !there;
    if (!there)
        return;
    run->outcome.sent = c.job->size;
    run->outcome.url = object_url(config->dir, c.job->key);
}

static void after_pool(uv_work_t *request, int status)
{
    struct destination_run *run = request->data;

    if (status != 0) /* UV_ECANCELED: it never ran */
        run->outcome.aborted = true;
    fd_close(&run->work.fd);
    run->work.done(&run->outcome, run->work.ctx);
    outcome_release(&run->outcome);
    free(run);
}

static struct destination_run *file_begin(struct destination *d,
                                          const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->dest = (struct dest_file *)d;
    run->work = *w;
    run->request.data = run;
    if (uv_queue_work(run->dest->loop, &run->request, run_on_pool, after_pool) != 0) {
        free(run);
        return NULL;
    }
    return run;
}

static void file_abort(struct destination_run *run)
{
    atomic_store_explicit(&run->stop, true, memory_order_relaxed);
    (void)uv_cancel((uv_req_t *)&run->request); /* fails when it runs: it sees stop */
}

static void file_progress(const struct destination_run *run,
                          struct destination_progress *ret)
{
    ret->phase = DESTINATION_UPLOADING;
    ret->sent = atomic_load_explicit(&run->sent, memory_order_relaxed);
    ret->total = run->work.job->size;
}

static void file_release(struct destination *d)
{
    free(d);
}

enum err_code dest_file_open(const struct dest_file_options *o,
                             struct destination **ret, struct err *e)
{
    static const struct destination_ops ops = {file_begin, file_abort, file_progress,
                                               file_release};
    struct dest_file *d = calloc(1, sizeof *d);

    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for a destination");
    d->base = (struct destination){.ops = &ops, .config = o->config};
    d->loop = o->loop;
    d->named = o->named;
    *ret = &d->base;
    if (!o->only_looks && mkdir(o->config->dir, DIRECTORY_MODE) < 0 && errno != EEXIST)
        return err_errno(e, ERR_CONFIG, "create %s", o->config->dir);
    return ERR_OK;
}
