/*
 * job_key: the key of an object whose job asked for none: a function of the job, made once, by its destination's template.
 *
 *     key = {yyyy}/{mm}/{dd}/{id}{ext}   +   job   -->   2026/11/22/0193c0de-….pdf       (words: stamp.h)
 *
 * Two jobs never get one key, since every template has {id}.  {id} and {ext} are those of the key without a template: the
 * job's uuid and the extension of its file name, or what convert.h says of a job with converters.  Pure.
 */
#ifndef HOIST_SHARED_JOB_KEY_H
#define HOIST_SHARED_JOB_KEY_H

#include "shared/config.h"
#include "shared/err.h"
#include "shared/job.h"

#include <stdbool.h>

/*
 * A template as it stands in the configuration, with a prefix of so many bytes in front of what it gives.
 * ERR_CONFIG: a word that is none, no {id}, or a key that job_key_is_safe refuses, at its longest or at its shortest.
 */
MUST_CHECK enum err_code job_key_check_template(const char *template,
                                                size_t prefix_bytes, struct err *e);

/*
 * Give a job that has none its key (id, created, name, queue, to, convert and metadata are there), and see that it fits behind
 * the prefix of each of its destinations.  Of several the first one's template counts.
 * ERR_REJECT  the job lacks metadata that the template wants, or a key of its own is too long there; the text is for whoever
 *             made it
 * ERR_CONFIG  its destination or a converter is not configured; ERR_NOMEM
 */
MUST_CHECK enum err_code job_key_fill(const struct config *config, struct job *j,
                                      struct err *e);

#endif
