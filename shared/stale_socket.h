/*
 * stale_socket: a unix socket that a crash has left makes room for the next start.
 *
 *     nothing there            nothing is done
 *     ours, connect refused    unlinked: nobody answers on it
 *     anything else            somebody's: ERR_CONFIG, says whose, and it stays
 */
#ifndef HOIST_SHARED_STALE_SOCKET_H
#define HOIST_SHARED_STALE_SOCKET_H

#include "shared/err.h"

#include <sys/un.h>

MUST_CHECK enum err_code stale_socket_remove(const struct sockaddr_un *a,
                                             struct err *e);

#endif
