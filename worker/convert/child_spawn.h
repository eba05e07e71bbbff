/*
 * child_spawn: fork and exec, private to child*.c.
 */
#ifndef HOIST_WORKER_CHILD_SPAWN_H
#define HOIST_WORKER_CHILD_SPAWN_H

#include "worker/convert/child.h"

#include <sys/types.h>

/* A program that runs; its process and descriptors are the caller's. */
struct child_spawned {
    pid_t pid;
    int pidfd;      /* tells of its end (pidfd_open(2)) */
    int errors_fd;  /* the end of its standard error to be read; does not block */
    unsigned parts; /* of its sandbox that are in force */
};

/* Start it as child.h says.  Errors as of child_start; nothing is left then. */
MUST_CHECK enum err_code child_spawn(const struct child_options *o,
                                     struct child_spawned *ret, struct err *e);

#endif
