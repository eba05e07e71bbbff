/*
 * listen_at: where a program of ours answers on this machine alone.  Pure.
 *
 *     unix:/run/hoist/worker.sock      127.0.0.1:9112      [::1]:9112      port 0: one that is free
 *
 * Addresses that others could reach are refused: what is told there is for this machine, and asks for no token.
 */
#ifndef HOIST_SHARED_LISTEN_AT_H
#define HOIST_SHARED_LISTEN_AT_H

#include "shared/err.h"

#include <netinet/in.h>
#include <sys/un.h>

struct listen_at {
    sa_family_t family; /* AF_UNIX, AF_INET, AF_INET6 */
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
};

/* ERR_CONFIG: the text says what is allowed. */
MUST_CHECK enum err_code listen_at_parse(const char *text, struct listen_at *ret,
                                         struct err *e);

#endif
