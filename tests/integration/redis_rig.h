/*
 * redis_rig: a blocking connection to a private Redis, and its commands a line each, for tests/integration/test_redis*.c.
 */
#ifndef HOIST_TESTS_INTEGRATION_REDIS_RIG_H
#define HOIST_TESTS_INTEGRATION_REDIS_RIG_H

#include "shared/redis.h"
#include "tests/support/redis_fixture.h"

extern struct redis_fixture server;

/* For TestSuite's .init and .fini: start and stop `server`. */
void redis_up(void);
void redis_down(void);

/* A connection with this time-out of a command; the caller closes it.  Fails the test when it cannot be opened. */
struct redis *connect_to(const char *url, int timeout_ms);

/* One command of up to three words (the first NULL ends them); the reply as text, cut to 63 bytes. */
enum err_code call(struct redis *r, struct err *e, char ret_text[64], const char *a,
                   const char *b, const char *c);

/* Whether the server answers; why not is printed. */
bool ping(struct redis *r);

#endif
