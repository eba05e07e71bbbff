#include "fcgi-app/auth/policy_marks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char name[] = "policies";

static enum err_code wrong(struct err *e, const char *what)
{
    bool transient = errno == ENOSPC || errno == EDQUOT || errno == EMFILE ||
                     errno == ENFILE || errno == EIO || errno == ENOMEM ||
                     errno == EINTR;
    return err_errno(e, transient ? ERR_RETRY : ERR_CONFIG, "spool: policies: %s",
                     what);
}

static int open_in(int at, const char *path)
{
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int open_marks(const struct config_spool *spool, bool make)
{
    int root = open(spool->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -1;
    int fd = open_in(root, name);
    if (fd < 0 && errno == ENOENT && make) {
        bool made = mkdirat(root, name, 0700) == 0 || errno == EEXIST;
        if (made && (spool->durability != CONFIG_DISK || fsync(root) == 0))
            fd = open_in(root, name);
    }
    int error = errno;
    (void)close(root); /* nothing was written through it */
    errno = error;
    return fd;
}

static bool finish(int dir, int fd, const struct config_spool *spool,
                   const struct policy *p)
{
    const struct timespec times[2] = {{.tv_sec = p->expires}, {.tv_sec = p->expires}};
    return futimens(fd, times) == 0 &&
           (spool->durability != CONFIG_DISK || (fsync(fd) == 0 && fsync(dir) == 0));
}

enum err_code policy_marks_make(const struct config_spool *spool,
                                const struct policy *p, bool *ret_used, struct err *e)
{
    int dir = open_marks(spool, true);
    if (dir < 0)
        return wrong(e, "open");
    int fd =
        openat(dir, p->id, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool used = fd < 0 && errno == EEXIST;
    enum err_code code = ERR_OK;
    if (fd < 0 && !used)
        code = wrong(e, "create");
    if (fd >= 0 && !finish(dir, fd, spool, p)) {
        code = wrong(e, "sync");
        (void)unlinkat(dir, p->id, 0); /* if it stays, the policy counts as used */
    }
    if (fd >= 0)
        (void)close(fd); /* it is empty */
    (void)close(dir);
    if (!code)
        *ret_used = used;
    return code;
}

bool policy_marks_has(const struct config_spool *spool, const struct policy *p)
{
    int dir = open_marks(spool, false);
    bool has = dir >= 0 && faccessat(dir, p->id, F_OK, 0) == 0;
    if (dir >= 0)
        (void)close(dir);
    return has;
}

void policy_marks_remove(const struct config_spool *spool, const struct policy *p)
{
    int dir = open_marks(spool, false);
    if (dir < 0)
        return;
    (void)unlinkat(dir, p->id, 0); /* if it stays, the policy counts as used */
    (void)close(dir);
}

/* --- Sweeping --- */

static bool is_mark(const char *s)
{
    return strlen(s) == POLICY_ID_LEN && s[strspn(s, "0123456789abcdef")] == '\0';
}

void policy_sweep_release(struct policy_sweep *s)
{
    if (s->dir)
        (void)closedir(s->dir);
    s->dir = NULL;
}

/* Whoever made the directory may have died before it was synced. */
static void sync_root(const struct config_spool *spool)
{
    int root = open(spool->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return;
    (void)fsync(root); /* what fails here fails for uploads, too, which tell */
    (void)close(root);
}

static bool begin(struct policy_sweep *s, const struct config_spool *spool)
{
    int fd = open_marks(spool, false);
    if (fd < 0)
        return false;
    if (spool->durability == CONFIG_DISK)
        sync_root(spool);
    s->dir = fdopendir(fd);
    if (!s->dir)
        (void)close(fd);
    return s->dir != NULL;
}

void policy_marks_sweep(struct policy_sweep *s, const struct config_spool *spool,
                        int64_t now, int64_t mono_ms)
{
    struct dirent *entry = NULL;
    if (!s->dir && (mono_ms < s->next_ms || !begin(s, spool))) {
        if (mono_ms >= s->next_ms)
            s->next_ms = mono_ms + POLICY_MARKS_PAUSE_MS;
        return;
    }
    for (int i = 0; i < POLICY_MARKS_SLICE; i++) {
        struct stat st;
        entry = readdir(s->dir);
        if (!entry)
            break;
        if (is_mark(entry->d_name) &&
            fstatat(dirfd(s->dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime + POLICY_MARKS_KEEP < now)
            (void)unlinkat(dirfd(s->dir), entry->d_name, 0); /* or the next time */
    }
    if (entry)
        return;
    policy_sweep_release(s);
    s->next_ms = mono_ms + POLICY_MARKS_PAUSE_MS;
}
