#include "fcgi-app/upload/body_file.h"

#include "shared/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- Directories --- */

static bool is_known_owner(const struct body_files *files, uid_t uid)
{
    return uid == files->uid || uid == geteuid();
}

/* Who can write into it could put other bytes in the place of a client's. */
static enum err_code check_dir(const struct body_files *files, int fd, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(e, ERR_CONFIG, "look at it");
    if (!is_known_owner(files, st.st_uid) && st.st_uid != 0)
        return err_set(e, ERR_CONFIG,
                       "it belongs to user %ju; it must belong to [http] body_user, to "
                       "the user who runs this, or to root",
                       (uintmax_t)st.st_uid);
    if (st.st_mode & 0002)
        return err_set(e, ERR_CONFIG,
                       "it has mode %04o, so that everybody can write into it; 0770 at "
                       "most is allowed (chmod o-w)",
                       (unsigned)(st.st_mode & 07777));
    return ERR_OK;
}

static enum err_code open_top(const struct body_files *files, int *ret_fd,
                              struct err *e)
{
    CLEANUP(fd_close)
    int fd = open(files->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_errno(e, errno == EMFILE || errno == ENFILE ? ERR_RETRY : ERR_CONFIG,
                         "[http] body_dir: open %s", files->dir);
    if (check_dir(files, fd, e))
        return err_prefix(e, "[http] body_dir: %s", files->dir);
    *ret_fd = TAKE_FD(fd);
    return ERR_OK;
}

static enum err_code find_user(const char *name, uid_t *ret, struct err *e)
{
    const struct passwd *user = *name ? getpwnam(name) : NULL;

    if (*name && !user)
        return err_set(e, ERR_CONFIG, "[http] body_user: there is no user %s", name);
    *ret = user ? user->pw_uid : geteuid();
    return ERR_OK;
}

enum err_code body_files_init(const struct config *c, const struct spool *s,
                              struct body_files *ret, struct err *e)
{
    CLEANUP(fd_close) int fd = -1;
    const char *dir = c->http.body_dir;
    struct body_files files = {.dir = dir, .dir_len = dir ? strlen(dir) : 0};

    if (files.dir_len == 0) {
        *ret = (struct body_files){.dir = NULL};
        return ERR_OK;
    }
    if (find_user(c->http.body_user, &files.uid, e))
        return e->code;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_errno(e, ERR_CONFIG, "[http] body_dir: make directory %s", dir);
    if (open_top(&files, &fd, e))
        return e->code;
    if (spool_check_adoptable(s, fd, e))
        return err_prefix(e, "[http] body_dir: %s", dir);
    *ret = files;
    return ERR_OK;
}

/* --- Opening a file --- */

/* Below dir_fd, through no link of any kind.  NONBLOCK: a FIFO must not hold us; it means nothing to a regular file. */
static enum err_code open_beneath(int dir_fd, const char *path, int flags, int *ret_fd,
                                  struct err *e)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(O_RDONLY | O_NONBLOCK |
                                                         O_NOCTTY | O_CLOEXEC | flags),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    long fd;

    do {
        fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
    } while (fd < 0 && errno == EINTR);
    if (fd >= 0) {
        *ret_fd = (int)fd;
        return ERR_OK;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case EAGAIN: /* something was renamed meanwhile */
        return err_errno(e, ERR_RETRY, "open it");
    case EACCES:
        return err_errno(e, ERR_CONFIG, "open it as user %ju", (uintmax_t)geteuid());
    case ENOSYS:
    case EPERM:
        return err_errno(e, ERR_CONFIG, "openat2, which takes Linux 5.6");
    default:
        return err_errno(e, ERR_REJECT, "open it");
    }
}

/* What comes after body_dir in path, or NULL.  "." and ".." are nothing that nginx writes. */
static const char *below(const struct body_files *files, const char *path)
{
    if (strncmp(path, files->dir, files->dir_len) != 0 || path[files->dir_len] != '/')
        return NULL;
    const char *rest = path + files->dir_len + 1;
    for (const char *at = rest;; at++) {
        size_t len = strcspn(at, "/");
        if (len == 0 || (at[0] == '.' && (len == 1 || (len == 2 && at[1] == '.'))))
            return NULL;
        at += len;
        if (*at == '\0')
            return rest;
    }
}

static enum err_code open_dir(const struct body_files *files, const char *rest,
                              struct body_file *f, struct err *e)
{
    CLEANUP(fd_close) int top = -1;
    CLEANUP(str_free) char *path = strdup(rest);
    char *slash = path ? strrchr(path, '/') : NULL;

    f->name = strdup(slash ? slash + 1 : rest);
    if (!path || !f->name)
        return err_set(e, ERR_NOMEM, "out of memory");
    if (open_top(files, &top, e))
        return e->code;
    if (!slash) {
        f->dir_fd = TAKE_FD(top);
        return ERR_OK;
    }
    *slash = '\0';
    return open_beneath(top, path, O_DIRECTORY, &f->dir_fd, e) ||
                   check_dir(files, f->dir_fd, e)
               ? err_prefix(e, "%.100s", path)
               : ERR_OK;
}

static enum err_code check_file(const struct body_files *files, struct body_file *f,
                                struct err *e)
{
    const struct stat *st = &f->before;

    if (fstat(f->fd, &f->before) < 0)
        return err_errno(e, ERR_RETRY, "look at it");
    if (!S_ISREG(st->st_mode))
        return err_set(e, ERR_REJECT, "it is not a regular file");
    if (!is_known_owner(files, st->st_uid))
        return err_set(e, ERR_REJECT, "it belongs to user %ju, not to %ju",
                       (uintmax_t)st->st_uid, (uintmax_t)files->uid);
    if (st->st_nlink != 1)
        return err_set(e, ERR_REJECT, "it has %ju names", (uintmax_t)st->st_nlink);
    if (st->st_mode & 0022)
        return err_set(e, ERR_REJECT, "it has mode %04o, so that others can write it",
                       (unsigned)(st->st_mode & 07777));
    f->size = st->st_size;
    return ERR_OK;
}

/* EPERM: without CAP_CHOWN it stays another's, and is copied. */
static enum err_code take_ownership(struct body_file *f, struct err *e)
{
    f->is_ours = f->before.st_uid == geteuid();
    if (f->is_ours)
        return ERR_OK;
    f->is_ours = fchown(f->fd, geteuid(), (gid_t)-1) == 0;
    return f->is_ours || errno == EPERM ? ERR_OK
                                        : err_errno(e, ERR_RETRY, "take it over");
}

static enum err_code open_file(const struct body_files *files, const char *rest,
                               struct body_file *f, struct err *e)
{
    return open_dir(files, rest, f, e) ||
                   open_beneath(f->dir_fd, f->name, 0, &f->fd, e) ||
                   check_file(files, f, e) || take_ownership(f, e)
               ? e->code
               : ERR_OK;
}

enum err_code body_file_open(const struct body_files *files, const char *path,
                             struct body_file *ret, struct err *e)
{
    struct body_file f = BODY_FILE_INIT;

    if (!files->dir)
        return err_set(e, ERR_CONFIG,
                       "a body came as the file %.100s, and [http] body_dir is not set",
                       path);
    const char *rest = below(files, path);
    if (!rest)
        return err_set(e, ERR_REJECT, "%.100s is not below [http] body_dir, %.100s",
                       path, files->dir);
    if (open_file(files, rest, &f, e)) {
        body_file_release(&f);
        return err_prefix(e, "the body %.100s", path);
    }
    *ret = f;
    return ERR_OK;
}

void body_file_release(struct body_file *f)
{
    fd_close(&f->fd);
    fd_close(&f->dir_fd);
    free(f->name);
    *f = (struct body_file)BODY_FILE_INIT;
}

/* --- Reading --- */

enum err_code body_file_read(struct body_file *f, void *data, size_t len,
                             size_t *ret_len, struct err *e)
{
    ssize_t n;

    do {
        n = read(f->fd, data, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, ERR_RETRY, "read the body's file");
    *ret_len = (size_t)n;
    return ERR_OK;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

enum err_code body_file_check_end(const struct body_file *f, int64_t bytes,
                                  struct err *e)
{
    struct stat now;

    if (fstat(f->fd, &now) < 0)
        return err_errno(e, ERR_RETRY, "look at the body's file");
    if (now.st_size != f->before.st_size || bytes != now.st_size ||
        !is_same_time(&now.st_mtim, &f->before.st_mtim))
        return err_set(e, ERR_REJECT,
                       "the body's file was written to while it was read: %" PRId64
                       " bytes, %jd now, %jd before",
                       bytes, (intmax_t)now.st_size, (intmax_t)f->before.st_size);
    return ERR_OK;
}
