/*
 * console_rig: the queue's console (generated/hoist.lua, FUNCTION library) on the private Redis of queue_harness.
 *
 *     console_up();                                     harness_up, and the functions loaded
 *     char *text = console("hoist_status", NULL);       FCALL hoist_status 1 {q}: its lines, to be freed
 *     console_says("hoist_cancel", id, NULL, "cancelled")
 *
 * A function that answers an error fails nothing here: the text begins with "-ERR" then.
 */
#ifndef HOIST_TESTS_INTEGRATION_CONSOLE_RIG_H
#define HOIST_TESTS_INTEGRATION_CONSOLE_RIG_H

#include "shared/job.h"

#include <stdbool.h>
#include <stddef.h>

enum { CONSOLE_CURSOR_SIZE = 128 };

void console_up(void);
/* Load the functions into the Redis that runs already. */
void console_load(void);

/* At most two arguments; NULL for those that are not given. */
char *console(const char *function, const char *a, const char *b);
/* Whether what it says holds want; what it says is shown when not. */
bool console_says(const char *function, const char *a, const char *b, const char *want);

/* hoist_fsck from the beginning to the end: how much was found in all.  repair: and mended.  ret_text (may be NULL) gets
 * what the last call with a finding said. */
size_t fsck(bool repair, char *ret_text, size_t size);
/* How many calls that took, and how many entries one looked at, at most. */
size_t fsck_calls(void);
size_t fsck_most(void);

/* new_job with text fields; NULL for those that are not given.  Enqueued; its id. */
struct job_id add_linked(const char *group, const char *after, const char *unique);

#endif
