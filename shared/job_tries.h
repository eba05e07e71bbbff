/*
 * job_tries: the story of a job, attempt by attempt.  Pure.
 *
 *     field `tries` of the record, written by fail and reap: a line for each attempt that failed, the latest ten
 *
 *       1 1764451470000 1764451471200 web1-4711-k3 transient connection refused
 *       |      begin         end      worker       class     the error, cut at 300 bytes
 *       number; begins at 1 again when a dead job is retried
 *
 * The attempt that runs, or that brought it to its end, stands in no line: the record's own fields tell of it.
 */
#ifndef HOIST_SHARED_JOB_TRIES_H
#define HOIST_SHARED_JOB_TRIES_H

#include "shared/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job_try {
    int64_t number;                           /* of the attempt */
    int64_t started, ended;                   /* ms */
    const char *worker, *error_class, *error; /* not terminated; class "-": none */
    size_t worker_len, class_len, error_len;
};

/* What may stand in the field: anything without a NUL.  Lines of another form are stepped over. */
bool job_tries_is_text(const char *s, size_t len);
/* The next line from *at on, which moves behind it; ret points into text.  False: there is none. */
bool job_tries_next(const char *text, size_t len, size_t *at, struct job_try *ret);

/*
 * Append the job's status (job_add_status), and in it also
 *   "tries":[{"attempt":1,"state":"failed","worker":"web1-4711-k3","started":"…","ended":"…",
 *             "error":{"class":"transient","text":"…"}},
 *            {"attempt":2,"state":"running","worker":…,"started":…}]
 *        oldest first; the state of the last one is running, done or cancelled where it has not failed
 *   "meta":{"name":"value"}, "source":"url", "crashes":1       where there is any; the source when it is not the spool
 * False when the buf is full.
 */
bool job_add_story(struct buf *b, const struct job *j);

#endif
