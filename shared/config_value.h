/*
 * config_value: one setting between its text form and its place in a struct.  Private to config*.c.
 *
 *     "5G"  -- config_value_set -->  int64_t at section + offset  -- config_value_add -->  "5G"
 *
 * Pure.  section is the struct that s->offset counts from, for example a struct config_queue.
 */
#ifndef HOIST_SHARED_CONFIG_VALUE_H
#define HOIST_SHARED_CONFIG_VALUE_H

#include "shared/config_table.h"

enum { CONFIG_TEXT_MAX = 4096 }; /* bytes of one value */

/* Parse text and store it; a string that was there is freed.
 * ERR_CONFIG "'disc' is not one of disk, memory" (a secret is not repeated); nothing is stored.  ERR_NOMEM. */
MUST_CHECK enum err_code config_value_set(const struct config_setting *s,
                                          const char *text, void *section,
                                          struct err *e);

/* Append the stored value as text that config_value_set takes; no text for a NULL string.  Secrets too. */
void config_value_add(const struct config_setting *s, const void *section,
                      struct buf *b);

/* Append what is allowed: "a number from 1 to 1024", "one of disk, memory". */
void config_value_describe(const struct config_setting *s, struct buf *b);

/* Where the string of a CONFIG_TEXT or CONFIG_PATH is kept. */
char **config_value_string(const struct config_setting *s, void *section);

/* Free what the setting holds: strings. */
void config_value_release(const struct config_setting *s, void *section);

#endif
