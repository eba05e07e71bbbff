/*
 * fake_hoist: answers uploads as hoist does, for the tests of clients: it reads the body, knows each file by its first line,
 * and names a job for it.  Or it does not, as told.
 *
 * One thread accepts, one serves each connection.  Whole files are counted and their bytes compared.
 */
#ifndef HOIST_TESTS_CHAOS_FAKE_HOIST_H
#define HOIST_TESTS_CHAOS_FAKE_HOIST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum fake_mood {
    FAKE_ACCEPTS,
    FAKE_REFUSES,       /* 503 after the body */
    FAKE_REFUSES_FIRST, /* 413 before the body, and closes */
    FAKE_HANGS_UP,      /* takes the body, closes without an answer */
    FAKE_LIES,          /* 202 with another digest */
    FAKE_HALF,          /* half an answer */
    FAKE_TRUSTS         /* 202 whatever has come of the body */
};

enum { FAKE_CONNECTIONS_MAX = 4096 };

struct fake_hoist {
    int listener, port;
    char address[32];
    pthread_t acceptor;
    pthread_t threads[FAKE_CONNECTIONS_MAX];
    int connections;

    pthread_mutex_t lock; /* for all below */
    enum fake_mood mood;
    int64_t files, requests, damaged, short_bodies, puts, forms, chunked, options;
    char state[16]; /* what GET /v1/jobs/{id} says; "": 404 */
    char key[64];
    int fds[FAKE_CONNECTIONS_MAX]; /* -1: closed */
};

void fake_hoist_start(struct fake_hoist *f, enum fake_mood mood);
void fake_hoist_stop(struct fake_hoist *f);
void fake_hoist_say(struct fake_hoist *f, const char *state, const char *key);

/* The uuid of the job it makes of upload n, and its id. */
void fake_hoist_id(int64_t n, char *ret_id, int size);

#endif
