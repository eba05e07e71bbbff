/*
 * metrics_file: a file with the worker's metrics, for node_exporter's textfile collector.
 *
 *     every METRICS_FILE_MS: text --thread pool--> PATH.new, 0644, renamed to PATH          removed at a clean end
 *
 * A reader sees the whole of one text, never a part.  What hangs is the pool's thread, not the loop: no second write is begun
 * meanwhile.  What a worker that was killed has left is as old as its mtime says (node_textfile_mtime_seconds).
 */
#ifndef HOIST_WORKER_METRICS_FILE_H
#define HOIST_WORKER_METRICS_FILE_H

#include "shared/buf.h"

#include <uv.h>

enum { METRICS_FILE_MS = 5000 };

struct metrics_file;

/* The path is copied.  The first write comes at once.  write is called on the loop.  A file that cannot be written is told
 * in the log, at most once a minute.  ERR_NOMEM. */
MUST_CHECK enum err_code metrics_file_open(uv_loop_t *loop, const char *path,
                                           void (*write)(struct buf *b, void *ctx),
                                           void *ctx, struct metrics_file **ret,
                                           struct err *e);
/* Remove it; handles close on later turns of the loop.  Takes NULL. */
void metrics_file_close(struct metrics_file *f);

#endif
