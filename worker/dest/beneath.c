#include "worker/dest/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/job.h"

enum { SEGMENT_MAX = 255, DIRECTORY_MODE = 0755 };

enum err_code beneath_class(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_CONFIG;
    case ELOOP:
    case ENOTDIR:
    case ENAMETOOLONG:
    case EISDIR:
        return ERR_REJECT;
    default:
        return ERR_RETRY;
    }
}

/* The directory that holds something, and its name there. */
struct place {
    int fd;
    const char *name;
};

/* Open the directory `name` in parent_fd; with make it is created where it is missing, and its entry synced. */
static enum err_code open_segment(int parent_fd, const char *name, bool make,
                                  int *ret_fd, struct err *e)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent_fd, name, flags);

    if (fd < 0 && errno == ENOENT && make) {
        if (mkdirat(parent_fd, name, DIRECTORY_MODE) < 0 && errno != EEXIST)
            return err_errno(e, beneath_class(errno), "create directory '%s'", name);
        fd = openat(parent_fd, name, flags);
    }
    if (fd < 0)
        return err_errno(e, beneath_class(errno), "open directory '%s'", name);
    if (make && fsync(parent_fd) < 0) {
        int error = errno;
        (void)close(fd); /* read only */
        errno = error;
        return err_errno(e, ERR_RETRY, "sync the directory of '%s'", name);
    }
    *ret_fd = fd;
    return ERR_OK;
}

static enum err_code open_parent(int root_fd, const char *path, bool make,
                                 struct place *ret, struct err *e)
{
    if (!job_key_is_safe(path, strlen(path)))
        return err_set(e, ERR_REJECT, "the key is not a safe path");
    CLEANUP(fd_close) int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, ERR_RETRY, "duplicate a descriptor");

    const char *rest = path;
    for (const char *slash = strchr(rest, '/'); slash; slash = strchr(rest, '/')) {
        char segment[SEGMENT_MAX + 1];
        size_t len = (size_t)(slash - rest);
        if (len == 0 || len > SEGMENT_MAX)
            return err_set(e, ERR_REJECT, "the key is not a safe path");
        memcpy(segment, rest, len);
        segment[len] = '\0';
        int next = -1;
        if (open_segment(fd, segment, make, &next, e) != ERR_OK)
            return e->code;
        (void)close(fd); /* a directory, read only */
        fd = next;
        rest = slash + 1;
    }
    *ret = (struct place){.fd = TAKE_FD(fd), .name = rest};
    return ERR_OK;
}

enum err_code beneath_open_parent(int root_fd, const char *path, int *ret_fd,
                                  const char **ret_name, struct err *e)
{
    struct place place = {.fd = -1, .name = NULL};

    if (open_parent(root_fd, path, true, &place, e) != ERR_OK)
        return e->code;
    *ret_fd = place.fd;
    *ret_name = place.name;
    return ERR_OK;
}

enum err_code beneath_find_parent(int root_fd, const char *path, int *ret_fd,
                                  const char **ret_name, struct err *e)
{
    struct place place = {.fd = -1, .name = NULL};
    enum err_code code = open_parent(root_fd, path, false, &place, e);

    if (code != ERR_OK && e->os_errno != ENOENT)
        return code;
    *ret_fd = code == ERR_OK ? place.fd : -1;
    *ret_name = code == ERR_OK ? place.name : NULL;
    return ERR_OK;
}
