/*
 * gate: who may read from which connection, and when.
 *
 *     listener --accept--> IDLE --a whole head is there--> BUSY (one handler thread)
 *                          |  ^                             |  |  |
 *                          |  '---- gate_give_back, KEEP ---'  |  '---- CLOSE ----> closed
 *          part of a head  v                                   v
 *                        HALF --the rest--> IDLE             LINGER --peer closed, or 2 s, or 64 MiB--> closed
 *
 * There are two epoll sets.  Handler threads wait on the first one, which holds the connections in IDLE, each one-shot:
 * whoever is woken reads the head (fastcgi.h) and keeps the connection until it gives it back.  So no request passes from
 * thread to thread, a kept connection costs a descriptor and no thread.  Half a head costs the reader that holds it, no
 * thread; there may be GATE_HALF_MAX of them, further ones are closed.  The second set is the gate thread's: the listener,
 * HALF, LINGER, and the clock.
 *
 * Connections whose bytes are not a request are closed.  A connection in LINGER was answered before its body was read:
 * it is shut down for writing and what the web server still sends is thrown away here, so that it reads the answer
 * instead of an EPIPE; it is never read as a request again.
 *
 * No request is lost to the gate's closing a connection that seems idle: before it closes one it shuts it down for
 * reading and looks once more, with MSG_PEEK.  On a unix socket the peer can send nothing after that, so it either has
 * its request taken or sees that it was not sent.
 *
 * gate_stop: idle connections go to whoever else listens on an inherited unix socket (handover.h), or are closed.  New
 * ones and those with half a head have 500 ms for their request.  A listener of our own refuses whoever connects from
 * then on, and who had connected before is served; one that was inherited is left as it is: who waits there is the next
 * process's.
 *
 * A request that is answered by and by (gate_park) is BUSY and nobody's thread.  Its connection is not counted in
 * max_connections: those who listen for hours keep no upload out.
 *
 * Bounds: max_connections (further ones wait in the listen queue) and max_parked besides; out of descriptors, accepting pauses for 100 ms;
 * an idle connection is closed after twice the receive time-out (the web server's own keep-alive should end first),
 * one with half a head after the receive time-out.  Time-outs are set on each accepted socket.
 *
 * Threads: gate_run is the gate thread; gate_take and gate_give_back may be called by any thread; gate_stop too.
 */
#ifndef HOIST_FCGI_GATE_H
#define HOIST_FCGI_GATE_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fastcgi;
struct peers;
struct gate;
struct gate_conn;

enum { GATE_TICK_MS = 100, GATE_HALF_MAX = 256 };

struct gate_options {
    int listen_fd;     /* stays the caller's; made non-blocking; -1: none */
    bool own_listener; /* nobody else accepts from it: shut down by gate_stop */
    const struct peers
        *peers; /* others are closed at once; NULL: everybody may connect */
    size_t max_connections;
    size_t max_parked; /* so many are not counted in it */
    int64_t receive_timeout_ms, send_timeout_ms;
    int64_t drain_ms; /* after gate_stop: how long requests under way may take */
    /* On the gate thread, every GATE_TICK_MS while there are connections. */
    void (*on_tick)(void *ctx);
    void *ctx;
};

enum gate_end { GATE_KEEP, GATE_LINGER, GATE_CLOSE };

MUST_CHECK enum err_code gate_open(const struct gate_options *o, struct gate **ret_gate,
                                   struct err *e);
/* After gate_run has returned and no thread is in gate_take.  Takes NULL. */
void gate_close(struct gate *g);

/* Where there is no listener: one more connection, fd, which is the gate's from here on.  False: there are
 * max_connections already, and fd is still the caller's.  Any thread. */
bool gate_adopt(struct gate *g, int fd);

/* Run until gate_stop, then until every request under way is answered, or drain_ms are over (their sockets are shut
 * down then).  When it returns gate_take gives no more. */
void gate_run(struct gate *g);
/* The end of gate_run alone, where there is no thread to run it. */
void gate_cut(struct gate *g);
/* See above.  Async-signal-safe. */
void gate_stop(struct gate *g);
bool gate_is_stopping(const struct gate *g);

/* How many connections it has accepted. */
int64_t gate_accepted(const struct gate *g);
/* What it listens on; -1: nothing. */
int gate_listen_fd(const struct gate *g);

/* The next connection with a request on it; waits.  NULL: the gate has stopped.
 * *io_web has read the head.  It is the caller's before and after, but may have become another one (that of half a head), and
 * may have been NULL, or be NULL when no connection is returned.  The descriptor is open until gate_give_back, and is shut down
 * when the time to drain is over. */
struct gate_conn *gate_take(struct gate *g, struct fastcgi **io_web);
/* The same, waiting for about timeout_ms at most; NULL and not *ret_over: none has come. */
struct gate_conn *gate_take_within(struct gate *g, struct fastcgi **io_web,
                                   int timeout_ms, bool *ret_over);
/* A request that was taken and not looked at further is for somebody else; web, which has read its head, goes with it. */
void gate_put_back(struct gate *g, struct gate_conn *c, struct fastcgi *web);
int gate_conn_fd(const struct gate_conn *c);
/* The caller's for long from now on, until gate_give_back; see above. */
void gate_park(struct gate *g, struct gate_conn *c);
void gate_give_back(struct gate *g, struct gate_conn *c, enum gate_end end);

#endif
