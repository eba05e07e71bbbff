/*
 * source_command_errors: what a command wrote on its standard error, as text for people.  Pure.
 */
#ifndef HOIST_WORKER_SOURCE_COMMAND_ERRORS_H
#define HOIST_WORKER_SOURCE_COMMAND_ERRORS_H

#include <stddef.h>

/*
 * "why: errors", at most JOB_ERROR_MAX bytes, the caller's to free; why alone where nothing was written.  Lines are parted
 * by "; ".  What is no character of UTF-8 or a control character becomes one blank, as do several blanks.
 * NULL: no memory.
 */
char *source_command_detail(const char *why, const char *errors, size_t len);

#endif
