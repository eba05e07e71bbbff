/*
 * metrics_listen: answers scrapers over HTTP/1.1, on the worker's own loop.
 *
 *     connection --head, at most METRICS_REQUEST_MAX--> metrics_request --> write (the text of now) --> answer, then its end
 *         '--- METRICS_LIVE_MS over, or the peer is gone, whatever it is at --> closed
 *
 * One request a connection.  At most METRICS_CONNECTIONS_MAX of them: further ones are closed as they come.  A connection
 * has METRICS_LIVE_MS from its begin to its end, so none can be held by a peer that reads or writes slowly.
 *
 * A unix socket is of mode 0660; one that somebody left behind is replaced, one on which somebody answers is not.
 */
#ifndef HOIST_WORKER_METRICS_LISTEN_H
#define HOIST_WORKER_METRICS_LISTEN_H

#include "shared/buf.h"
#include "shared/listen_at.h"

#include <uv.h>

enum { METRICS_CONNECTIONS_MAX = 8, METRICS_LIVE_MS = 5000 };

struct metrics_listen;

/* write is called for each answer.  ERR_CONFIG: it cannot listen there. */
MUST_CHECK enum err_code metrics_listen_open(uv_loop_t *loop,
                                             const struct listen_at *at,
                                             void (*write)(struct buf *b, void *ctx),
                                             void *ctx, struct metrics_listen **ret,
                                             struct err *e);
/* Handles close on later turns of the loop.  Takes NULL. */
void metrics_listen_close(struct metrics_listen *l);

#endif
