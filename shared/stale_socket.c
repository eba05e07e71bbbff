#include "shared/stale_socket.h"

#include "shared/cleanup.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum err_code stale_socket_remove(const struct sockaddr_un *a, struct err *e)
{
    struct stat st;

    if (lstat(a->sun_path, &st) < 0)
        return errno == ENOENT ? ERR_OK : err_errno(e, ERR_CONFIG, "%s", a->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, ERR_CONFIG, "%s exists and is not a socket: remove it",
                       a->sun_path);
    if (st.st_uid != geteuid())
        return err_set(e, ERR_CONFIG, "%s belongs to another user: remove it",
                       a->sun_path);
    CLEANUP(fd_close)
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(e, ERR_CONFIG, "socket");
    if (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 ||
        errno != ECONNREFUSED)
        return err_set(e, ERR_CONFIG, "%s: another process listens there", a->sun_path);
    if (unlink(a->sun_path) < 0 && errno != ENOENT)
        return err_errno(e, ERR_CONFIG, "unlink %s", a->sun_path);
    return ERR_OK;
}
