#include "tests/integration/faulty_calls.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/vfs.h>

struct faulty_calls fault;
long faulty_file_system = TMPFS_MAGIC;

void fail_from(enum call call, size_t from, size_t times, int error)
{
    memset(&fault, 0, sizeof fault);
    fault.call = call;
    fault.from = from;
    fault.times = times;
    fault.error = error;
    fault.failed_fd = -1;
}

static bool fails(enum call call, int fd)
{
    size_t n = ++fault.seen[call];

    if (call != fault.call || fault.times == 0)
        return false;
    if (fd == fault.failed_fd && call != CALL_WRITE)
        fault.again++;
    if (n < fault.from || n >= fault.from + fault.times)
        return false;
    fault.failed_fd = fd;
    errno = fault.error;
    return true;
}

#define WRAPPED(type, name, ...)                                                       \
    type __real_##name(__VA_ARGS__);                                                   \
    type __wrap_##name(__VA_ARGS__);                                                   \
    type __wrap_##name(__VA_ARGS__)

WRAPPED(ssize_t, write, int fd, const void *data, size_t len)
{
    return fails(CALL_WRITE, fd) ? -1 : __real_write(fd, data, len);
}

WRAPPED(int, fallocate64, int fd, int mode, off_t offset, off_t len)
{
    return fails(CALL_FALLOCATE, fd) ? -1 : __real_fallocate64(fd, mode, offset, len);
}

WRAPPED(int, ftruncate64, int fd, off_t size)
{
    return fails(CALL_FTRUNCATE, fd) ? -1 : __real_ftruncate64(fd, size);
}

WRAPPED(int, fdatasync, int fd)
{
    return fails(CALL_FDATASYNC, fd) ? -1 : __real_fdatasync(fd);
}

WRAPPED(int, fsync, int fd)
{
    return fails(CALL_FSYNC, fd) ? -1 : __real_fsync(fd);
}

/* As the kernel does: the descriptor is gone, whatever close says. */
WRAPPED(int, close, int fd)
{
    int rc = __real_close(fd);

    return fails(CALL_CLOSE, fd) ? -1 : rc;
}

WRAPPED(int, renameat, int from_fd, const char *from, int to_fd, const char *to)
{
    return fails(CALL_RENAME, from_fd) ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

WRAPPED(int, fstatfs64, int fd, struct statfs64 *ret)
{
    (void)fd;
    *ret = (struct statfs64){.f_type = faulty_file_system};
    return 0;
}
