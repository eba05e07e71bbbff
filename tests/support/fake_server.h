/*
 * fake_server: a unix socket that says what a test tells it to: for the answers no real server gives on demand.
 *
 * A thread accepts one connection after the other.  On each it reads until something has come, then writes the next of
 * the replies, and so on; after the last reply it either keeps silent or closes.  What it read is thrown away: how
 * requests fall into reads does not matter, so write one reply for each exchange.  On every further connection the
 * replies start from the first again.
 */
#ifndef HOIST_TESTS_SUPPORT_FAKE_SERVER_H
#define HOIST_TESTS_SUPPORT_FAKE_SERVER_H

#include "tests/support/tmpdir.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct fake_reply {
    const char *bytes;
    size_t len;
    size_t repeat; /* 0 counts as 1 */
    bool more;     /* the next one follows at once: it belongs to the same exchange */
};

struct fake_server {
    struct tmpdir_file socket;
    /* The caller's; ends with one whose bytes are NULL. */
    const struct fake_reply *replies;
    bool close_at_end;
    int listener, stop[2];
    pthread_t thread;
};

/* Fill socket, replies and close_at_end before.  Aborts the test when it cannot start. */
void fake_server_start(struct fake_server *s);
void fake_server_stop(struct fake_server *s);

#endif
