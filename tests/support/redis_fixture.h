/*
 * redis_fixture: a private redis-server of one test, on a unix socket in its own temporary directory, without
 * persistence.  As many as wanted in one process; tests never meet.  It dies with its test (see spawn.h).
 *
 *     static struct redis_fixture redis;
 *     static void up(void) { redis_fixture_start(&redis); }
 *     static void down(void) { redis_fixture_stop(&redis); }
 *     ...
 *     o.target from redis.url ("unix:///...")
 *     char *n = redis_fixture_ask(&redis, "ZCARD", "hoist:{q}:ready", NULL);
 *
 * A server that does not answer PING within 5 s aborts the test and shows its log.
 */
#ifndef HOIST_TESTS_SUPPORT_REDIS_FIXTURE_H
#define HOIST_TESTS_SUPPORT_REDIS_FIXTURE_H

#include "tests/support/spawn.h"
#include "tests/support/tmpdir.h"

#include <stdint.h>

enum { REDIS_FIXTURE_ARGS_MAX = 16 };

struct redis_fixture {
    struct tmpdir dir;
    struct tmpdir_file socket, log;
    char url[TMPDIR_FILE_MAX + 16]; /* unix:///... */
    const char *extra[REDIS_FIXTURE_ARGS_MAX + 1];
    struct spawn server;
    void *side; /* the connection of redis_fixture_ask */
};

void redis_fixture_start(struct redis_fixture *f);
/* With more arguments for redis-server, NULL-terminated, e.g. {"--maxmemory", "4mb", NULL}; the strings must live as
 * long as the fixture. */
void redis_fixture_start_with(struct redis_fixture *f, const char *const *args);
/* Stop the server, if it runs, and remove the directory. */
void redis_fixture_stop(struct redis_fixture *f);

/* kill -9 (the socket file stays, nobody answers); start again on the same socket, empty. */
void redis_fixture_kill(struct redis_fixture *f);
void redis_fixture_restart(struct redis_fixture *f);
/* kill -STOP: it accepts connections but never answers; kill -CONT. */
void redis_fixture_pause(struct redis_fixture *f);
void redis_fixture_resume(struct redis_fixture *f);

/* Run one command, arguments as strings up to NULL, on a connection of its own.  The reply as text: a string or status
 * as it is, an integer in decimal, nil as "", an array's elements one per line, an error as "-ERR ...".  The caller
 * frees it. */
char *redis_fixture_ask(struct redis_fixture *f, const char *arg, ...)
    __attribute__((sentinel));
/* The same for commands that answer a number (or a string that is one). */
int64_t redis_fixture_ask_int(struct redis_fixture *f, const char *arg, ...)
    __attribute__((sentinel));

#endif
