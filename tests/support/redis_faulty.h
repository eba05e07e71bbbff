/*
 * redis_faulty: stands between a program and its Redis, and for as long as a test wants answers itself: for the errors that
 * no real server gives on demand.
 *
 *     redis_faulty_start(&f, tmpdir_file(&dir, "faulty.sock"), redis.socket.path);    [redis] url = unix://faulty.sock
 *     redis_faulty_say(&f, "-TRYAGAIN not now\r\n");      every command but those of the handshake is answered so
 *     redis_faulty_cut(&f, "$100\r\nonly so much");        the same, and then the connection is closed
 *     redis_faulty_pass(&f);                              everything goes to the real server (as at the start)
 *
 * Each of the last three closes the connections that there are.  A thread does it all; it runs until redis_faulty_stop.
 */
#ifndef HOIST_TESTS_SUPPORT_REDIS_FAULTY_H
#define HOIST_TESTS_SUPPORT_REDIS_FAULTY_H

#include "tests/support/tmpdir.h"

#include <pthread.h>
#include <stdbool.h>

struct redis_faulty {
    struct tmpdir_file socket;
    char upstream[TMPDIR_FILE_MAX + 1];
    int listener, wake[2]; /* wake: written to for a change, closed for the end */
    pthread_t thread;

    pthread_mutex_t lock; /* for everything below */
    char answer[256];     /* "": pass */
    bool cut;
    int connections; /* accepted since the last change */
    int answered;    /* commands, since the last change */
};

/* Aborts the test when it cannot start. */
void redis_faulty_start(struct redis_faulty *f, struct tmpdir_file socket,
                        const char *upstream);
void redis_faulty_stop(struct redis_faulty *f);

void redis_faulty_say(struct redis_faulty *f, const char *answer);
void redis_faulty_cut(struct redis_faulty *f, const char *answer);
void redis_faulty_pass(struct redis_faulty *f);

/* Since the last of these: connections made, and commands answered with the error. */
int redis_faulty_connections(struct redis_faulty *f);
int redis_faulty_answered(struct redis_faulty *f);

#endif
