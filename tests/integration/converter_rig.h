/*
 * converter_rig: what the tests of converters share beside worker_rig: processes of a job, its object, its end.
 */
#ifndef HOIST_TESTS_INTEGRATION_CONVERTER_RIG_H
#define HOIST_TESTS_INTEGRATION_CONVERTER_RIG_H

#include "tests/integration/worker_rig.h"

/* How many processes, zombies left out, have the job's id in their environment. */
int converter_processes_of(const struct job_id *id);
/* Whether there is an object under the job's own name. */
bool converter_has_object(struct worker_rig *rig, const struct job_id *id);
/* Put a text through converters; one attempt unless attempts says more. */
struct job_id converter_put(struct worker_rig *rig, const char *data,
                            const char *convert);
/* It gets done, and the object is this text. */
void converter_expect(struct worker_rig *rig, const struct job_id *id,
                      const char *text);
/* It gets dead for a reason of this class that begins so; no object, no process is left, and its bytes are still there. */
void converter_expect_dead(struct worker_rig *rig, const struct job_id *id,
                           const char *class, const char *error);
/* Whether the sandbox of a job had this part ("landlock"). */
bool converter_had(struct worker_rig *rig, const struct job_id *id, const char *part);

#endif
