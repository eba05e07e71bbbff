/*
 * sf_dict: a field that is a dictionary of structured fields (RFC 8941 section 3.2), read member by member.  Pure: the field is
 * untrusted.
 *
 *     sha-512=:3q2+7w==:;w=1, sha-256=:RK/0...:, x, n=10
 *     key     value           ...
 *
 *     struct sf_dict d = sf_dict_read(field, len);
 *     while ((next = sf_dict_next(&d, &member)) == SF_MEMBER) ...         SF_BAD: the field as a whole counts for nothing
 *
 * Members of any type are understood, so that a new one does not make the field unreadable; parameters and what stands in
 * inner lists are checked and dropped.  Linear, no memory, no recursion.  Of several members of one key the last one counts:
 * that is left to the caller.
 */
#ifndef HOIST_SHARED_SF_DICT_H
#define HOIST_SHARED_SF_DICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sf_type {
    SF_BOOLEAN, /* integer: 0 or 1 */
    SF_INTEGER,
    SF_DECIMAL, /* not taken apart */
    SF_STRING,  /* between its quotes, backslashes kept */
    SF_TOKEN,
    SF_BYTES, /* its base64; the padding may be missing */
    SF_INNER_LIST
};

struct sf_member {
    const char *key; /* points into the field, as text does */
    size_t key_len;
    enum sf_type type;
    const char *text;
    size_t text_len;
    int64_t integer;
};

struct sf_dict {
    const char *at, *end;
    bool begun;
};

enum sf_next { SF_MEMBER, SF_END, SF_BAD };

struct sf_dict sf_dict_read(const char *field, size_t len);
/* After SF_END or SF_BAD there is no next one. */
enum sf_next sf_dict_next(struct sf_dict *d, struct sf_member *ret);

#endif
