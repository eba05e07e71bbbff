/*
 * proxy_internal: what the two files of proxy share.
 *
 *     proxy.c        the caller's side, the thread, accepting
 *     proxy_link.c   one link: what comes in at one end goes out at the other, or does not
 */
#ifndef HOIST_TESTS_CHAOS_PROXY_INTERNAL_H
#define HOIST_TESTS_CHAOS_PROXY_INTERNAL_H

#include "tests/chaos/proxy.h"
#include "tests/chaos/wire.h"

#include <pthread.h>

enum { QUEUE_MAX = 256 * 1024, CHUNK_MAX = 16 * 1024 };

/* Bytes that came in one read. */
struct chunk {
    struct chunk *next;
    int64_t due_us; /* not before; 0: at once */
    size_t at, len; /* data[at .. len) is still to go */
    char data[];
};

/* One direction of a link. */
struct flow {
    struct chunk *first, *last; /* owned */
    size_t queued;              /* bytes in them */
    int64_t in, out;            /* bytes since the fault was set */
    double tokens;              /* bytes it may send now, where there is a rate */
    int64_t tokens_us;          /* when they were counted; 0: never */
    bool ended, end_passed;     /* nothing more comes; the other end was told */
    bool swallowed;             /* has lost bytes: cannot be mended */
};

/* ends[PROXY_UP] is the program, where what goes up comes in; ends[PROXY_DOWN] the server. */
struct link_end {
    int fd;
    bool readable, writable; /* as far as epoll has told */
};

struct link {
    struct link_end ends[2];
    struct flow flows[2];
    bool connected; /* to the server */
    bool dead;      /* to be reset and freed */
};

/* What the thread goes by: its own copy. */
struct settings {
    struct proxy_fault faults[2];
    int left[2]; /* cuts or flips still to come; -1: no end */
    bool refuse;
};

struct proxy {
    struct wire_address target;
    char address[PROXY_ADDRESS_MAX + 1],
        path[PROXY_ADDRESS_MAX + 1]; /* path: of a unix socket */
    int port, listener, epoll, wake;
    pthread_t thread;

    pthread_mutex_t lock; /* for all up to the thread's own */
    pthread_cond_t applied;
    struct settings wanted;
    bool changed[2]; /* faults[d] was set */
    bool reset_all, stop;
    int64_t asked, done; /* changes */
    struct proxy_counts counts;

    /* The thread's own. */
    struct settings now;
    struct link *links[PROXY_LINKS_MAX];
    size_t slots; /* of links that have ever been used */
};

/* Move what can be moved.  *ret_next_us: when there is more to do without an event, if that is sooner; counts are added to. */
void proxy_link_pump(struct link *l, struct settings *s, struct proxy_counts *counts,
                     int64_t *ret_next_us);
/* A fault of direction d was set. */
void proxy_link_changed(struct link *l, enum proxy_direction d);
bool proxy_link_is_over(const struct link *l);
/* Reset or close both ends, free all. */
void proxy_link_free(struct link *l);

#endif
