/*
 * handover: an idle connection of a responder that stops goes to whoever else takes connections from the same socket.
 *
 *     old one: connect to the listener's own address -- "hoist fd", SCM_RIGHTS --> new one: peeks at what came, as at any head
 *
 * Without it the old one has to close what the web server keeps open, and a request that the web server is just writing to
 * it is lost with 502 (nginx cannot tell whether it was read).  So restarts under load fail no request: the connection goes on
 * with another process behind it, together with any byte that had arrived.  It works where the listener is a unix socket
 * that outlives the process (systemd, spawn-fcgi, or several responders on one socket).  Nobody there yet: it waits in the
 * listen queue, as a new connection would.
 *
 * Who can write to the socket could always send requests; with this it can send a socket to send them on.  Whoever keeps a
 * copy of that can change its time-outs, and so hold a thread: one more reason to keep the socket for the web server.
 */
#ifndef HOIST_FCGI_HANDOVER_H
#define HOIST_FCGI_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

/* Offer fd to the listener.  True: it is taken, or will be; the caller closes its own descriptor, and reads no more from
 * it.  False: this listener cannot (TCP, unlinked, its queue is full): nothing has happened.  Never waits. */
bool handover_send(int listen_fd, int fd);

/* Whether these first bytes of a connection are an offer (it comes whole or not at all). */
bool handover_is(const void *bytes, size_t len);

/* The descriptor that conn_fd brings, or -1: it brings none, or more, or none that is a stream socket; whatever it is has been
 * closed then.  Blocks for no time. */
int handover_receive(int conn_fd);

#endif
