/*
 * media_type: which types of files are welcome, as a list in a setting.  Pure.
 *
 *     image/png, application/pdf      commas and blanks between them; case does not matter
 *     a star in place of the subtype  all of that kind
 *
 * Of a type that is asked about, parameters ("; charset=utf-8") do not count.
 */
#ifndef HOIST_SHARED_MEDIA_TYPE_H
#define HOIST_SHARED_MEDIA_TYPE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this is such a list; an empty one is. */
bool media_type_is_list(const char *list);

/* Whether the list has this type of len bytes, any bytes.  An empty list has none. */
bool media_type_is_listed(const char *list, const char *type, size_t len);

#endif
