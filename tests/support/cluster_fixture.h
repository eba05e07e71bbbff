/*
 * cluster_fixture: a private Redis Cluster of one test, three masters without replicas, and the moving of its slots.
 *
 *     node 0: slots 0 .. 5460        node 1: 5461 .. 10922        node 2: 10923 .. 16383
 *
 *     static struct cluster_fixture f;
 *     cluster_fixture_start(&f);
 *     unsigned slot = cluster_slot("media");
 *     size_t to = (cluster_fixture_owner(&f, slot) + 1) % CLUSTER_NODES;
 *     cluster_fixture_begin_move(&f, slot, to);              IMPORTING there, MIGRATING here
 *     while (cluster_fixture_move_keys(&f, slot, 5) > 0)     MIGRATE ... KEYS
 *         ...
 *     cluster_fixture_end_move(&f, slot);                    NODE everywhere
 *     cluster_fixture_stop(&f);
 *
 * Each node is a redis_fixture (its own directory, no persistence, dies with its test) that listens on TCP as well.
 * The kernel chooses the ports, of the bus too; a socket that is bound to each and never listens keeps it for the
 * server for as long as the fixture lives, so clusters of tests that run at the same time do not meet.
 * What fails here aborts the test with a message and the node's log.  One thread at a time.
 */
#ifndef HOIST_TESTS_SUPPORT_CLUSTER_FIXTURE_H
#define HOIST_TESTS_SUPPORT_CLUSTER_FIXTURE_H

#include "tests/support/redis_fixture.h"

#include <stddef.h>
#include <stdint.h>

enum { CLUSTER_NODES = 3, CLUSTER_SLOTS = 16384, CLUSTER_MOVE_MAX = 8 };

struct cluster_node {
    struct redis_fixture redis; /* ask it with redis_fixture_ask */
    int port, bus_port;         /* on 127.0.0.1 */
    int port_fd, bus_fd;        /* keep them */
    char port_text[8], bus_text[8];
    char id[41];
};

struct cluster_fixture {
    struct cluster_node nodes[CLUSTER_NODES];
    size_t from, to; /* of the move under way */
};

/* Returns when every node says that the cluster is whole: 2 to 3 s, a delay that is Redis' own. */
void cluster_fixture_start(struct cluster_fixture *f);
void cluster_fixture_stop(struct cluster_fixture *f);

/* The slot of all keys with the hash tag {tag}, which is what a queue's name is (Redis Cluster specification: CRC16 of
 * the tag, XMODEM, modulo 16384).  Pure. */
unsigned cluster_slot(const char *tag);
/* Which node has it, as the nodes say that agree on it; a move that has not ended counts for where it began. */
size_t cluster_fixture_owner(struct cluster_fixture *f, unsigned slot);
/* How many keys of the slot this node holds. */
int64_t cluster_fixture_keys(struct cluster_fixture *f, size_t node, unsigned slot);

/* One move at a time. */
void cluster_fixture_begin_move(struct cluster_fixture *f, unsigned slot, size_t to);
/* Move up to max (1 .. CLUSTER_MOVE_MAX) keys; how many were found, 0: none is left. */
size_t cluster_fixture_move_keys(struct cluster_fixture *f, unsigned slot, size_t max);
/* Give the slot to its new node.  All keys must have moved: the old node refuses otherwise, which aborts. */
void cluster_fixture_end_move(struct cluster_fixture *f, unsigned slot);

#endif
