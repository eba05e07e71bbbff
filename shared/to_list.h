/*
 * to_list: where a job goes: the names of one destination, or of several at once.  Pure.
 *
 *     "s3-main, archive"  --to_list_parse-->  2 names  --to_list_format-->  "s3-main,archive"
 *
 * In configuration and options names stand with commas or blanks between them; in records and answers as format writes
 * them.  The first one is the job's first destination.
 */
#ifndef HOIST_SHARED_TO_LIST_H
#define HOIST_SHARED_TO_LIST_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    TO_LIST_MAX = 8,
    TO_NAME_MAX = 32,
    TO_LIST_TEXT_MAX = TO_LIST_MAX * (TO_NAME_MAX + 1) - 1
};

struct to_list {
    char names[TO_LIST_MAX][TO_NAME_MAX + 1];
    size_t count; /* at least 1 */
};

/*
 * ERR_REJECT: no name, more than TO_LIST_MAX, one that is not [A-Za-z0-9][A-Za-z0-9._-]{0,31}, or one twice; *ret is then
 * untouched, and the text fits behind "to: ".
 */
MUST_CHECK enum err_code to_list_parse(const char *s, size_t len, struct to_list *ret,
                                       struct err *e);
void to_list_format(const struct to_list *l,
                    char ret_text[static TO_LIST_TEXT_MAX + 1]);

/* Whether this is what format writes. */
bool to_list_is_plain(const char *s, size_t len);

#endif
