/*
 * child_spawn: fork and exec, private to child*.c.
 */
#ifndef HOIST_WORKER_CHILD_SPAWN_H
#define HOIST_WORKER_CHILD_SPAWN_H

#include "worker/child.h"

#include <sys/types.h>

/* Start it as child.h says.  The caller owns the process, the descriptor that tells of its end (pidfd_open(2)) and the
 * end of its standard error to be read, which does not block.  Errors as of child_start; nothing is left then. */
MUST_CHECK enum err_code child_spawn(const struct child_options *o, pid_t *ret_pid,
                                     int *ret_pidfd, int *ret_errors_fd, struct err *e);

#endif
