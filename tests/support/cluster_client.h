/*
 * cluster_client: commands to whichever node of a Redis Cluster has their slot.  Small and blocking.
 *
 *     what a node answers            what the client does
 *     MOVED slot host:port           remember it, ask there
 *     ASK slot host:port             ask there, this once, behind ASKING in the same write
 *     TRYAGAIN                       the keys of the command are split between two nodes: again in 2 ms
 *     CLUSTERDOWN                    again in 2 ms
 *     anything else                  the answer, errors included
 *
 * all until the deadline.  None of the four has run anything, so asking again is safe whatever the command.  A
 * connection that breaks is an error of the call: the command may or may not have run.
 * One connection (struct redis) for each node met so far.  One thread at a time; as many clients as wanted.
 */
#ifndef HOIST_TESTS_SUPPORT_CLUSTER_CLIENT_H
#define HOIST_TESTS_SUPPORT_CLUSTER_CLIENT_H

#include "shared/redis.h"

#include <stdint.h>

enum { CLUSTER_CLIENT_NODES_MAX = 16 };

struct cluster_client;

struct cluster_client_options {
    int port;        /* of any node, on 127.0.0.1 */
    int timeout_ms;  /* of one exchange; more than a blocking command may block */
    int deadline_ms; /* of one call, with all its redirections */
};

struct cluster_client_counts {
    int64_t moved, asked, try_again, down;
};

/* Connects to nothing yet. */
MUST_CHECK enum err_code cluster_client_open(const struct cluster_client_options *o,
                                             struct cluster_client **ret_client,
                                             struct err *e);
void cluster_client_close(struct cluster_client *c); /* takes NULL */

/* One command about keys of this slot; *ret_reply is to be freed with redis_reply_free.  An error reply is an error of
 * the call: ERR_RETRY for TRYAGAIN and the like at the deadline, else as redis.h says. */
MUST_CHECK enum err_code cluster_client_call(struct cluster_client *c, unsigned slot,
                                             const struct redis_cmd *cmd,
                                             struct redis_value **ret_reply,
                                             struct err *e);

/* What it has followed and ridden out so far. */
struct cluster_client_counts cluster_client_counts(const struct cluster_client *c);

#endif
