/*
 * redis_newer: stands before a real Redis and makes it look like one that knows WAITAOF: its version becomes 7.2, and WAITAOF,
 * which comes alone on its connection, is answered here.
 *
 *     redis_newer_start(&n, tmpdir_file(&dir, "newer.sock"), redis.socket.path, "*2\r\n:1\r\n:0\r\n");
 *
 * A thread does it all; it runs until redis_newer_stop.
 */
#ifndef HOIST_TESTS_INTEGRATION_REDIS_NEWER_H
#define HOIST_TESTS_INTEGRATION_REDIS_NEWER_H

#include "tests/support/tmpdir.h"

#include <pthread.h>
#include <stdatomic.h>

struct redis_newer {
    struct tmpdir_file socket;
    char upstream[TMPDIR_FILE_MAX + 1];
    _Atomic(const char *) answer; /* to WAITAOF; may be changed at any time */
    atomic_int asked;             /* how often it came */
    int listener, stop[2];
    pthread_t thread;
};

/* Aborts the test when it cannot start. */
void redis_newer_start(struct redis_newer *n, struct tmpdir_file socket,
                       const char *upstream, const char *answer);
void redis_newer_stop(struct redis_newer *n);

#endif
