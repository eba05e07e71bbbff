/*
 * reconcile_rig: a Redis and a spool of one test's own, and a connection, for the tests of reconcile.
 */
#ifndef HOIST_TESTS_INTEGRATION_RECONCILE_RIG_H
#define HOIST_TESTS_INTEGRATION_RECONCILE_RIG_H

#include "shared/redis.h"
#include "tests/support/redis_fixture.h"
#include "tests/support/spool_sample.h"

struct reconcile_rig {
    struct redis_fixture *server;
    struct spool_sample *spool;
    struct redis **redis;
};

/* Each asserts that it goes well. */
void reconcile_rig_up(const struct reconcile_rig *rig);
void reconcile_rig_down(const struct reconcile_rig *rig);

#endif
