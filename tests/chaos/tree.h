/*
 * tree: each regular file below a directory, links not followed, to a stated depth.
 */
#ifndef HOIST_TESTS_CHAOS_TREE_H
#define HOIST_TESTS_CHAOS_TREE_H

#include "shared/err.h"

#include <stdbool.h>
#include <sys/stat.h>

enum { TREE_DEPTH_MAX = 16, TREE_PATH_MAX = 4095 };

struct tree_file {
    const char *path;  /* the root's, with what is below it */
    const char *below; /* what is below it */
    const char *name;  /* its last part */
    const struct stat *stat;
};

/* False ends the walk. */
typedef bool tree_seen(void *ctx, const struct tree_file *f);

/* A root that is a file is told alone, with below "".  Nothing is told of a root that is not there; what goes meanwhile is left
 * out.  ERR_CONFIG: something cannot be read, or lies deeper; ERR_NOMEM. */
MUST_CHECK enum err_code tree_walk(const char *root, tree_seen *seen, void *ctx,
                                   struct err *e);

#endif
