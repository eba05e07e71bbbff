/*
 * reconcile_once: `hoist-worker --reconcile`, one pass by hand.
 *
 * What the reconciler of a running worker does (reconciler.h), with all its looks, told line by line on standard output:
 *
 *     enqueue ID          Redis did not know it            remove ID          it has ended, its files go
 *     look ID: there      done, with its object            sweep tmp/FILE     debris
 *     look ID: cannot tell: WHY   files stay               damaged ID: WHY    left to people
 *     again ID            done, but its object has gone    failed ID: WHY     could not be read or removed
 *     abort ID.DESTINATION.parts                           an upload in parts that nobody goes on with (abandoned.h)
 *
 * and a line of sums at the end.  Other workers may run meanwhile.  A directory that is missing as a destination is not made,
 * as a worker does when it starts: a look into it cannot tell.
 */
#ifndef HOIST_WORKER_RECONCILE_ONCE_H
#define HOIST_WORKER_RECONCILE_ONCE_H

#include "shared/config.h"
#include "shared/err.h"
#include "shared/spool.h"

#include <stdbool.h>
#include <stdio.h>

/* dry_run: tell what would be done, and change nothing, on the disk or in Redis.
 * ERR_OK: *ret_left is how many jobs could not be dealt with.  Otherwise Redis or the spool could not be used. */
MUST_CHECK enum err_code reconcile_once(const struct config *config,
                                        struct spool *spool, bool dry_run,
                                        size_t *ret_left, struct err *e);

#endif
