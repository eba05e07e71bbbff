/*
 * job_set: what a client may ask of a job's place in the queue, set by the field's name: group, after, after_failure,
 * unique, unique_until, batch.  Pure; the rules are those of the table in job_fields.h.
 */
#ifndef HOIST_SHARED_JOB_SET_H
#define HOIST_SHARED_JOB_SET_H

#include "shared/job.h"

/* Check a text and store a copy of it in the field of that name in Redis ("group").  name is the program's own, of an
 * asked-for field that holds text.
 * ERR_REJECT  the text breaks the field's rule, *e names the field; j is unchanged
 * ERR_NOMEM   j is unchanged */
MUST_CHECK enum err_code job_set_asked(struct job *j, const char *name, const char *s,
                                       size_t len, struct err *e);
/* Whether s may stand in that field. */
bool job_may_ask(const char *name, const char *s, size_t len);

#endif
