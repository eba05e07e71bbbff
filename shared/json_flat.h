/*
 * json_flat: a JSON object (RFC 8259) of a few scalars, {"rate": 0.5, "retry_place": "tail", "burst": null}: what the
 * steering requests carry, and services that hand out keys answer.  Pure.
 *
 * Refused with ERR_REJECT, the text saying what and at which byte: what is no JSON object, objects and arrays within it,
 * a name given twice, more members than JSON_FLAT_MAX, names over JSON_FLAT_NAME and texts over JSON_FLAT_TEXT bytes, NUL in a text, invalid UTF-8,
 * numbers of more than JSON_FLAT_NUMBER characters, anything behind the object but blanks.
 */
#ifndef HOIST_SHARED_JSON_FLAT_H
#define HOIST_SHARED_JSON_FLAT_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JSON_FLAT_MAX = 32,
    JSON_FLAT_NAME = 255,
    JSON_FLAT_TEXT = 2048,
    JSON_FLAT_NUMBER = 31
};

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT };

struct json_member {
    char name[JSON_FLAT_NAME + 1];
    enum json_type type;
    bool truth; /* of a JSON_BOOL */
    char text[JSON_FLAT_TEXT +
              1]; /* of a JSON_TEXT; of a JSON_NUMBER as it stood there */
};

struct json_flat {
    struct json_member members[JSON_FLAT_MAX];
    size_t count;
};

MUST_CHECK enum err_code json_flat_parse(const char *s, size_t len,
                                         struct json_flat *ret, struct err *e);

/* A text that is looked for, of any length. */
struct json_text {
    const char *name;
    char *ret; /* the caller's, of size bytes, at least 1; "" when there is none */
    size_t size;
    bool found;
};

/*
 * Only these texts, each of up to size - 1 bytes; whatever else the object has is passed over, texts of any length and any
 * number of members.  One that is not found is no error, one that is no text is.  After an error what ret holds means nothing.
 */
MUST_CHECK enum err_code json_flat_texts(const char *s, size_t len,
                                         struct json_text *texts, size_t count,
                                         struct err *e);

/* The member of that name, or NULL. */
const struct json_member *json_flat_find(const struct json_flat *j, const char *name);
/* A number of digits alone, 0 .. max; false for anything else. */
bool json_member_int(const struct json_member *m, int64_t max, int64_t *ret);

#endif
