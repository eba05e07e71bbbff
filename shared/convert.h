/*
 * convert: the converters that a job names, and the key of what they make.
 *
 *     "thumb, gzip" --convert_find--> [converter thumb] [converter gzip], type, extension --convert_key--> 1c8f….gz
 *
 * The converted object's name is a UUID that follows from the job (version 8, RFC 9562 section 5.8: SHA-256 of its id and its
 * converters), so that whoever runs the job makes the same one, and that no upload's own bytes ever have it.
 * Pure.
 */
#ifndef HOIST_SHARED_CONVERT_H
#define HOIST_SHARED_CONVERT_H

#include "shared/config.h"
#include "shared/job.h"

enum {
    CONVERT_MAX = JOB_CONVERT_MAX, /* converters of a job */
    CONVERT_EXTENSION_MAX = 9,     /* bytes, with the dot */
    CONVERT_KEY_SIZE = ID_UUID_LEN + CONVERT_EXTENSION_MAX + 1
};

struct convert {
    const struct config_converter *items[CONVERT_MAX]; /* within the configuration */
    size_t count;
    const char *type, *extension; /* of the last one that has any; "": none has */
};

/*
 * The converters of a list of names with commas or blanks between them; none at all is a list, too.
 * ERR_REJECT: one is not configured, or there are too many; the text begins with what is wrong.
 */
MUST_CHECK enum err_code convert_find(const struct config *c, const char *list,
                                      size_t len, struct convert *ret, struct err *e);
/* The names as they stand in a job: "a,b".  ret holds at least JOB_CONVERT_TEXT_MAX + 1 bytes. */
void convert_format(const struct convert *convert,
                    char ret[static JOB_CONVERT_TEXT_MAX + 1]);

/* .[a-z0-9]{1,8} */
bool convert_is_extension(const char *s);

/*
 * The key of what the converters of a job (its id, name and convert count) make: the UUID with extension, or that of the
 * job's name where extension is "".  ERR_NOMEM, ERR_CONFIG: as digest.h says.
 */
MUST_CHECK enum err_code convert_key(const struct job *j, const char *extension,
                                     char ret[static CONVERT_KEY_SIZE], struct err *e);

/*
 * Whether the job's key is one that no other job is given: its own UUID, or the one above, is in it.  What is there under such
 * a key was made by an earlier attempt of it.
 */
bool convert_owns_key(const struct job *j);

#endif
