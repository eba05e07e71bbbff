/*
 * dest_whole: stands before a destination that wants to know its bytes before it begins.
 *
 *     work with a descriptor ---------------------------------------------------> the destination
 *     work with a stream --> a nameless file in spool/tmp, hashed --STREAM_END--> the destination, with size and SHA-256
 *
 * Where the effect cannot be taken back (a program), the bytes are signed, or several take them, a stream that can break or be
 * read once alone does not do.  What it costs: the disk, as for a command's output.
 *
 * Guarantees, besides those of destination.h: the destination is not begun before the stream has ended well; outcome.sha256 and
 * outcome.sent of a done job tell what the stream was.  Belongs to the loop's thread; writing and hashing is on the pool.
 */
#ifndef HOIST_WORKER_DEST_WHOLE_H
#define HOIST_WORKER_DEST_WHOLE_H

#include "shared/spool.h"
#include "worker/dest/destination.h"

/* *ret stands before inner, which is its from now on, and has its config.  ERR_NOMEM: inner is still the caller's. */
MUST_CHECK enum err_code dest_whole_open(uv_loop_t *loop, struct spool *spool,
                                         struct destination *inner,
                                         struct destination **ret, struct err *e);

#endif
