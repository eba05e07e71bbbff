/*
 * convert_env: the environment of a job's converters.  Pure.
 *
 *     PATH, HOME=/, LANG=C.UTF-8                        the same for all
 *     HOIST_JOB_ID=QUEUE.UUID  HOIST_NAME  HOIST_TYPE   the job's; empty where it has none
 *     HOIST_META_FIRST_NAME                             meta.first-name of the job; of two that become one, the later
 *
 * All are plain text without control characters, as the job's fields are.
 */
#ifndef HOIST_WORKER_CONVERT_ENV_H
#define HOIST_WORKER_CONVERT_ENV_H

#include "shared/job.h"

struct convert_env {
    char *list[6 + JOB_META_MAX + 1]; /* ends with NULL; within text */
    struct buf text;
};

/* *ret is the caller's to release.  ERR_NOMEM: nothing is left. */
MUST_CHECK enum err_code convert_env_make(const struct job *j, struct convert_env *ret,
                                          struct err *e);
void convert_env_release(struct convert_env *env);

#endif
