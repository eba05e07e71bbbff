/*
 * listen: where the responder's listening socket comes from.
 *
 *     1. systemd:    LISTEN_PID is us, LISTEN_FDS is 1 -> descriptor 3 (sd_listen_fds(3))
 *     2. spawn-fcgi: descriptor 0 is a listening socket
 *     3. otherwise:  a unix socket of our own at [http] listen, with [http] socket_mode and socket_group
 *
 * FastCGI has no authentication: who can connect can say anything about a request.  So a TCP listener is refused
 * unless it is on a loopback address or only some addresses may connect (peers.h), and our own socket is never open to
 * more than socket_mode says, not even for a moment.  Its directory must be one that not everybody may write to, and what
 * is at its path already a socket of the program's own user that nobody answers on: nothing else is removed.
 */
#ifndef HOIST_FCGI_LISTEN_H
#define HOIST_FCGI_LISTEN_H

#include "shared/config.h"
#include "shared/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct listener {
    int fd;           /* -1: none */
    const char *path; /* of our own socket, the configuration's; else NULL */
    dev_t device;     /* what was bound at path, so that only that is removed */
    ino_t inode;
};

#define LISTENER_INIT                                                                  \
    {                                                                                  \
        .fd = -1                                                                       \
    }

/* Whether descriptor 0 is a listening socket, as spawn-fcgi and mod_fcgid hand it over. */
bool listener_is_inherited(void);

/* Call before any thread is started: it changes umask and environment for a moment.
 * ERR_CONFIG: the text names what was found and what is allowed. */
MUST_CHECK enum err_code listener_open(const struct config_http *http,
                                       struct listener *ret_listener, struct err *e);
/* Close; our own socket's file is removed if it still is ours. */
void listener_close(struct listener *l);

#endif
