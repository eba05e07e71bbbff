/*
 * watch_rules: which state of a job may follow which, in the log of events (I8).  Pure.
 */
#ifndef HOIST_TESTS_CHAOS_WATCH_RULES_H
#define HOIST_TESTS_CHAOS_WATCH_RULES_H

#include "shared/job.h"

#include <stdbool.h>

/* was: JOB_ACCEPTED when nothing is known of it.  A running job begins again only by way of a line, or another has it too. */
bool watch_may_follow(enum job_state was, enum job_state is);

#endif
