/* Files and directories. */
#include "tests/torture/preload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int at, const char *path, int flags);
int __openat64_2(int at, const char *path, int flags);
ssize_t __read_chk(int fd, void *data, size_t len, size_t room);
ssize_t __pread_chk(int fd, void *data, size_t len, off_t at, size_t room);
ssize_t __pread64_chk(int fd, void *data, size_t len, off64_t at, size_t room);

/* The mode, where these flags have one. */
#define MODE_OF(flags, mode)                                                           \
    mode_t mode = 0;                                                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                           \
        va_list ap;                                                                    \
        va_start(ap, flags);                                                           \
        (mode) = va_arg(ap, mode_t);                                                   \
        va_end(ap);                                                                    \
    }

static int open_it(int at, const char *path, int flags, mode_t mode, const void *from)
{
    NEXT(openat);
    return torture_fails(TORTURE_OPEN, from) ? -1 : next(at, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_it(AT_FDCWD, path, flags, mode, FROM);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_it(AT_FDCWD, path, flags, mode, FROM);
}

int openat(int at, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_it(at, path, flags, mode, FROM);
}

int openat64(int at, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_it(at, path, flags, mode, FROM);
}

int __open_2(const char *path, int flags)
{
    return open_it(AT_FDCWD, path, flags, 0, FROM);
}

int __open64_2(const char *path, int flags)
{
    return open_it(AT_FDCWD, path, flags, 0, FROM);
}

int __openat_2(int at, const char *path, int flags)
{
    return open_it(at, path, flags, 0, FROM);
}

int __openat64_2(int at, const char *path, int flags)
{
    return open_it(at, path, flags, 0, FROM);
}

ssize_t read(int fd, void *data, size_t len)
{
    NEXT(read);
    return torture_cuts(TORTURE_READ, FROM, fd, &len) ? next(fd, data, len) : -1;
}

ssize_t __read_chk(int fd, void *data, size_t len, size_t room)
{
    NEXT(__read_chk);
    return torture_cuts(TORTURE_READ, FROM, fd, &len) ? next(fd, data, len, room) : -1;
}

ssize_t pread(int fd, void *data, size_t len, off_t at)
{
    NEXT(pread);
    return torture_cuts(TORTURE_PREAD, FROM, fd, &len) ? next(fd, data, len, at) : -1;
}

ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
    NEXT(pread64);
    return torture_cuts(TORTURE_PREAD, FROM, fd, &len) ? next(fd, data, len, at) : -1;
}

ssize_t __pread_chk(int fd, void *data, size_t len, off_t at, size_t room)
{
    NEXT(__pread_chk);
    return torture_cuts(TORTURE_PREAD, FROM, fd, &len) ? next(fd, data, len, at, room)
                                                       : -1;
}

ssize_t __pread64_chk(int fd, void *data, size_t len, off64_t at, size_t room)
{
    NEXT(__pread64_chk);
    return torture_cuts(TORTURE_PREAD, FROM, fd, &len) ? next(fd, data, len, at, room)
                                                       : -1;
}

ssize_t write(int fd, const void *data, size_t len)
{
    NEXT(write);
    return torture_cuts(TORTURE_WRITE, FROM, fd, &len) ? next(fd, data, len) : -1;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    NEXT(writev);
    size_t len = 2;
    if (!torture_cuts(TORTURE_WRITE, FROM, fd, &len))
        return -1;
    if (len == 2 || count < 1 || parts[0].iov_len == 0)
        return next(fd, parts, count);
    const struct iovec one = {parts[0].iov_base, 1};
    return next(fd, &one, 1);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    NEXT(pwrite);
    return torture_cuts(TORTURE_PWRITE, FROM, fd, &len) ? next(fd, data, len, at) : -1;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    NEXT(pwrite64);
    return torture_cuts(TORTURE_PWRITE, FROM, fd, &len) ? next(fd, data, len, at) : -1;
}

/* A failed sync, -1. */
static int fail_sync(int fd)
{
    torture_lose(fd);
    return -1;
}

int fsync(int fd)
{
    NEXT(fsync);
    return torture_fails(TORTURE_FSYNC, FROM) ? fail_sync(fd) : next(fd);
}

int syncfs(int fd)
{
    NEXT(syncfs);
    return torture_fails(TORTURE_FSYNC, FROM) ? -1 : next(fd);
}

int fdatasync(int fd)
{
    NEXT(fdatasync);
    return torture_fails(TORTURE_FDATASYNC, FROM) ? fail_sync(fd) : next(fd);
}

int rename(const char *old, const char *new)
{
    NEXT(rename);
    return torture_fails(TORTURE_RENAME, FROM) ? -1 : next(old, new);
}

int renameat(int old_at, const char *old, int new_at, const char *new)
{
    NEXT(renameat);
    return torture_fails(TORTURE_RENAME, FROM) ? -1 : next(old_at, old, new_at, new);
}

int renameat2(int old_at, const char *old, int new_at, const char *new, unsigned flags)
{
    NEXT(renameat2);
    return torture_fails(TORTURE_RENAME, FROM) ? -1
                                               : next(old_at, old, new_at, new, flags);
}

int unlink(const char *path)
{
    NEXT(unlink);
    return torture_fails(TORTURE_UNLINK, FROM) ? -1 : next(path);
}

int unlinkat(int at, const char *path, int flags)
{
    NEXT(unlinkat);
    return torture_fails(TORTURE_UNLINK, FROM) ? -1 : next(at, path, flags);
}

int link(const char *old, const char *new)
{
    NEXT(link);
    return torture_fails(TORTURE_LINK, FROM) ? -1 : next(old, new);
}

int linkat(int old_at, const char *old, int new_at, const char *new, int flags)
{
    NEXT(linkat);
    return torture_fails(TORTURE_LINK, FROM) ? -1
                                             : next(old_at, old, new_at, new, flags);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
    NEXT(fallocate);
    return torture_fails(TORTURE_FALLOCATE, FROM) ? -1 : next(fd, mode, at, len);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
    NEXT(fallocate64);
    return torture_fails(TORTURE_FALLOCATE, FROM) ? -1 : next(fd, mode, at, len);
}

int posix_fallocate(int fd, off_t at, off_t len)
{
    NEXT(posix_fallocate);
    return torture_fails(TORTURE_FALLOCATE, FROM) ? errno : next(fd, at, len);
}

int ftruncate(int fd, off_t len)
{
    NEXT(ftruncate);
    return torture_fails(TORTURE_FTRUNCATE, FROM) ? -1 : next(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
    NEXT(ftruncate64);
    return torture_fails(TORTURE_FTRUNCATE, FROM) ? -1 : next(fd, len);
}

/* Whatever it says, the descriptor is closed: close(2). */
int close(int fd)
{
    NEXT(close);
    bool fails = torture_fails(TORTURE_CLOSE, FROM);
    int why = errno, code = next(fd);
    if (!fails || code < 0)
        return code;
    errno = why;
    return -1;
}

int fstat(int fd, struct stat *st)
{
    NEXT(fstat);
    return torture_fails(TORTURE_STAT, FROM) ? -1 : next(fd, st);
}

int fstat64(int fd, struct stat64 *st)
{
    NEXT(fstat64);
    return torture_fails(TORTURE_STAT, FROM) ? -1 : next(fd, st);
}

int stat(const char *path, struct stat *st)
{
    NEXT(stat);
    return torture_fails(TORTURE_STAT, FROM) ? -1 : next(path, st);
}

int stat64(const char *path, struct stat64 *st)
{
    NEXT(stat64);
    return torture_fails(TORTURE_STAT, FROM) ? -1 : next(path, st);
}

int lstat(const char *path, struct stat *st)
{
    NEXT(lstat);
    return torture_fails(TORTURE_STAT, FROM) ? -1 : next(path, st);
}

int fstatat(int at, const char *path, struct stat *st, int flags)
{
    NEXT(fstatat);
    return torture_fails(TORTURE_STAT, FROM) ? -1 : next(at, path, st, flags);
}

int fstatat64(int at, const char *path, struct stat64 *st, int flags)
{
    NEXT(fstatat64);
    return torture_fails(TORTURE_STAT, FROM) ? -1 : next(at, path, st, flags);
}

int fstatfs(int fd, struct statfs *st)
{
    NEXT(fstatfs);
    return torture_fails(TORTURE_STATFS, FROM) ? -1 : next(fd, st);
}

int fstatvfs(int fd, struct statvfs *st)
{
    NEXT(fstatvfs);
    return torture_fails(TORTURE_STATFS, FROM) ? -1 : next(fd, st);
}

int fstatvfs64(int fd, struct statvfs64 *st)
{
    NEXT(fstatvfs64);
    return torture_fails(TORTURE_STATFS, FROM) ? -1 : next(fd, st);
}

int mkdir(const char *path, mode_t mode)
{
    NEXT(mkdir);
    return torture_fails(TORTURE_MKDIR, FROM) ? -1 : next(path, mode);
}

int mkdirat(int at, const char *path, mode_t mode)
{
    NEXT(mkdirat);
    return torture_fails(TORTURE_MKDIR, FROM) ? -1 : next(at, path, mode);
}

DIR *opendir(const char *path)
{
    NEXT(opendir);
    return torture_fails(TORTURE_OPENDIR, FROM) ? NULL : next(path);
}

DIR *fdopendir(int fd)
{
    NEXT(fdopendir);
    return torture_fails(TORTURE_OPENDIR, FROM) ? NULL : next(fd);
}

struct dirent *readdir(DIR *d)
{
    NEXT(readdir);
    return torture_fails(TORTURE_READDIR, FROM) ? NULL : next(d);
}

struct dirent64 *readdir64(DIR *d)
{
    NEXT(readdir64);
    return torture_fails(TORTURE_READDIR, FROM) ? NULL : next(d);
}

int futimens(int fd, const struct timespec times[2])
{
    NEXT(futimens);
    return torture_fails(TORTURE_UTIMENS, FROM) ? -1 : next(fd, times);
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
    NEXT(mmap);
    return torture_fails(TORTURE_MMAP, FROM) ? MAP_FAILED
                                             : next(at, len, prot, flags, fd, offset);
}

ssize_t getrandom(void *data, size_t len, unsigned flags)
{
    NEXT(getrandom);
    return torture_fails(TORTURE_GETRANDOM, FROM) ? -1 : next(data, len, flags);
}
