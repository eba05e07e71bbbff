/*
 * text_line: fields of Redis that hold a line for each thing, words with a space between, and a rest (job_tries.h, worker_jobs.h).
 * Pure; all of it is untrusted.
 *
 *     while (text_line_next(text, len, &at, &line, &end))
 *         ok = text_line_word(&line, end, &word) && text_line_number(&line, end, &n);       what is left is the rest
 */
#ifndef HOIST_SHARED_TEXT_LINE_H
#define HOIST_SHARED_TEXT_LINE_H

#include "shared/job_fields.h"

#include <stdbool.h>
#include <stdint.h>

/* The next line from *at on, which moves behind its end.  False: there is none, or its end was cut off. */
bool text_line_next(const char *text, size_t len, size_t *at, const char **ret_line,
                    const char **ret_end);
/* The word at *s, not an empty one, which moves behind the space after it.  False: no space follows. */
bool text_line_word(const char **s, const char *end, struct job_text *ret);
/* The same, of at most 15 decimal digits and nothing else. */
bool text_line_number(const char **s, const char *end, int64_t *ret);

#endif
