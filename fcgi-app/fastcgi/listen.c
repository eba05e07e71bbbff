#include "fcgi-app/fastcgi/listen.h"

#include "shared/cleanup.h"
#include "shared/peers.h"
#include "shared/stale_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SYSTEMD_FD = 3, BACKLOG = 1024 };

static bool is_listening(int fd)
{
    int on = 0;
    socklen_t len = sizeof on;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

static enum err_code check_inherited(int fd, const char *from, bool filtered,
                                     struct err *e)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    if (!is_listening(fd))
        return err_set(e, ERR_CONFIG, "%s: not a listening socket", from);
    if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        return err_errno(e, ERR_CONFIG, "%s: getsockname", from);
    struct in6_addr address = peers_address_of(&a);
    if (a.ss_family != AF_UNIX && !filtered && !peers_is_loopback(&address))
        return err_set(e, ERR_CONFIG,
                       "%s: a TCP socket that is not on a loopback address: whoever "
                       "reaches it could say anything of a request; use a unix socket, "
                       "or [http] web_servers",
                       from);
    return ERR_OK;
}

static enum err_code take_systemd(struct listener *l, bool filtered, struct err *e)
{
    const char *fds = getenv("LISTEN_FDS");
    bool one = fds && strcmp(fds, "1") == 0;
    (void)unsetenv("LISTEN_PID"); /* not for our children */
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    if (!one)
        return err_set(e, ERR_CONFIG, "LISTEN_FDS: exactly one socket is wanted");
    enum err_code code = check_inherited(SYSTEMD_FD, "LISTEN_FDS", filtered, e);
    if (code)
        return code;
    (void)fcntl(SYSTEMD_FD, F_SETFD,
                FD_CLOEXEC); /* it is open: check_inherited used it */
    l->fd = SYSTEMD_FD;
    return ERR_OK;
}

/* Move the socket off descriptor 0 and leave /dev/null there. */
static enum err_code take_stdin(struct listener *l, bool filtered, struct err *e)
{
    enum err_code code = check_inherited(0, "descriptor 0", filtered, e);
    if (code)
        return code;
    CLEANUP(fd_close) int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
    CLEANUP(fd_close) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || null < 0 || dup2(null, 0) < 0)
        return err_errno(e, ERR_CONFIG, "descriptor 0");
    l->fd = TAKE_FD(fd);
    return ERR_OK;
}

/* Where everybody may write, everybody could put a socket of his own in its place. */
static enum err_code check_directory(const char *path, struct err *e)
{
    char dir[sizeof((struct sockaddr_un *)0)->sun_path + 1];
    struct stat st;
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    memcpy(dir, path, len);
    memcpy(dir + len, slash ? "/" : ".", 2);
    if (stat(dir, &st) < 0)
        return err_errno(e, ERR_CONFIG, "[http] listen: %s", dir);
    if (st.st_mode & S_IWOTH)
        return err_set(e, ERR_CONFIG,
                       "[http] listen: everybody may write to %s: use a directory of "
                       "its own",
                       dir);
    return ERR_OK;
}

static enum err_code set_rights(const struct config_http *http, struct err *e)
{
    if (http->socket_group && *http->socket_group) {
        const struct group *group = getgrnam(http->socket_group);
        if (!group)
            return err_set(e, ERR_CONFIG, "[http] socket_group: there is no group %s",
                           http->socket_group);
        if (chown(http->listen, (uid_t)-1, group->gr_gid) < 0)
            return err_errno(e, ERR_CONFIG, "[http] socket_group: chown %s to %s",
                             http->listen, http->socket_group);
    }
    if (chmod(http->listen, (mode_t)http->socket_mode) < 0)
        return err_errno(e, ERR_CONFIG, "[http] socket_mode: chmod %s", http->listen);
    return ERR_OK;
}

static enum err_code bind_own(const struct config_http *http, struct listener *l,
                              struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = http->listen ? strlen(http->listen) : 0;
    if (len == 0 || len >= sizeof a.sun_path)
        return err_set(e, ERR_CONFIG,
                       "[http] listen: a path of 1 to %zu bytes is wanted",
                       sizeof a.sun_path - 1);
    memcpy(a.sun_path, http->listen, len);
    enum err_code code = check_directory(http->listen, e);
    if (!code && stale_socket_remove(&a, e))
        code = err_prefix(e, "[http] listen");
    if (code)
        return code;
    CLEANUP(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, ERR_CONFIG, "socket");
    mode_t old = umask(0177);
    int bound = bind(fd, (const struct sockaddr *)&a, sizeof a);
    (void)umask(old);
    if (bound < 0)
        return err_errno(e, ERR_CONFIG, "[http] listen: bind %s", a.sun_path);
    struct stat st;
    if (lstat(a.sun_path, &st) < 0)
        return err_errno(e, ERR_CONFIG, "[http] listen: %s", a.sun_path);
    struct listener own = {-1, http->listen, st.st_dev, st.st_ino};
    code = set_rights(http, e);
    if (!code && listen(fd, BACKLOG) < 0)
        code = err_errno(e, ERR_CONFIG, "[http] listen: %s", a.sun_path);
    if (code) {
        listener_close(&own);
        return code;
    }
    own.fd = TAKE_FD(fd);
    *l = own;
    return ERR_OK;
}

bool listener_is_inherited(void)
{
    return is_listening(0);
}

enum err_code listener_open(const struct config_http *http,
                            struct listener *ret_listener, struct err *e)
{
    char pid[24];
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    const char *listen_pid = getenv("LISTEN_PID");
    *ret_listener = (struct listener)LISTENER_INIT;
    const char *addrs = getenv("FCGI_WEB_SERVER_ADDRS"); /* peers.h */
    bool filtered = (http->web_servers && *http->web_servers) || (addrs && *addrs);
    if (listen_pid && strcmp(listen_pid, pid) == 0)
        return take_systemd(ret_listener, filtered, e);
    if (is_listening(0))
        return take_stdin(ret_listener, filtered, e);
    return bind_own(http, ret_listener, e);
}

void listener_close(struct listener *l)
{
    struct stat st;
    if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->device &&
        st.st_ino == l->inode)
        (void)unlink(l->path); /* what cannot be removed is stale to the next start */
    if (l->fd >= 0)
        (void)close(l->fd);
    *l = (struct listener)LISTENER_INIT;
}
