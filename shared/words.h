/*
 * words: a command line taken apart into its words, as systemd does with ExecStart=.  Nothing is expanded: no shell.
 *
 *     pg_dump -Fc "my db" --exclude='a b' tab\there   ->   "pg_dump" "-Fc" "my db" "--exclude='a b'" "tab<TAB>here"
 *
 *   - Blanks and tabs stand between words.
 *   - A word that begins with ' or " goes to the next one of its kind, which a blank or the end must follow; what stands
 *     between is taken as it is, but for backslashes.  Elsewhere in a word quotes mean themselves.
 *   - A backslash begins, everywhere, one of \a \b \f \n \r \t \v \s (a blank) \\ \" \' \xHH \OOO (three octal digits).
 *
 * Pure.  A struct words owns its strings and belongs to one thread.
 */
#ifndef HOIST_SHARED_WORDS_H
#define HOIST_SHARED_WORDS_H

#include "shared/err.h"

#include <stddef.h>

enum { WORDS_MAX = 128, WORDS_TEXT_MAX = 4096 /* bytes of the line */ };

struct words {
    char *argv[WORDS_MAX + 1]; /* ends with NULL; all of one piece of memory */
    size_t count;
    char *text; /* that memory; owned */
};

/*
 * Take a line apart.  *ret is the caller's to release.
 * ERR_CONFIG  no word at all, a quote without its end or followed by more, a backslash before something else, a NUL, or
 *             beyond the maxima; the text may be shown to whoever wrote the line
 * ERR_NOMEM   memory is short
 */
MUST_CHECK enum err_code words_split(const char *line, struct words *ret,
                                     struct err *e);

/* Free what it holds; leaves it zeroed.  Takes a zeroed one. */
void words_release(struct words *w);

#endif
