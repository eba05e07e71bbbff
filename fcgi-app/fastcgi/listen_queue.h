/*
 * listen_queue: how many connections wait to be accepted, as the kernel tells: by sock_diag(7) for a unix socket, by TCP_INFO
 * for a TCP one.
 *
 * Where it does not tell (a kernel without unix_diag, a namespace without netlink) it is not known.  A look costs a few system
 * calls and never waits.  Any thread.
 */
#ifndef HOIST_FCGI_LISTEN_QUEUE_H
#define HOIST_FCGI_LISTEN_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/* *ret_waiting: not accepted yet; *ret_max: so many may wait.  False: not known. */
bool listen_queue_look(int listen_fd, int64_t *ret_waiting, int64_t *ret_max);

#endif
