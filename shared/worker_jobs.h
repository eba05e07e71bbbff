/*
 * worker_jobs: what a worker tells of the jobs that it runs: the field `jobs` of hoist:worker:<id>.  Pure.
 *
 *     default.0192… shop - uploading 4711 1200 800 7 3 1764451470000 photo of us.jpg        one line for each job
 *     |             |    | |         |    |    |   | | |             name: the rest of the line; "" for none
 *     id        owner    | phase     |    |    |   | | started, ms
 *                   policy     bytes, sent, rate   parts, parts done
 *
 * owner, policy and phase are "-" where there is none.  At most WORKER_JOBS_MAX lines: those that have run longest.  Readers take
 * the text as untrusted: a line of another form is stepped over.
 */
#ifndef HOIST_SHARED_WORKER_JOBS_H
#define HOIST_SHARED_WORKER_JOBS_H

#include "shared/buf.h"
#include "shared/job.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WORKER_JOBS_MAX = 20,
    WORKER_JOB_PHASE_MAX = 16,
    WORKER_JOBS_BYTES_MAX = WORKER_JOBS_MAX * 768
};

struct worker_job {
    struct job_id id;
    char owner[ID_QUEUE_MAX + 1], policy[ID_QUEUE_MAX + 1]; /* "": none */
    char phase[WORKER_JOB_PHASE_MAX + 1];                   /* "": not known */
    char name[JOB_NAME_MAX + 1];                            /* "": none */
    int64_t size, sent, rate;                               /* bytes; bytes a second */
    int64_t parts, parts_done;                              /* 0: it has none */
    int64_t started;                                        /* ms; 0: not known */
};

/* The job's own part: id, owner, policy, name, size, parts 0.  What has no place in a line is left out. */
void worker_job_describe(const struct job *j, struct worker_job *ret);
/* Append its line. */
void worker_jobs_add(struct buf *b, const struct worker_job *j);
/* The next line from *at on, which moves behind it.  False: there is none. */
bool worker_jobs_next(const char *text, size_t len, size_t *at, struct worker_job *ret);

#endif
