/*
 * gate_internal: what gate.c (the gate thread) and gate_conn.c (connections, and what handler threads do with them)
 * share.  Nobody else includes it.
 *
 * A connection belongs to whom its state says: CONN_TAKEN and CONN_BUSY to the handler thread that set it, CONN_HALF
 * and CONN_LINGER to the gate thread, CONN_NEW and CONN_CLOSING to the thread that set it.  CONN_IDLE belongs to whoever
 * first exchanges it for TAKEN or CLOSING.  An event of epoll may be older than that: it is a hint to look at the state.
 * A connection is made known to the handlers' epoll set before its state becomes IDLE.
 *
 * Who gives a connection away changes its state first and arms epoll second (the other way round the event could come
 * while nobody may take it, and be lost).  Both happen under the lock, and so does closing: else the new owner could
 * close the descriptor between the two, and epoll be armed for whatever has its number then.
 */
#ifndef HOIST_FCGI_GATE_INTERNAL_H
#define HOIST_FCGI_GATE_INTERNAL_H

#include "fcgi-app/fastcgi/fastcgi.h"
#include "fcgi-app/fastcgi/gate.h"
#include "shared/log_limit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

enum { GATE_LINGER_MS = 2000, GATE_SETTLE_MS = 500, GATE_SCRATCH_BYTES = 64 * 1024 };

enum gate_conn_state {
    CONN_FREE,
    CONN_NEW,
    CONN_IDLE,
    CONN_TAKEN, /* its head is being read */
    CONN_BUSY,  /* it has a request: the gate thread may shut it down */
    CONN_HALF,
    CONN_LINGER,
    CONN_CLOSING
};

struct gate_conn {
    int fd;
    atomic_int state;         /* enum gate_conn_state */
    atomic_llong deadline_ms; /* IDLE, HALF, LINGER: closed then */
    struct fastcgi *
        web; /* owned.  HALF: has read the part of a head; NEW, IDLE: all of it, or NULL */
    bool used;              /* it had a request before */
    bool is_shared;         /* handed over: whoever did may have it open still */
    bool is_parked;         /* under the gate's lock */
    size_t drained;         /* LINGER: bytes thrown away */
    struct gate_conn *next; /* free list */
};

struct gate {
    struct gate_options options;
    int work_fd; /* epoll, the handlers' */
    int gate_fd; /* epoll, the gate thread's */
    int wake_fd; /* eventfd in gate_fd */
    int end_fd; /* eventfd in work_fd: readable once the gate has stopped, and for good */
    atomic_bool stopping;
    atomic_llong accepted;
    atomic_bool cut;         /* the time to drain is over */
    atomic_bool accepting;   /* only the gate thread changes it */
    int64_t accept_again_ms; /* out of descriptors: not before; the gate thread's */
    int64_t settle_ms; /* stopping: till then requests may come; the gate thread's */
    struct log_limit said;    /* warnings; the gate thread's */
    bool backlog_done;        /* stopping: who had connected is accepted; likewise */
    char *scratch;            /* GATE_SCRATCH_BYTES; the gate thread's */
    atomic_size_t half_count; /* connections in HALF */
    struct gate_conn *conns;  /* conn_count of them */
    size_t conn_count;        /* max_connections and max_parked */

    pthread_mutex_t lock; /* of what follows, and of giving away and closing */
    struct gate_conn *free_list;
    size_t open_count, parked_count;
};

void gate_wake(struct gate *g);

/* What reading from and writing to it may take. */
void gate_set_timeouts(const struct gate *g, int fd);

/* A free connection in CONN_NEW for fd, NULL when there is none. */
struct gate_conn *gate_conn_new(struct gate *g, int fd);
/* NEW, HALF, or TAKEN with another descriptor: let the handlers have it.  IDLE afterwards, or closed when epoll cannot take it. */
void gate_conn_to_work(struct gate *g, struct gate_conn *c);
/* CLOSING, still known to the handlers' set: back to IDLE. */
void gate_conn_rearm(struct gate *g, struct gate_conn *c);
/* Close it and forget it; the caller owns it. */
void gate_conn_drop(struct gate *g, struct gate_conn *c);
/* HALF no longer: its reader has all it wanted.  Out of the gate thread's set. */
void gate_conn_leave_half(struct gate *g, struct gate_conn *c);
/* It was answered and is not to be read: throw away what comes for a while, then close. */
void gate_conn_linger(struct gate *g, struct gate_conn *c);

#endif
