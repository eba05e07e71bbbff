/*
 * top: hoist-worker --top.  Shows the queues and the workers (draw.h), anew every two seconds, until q or a signal.
 *
 *     on a terminal     on its other screen, which is left as it was; q and Ctrl-C end it, any other key looks at once
 *     else              one picture, as text, and the end: for scripts, `watch` and mails
 *
 * It only reads.  While Redis is away the picture says so, and it tries again.  Works nothing, needs no spool, and can
 * run wherever the configuration and Redis can be reached.
 */
#ifndef HOIST_WORKER_TOP_TOP_H
#define HOIST_WORKER_TOP_TOP_H

#include "shared/config.h"
#include "shared/err.h"

enum { TOP_EVERY_MS = 2000 };

/* Returns when it was ended.  Not on a terminal the errors of picture_read; else ERR_CONFIG, ERR_NOMEM. */
MUST_CHECK enum err_code top_run(const struct config *config, struct err *e);

#endif
