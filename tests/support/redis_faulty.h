/*
 * redis_faulty: stands between a program and its Redis, and for as long as a test wants answers itself: for the errors that
 * no real server gives on demand.
 *
 *     redis_faulty_start(&f, tmpdir_file(&dir, "faulty.sock"), redis.socket.path);    [redis] url = unix://faulty.sock
 *     redis_faulty_say(&f, "-TRYAGAIN not now\r\n");      every command but those of the handshake is answered so
 *     redis_faulty_cut(&f, "$100\r\nonly so much");        the same, and then the connection is closed
 *     redis_faulty_pass(&f);                              everything goes to the real server (as at the start)
 *     redis_faulty_swallow(&f, sha, 1);                   the next request with this text is carried out, its reply is lost
 *
 *     redis_faulty_hold(&f, sha);                         from the next request with this text on replies stay here, on all
 *                                                         connections; "": at once, and requests stay, too (a black hole)
 *     redis_faulty_let_go(&f);                            and now they come
 *
 * Each of say, cut and pass has closed the connections that there were when it returns: nothing goes to Redis through a
 * connection made before.  A thread does it all; it runs until redis_faulty_stop.
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
    int closed;      /* changes whose connections are closed */
    pthread_cond_t closed_one;
    char lost
        [64]; /* requests that hold this are carried out, and their connection is closed */
    int to_lose;         /* so many of them */
    char hold_from[64];  /* hold replies once this was asked; "": not waiting for it */
    bool holding, black; /* black: requests, too */
};

/* Aborts the test when it cannot start. */
void redis_faulty_start(struct redis_faulty *f, struct tmpdir_file socket,
                        const char *upstream);
void redis_faulty_stop(struct redis_faulty *f);

void redis_faulty_say(struct redis_faulty *f, const char *answer);
void redis_faulty_cut(struct redis_faulty *f, const char *answer);
void redis_faulty_pass(struct redis_faulty *f);

/* While passing: the next count requests that hold this text (at most 63 bytes) are carried out, to the last command of
 * their write, and instead of the replies the connection ends.  How many are still to come. */
void redis_faulty_swallow(struct redis_faulty *f, const char *text, int count);
int redis_faulty_to_swallow(struct redis_faulty *f);

/* While passing: hold back what comes; connections stay open.  Whether it does already. */
void redis_faulty_hold(struct redis_faulty *f, const char *text);
bool redis_faulty_is_holding(struct redis_faulty *f);
void redis_faulty_let_go(struct redis_faulty *f);

/* Since the last of these: connections made, and commands answered with the error. */
int redis_faulty_connections(struct redis_faulty *f);
int redis_faulty_answered(struct redis_faulty *f);

#endif
