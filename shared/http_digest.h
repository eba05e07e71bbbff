/*
 * http_digest: what the fields of a message say that its bytes sum up to.  Pure: fields are untrusted.
 *
 *     Repr-Digest:    sha-512=:...:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:      RFC 9530 section 3
 *     Content-Digest: the same                                                                section 2
 *     Content-MD5:    Q2hlY2sgSW50ZWdyaXR5IQ==                                                   RFC 1864
 *         --> one struct http_digest: the sums that are known to us, of all fields together
 *
 * Algorithms that are not known (and md5 in the first two, where it is deprecated) are left out; a field that names no other
 * is a good field that says nothing.  Of one key given several times in a field the last one counts (RFC 8941 section 3.2).
 */
#ifndef HOIST_SHARED_HTTP_DIGEST_H
#define HOIST_SHARED_HTTP_DIGEST_H

#include "shared/digest.h"

/* Bits. */
enum http_digest_kind {
    HTTP_DIGEST_NONE = 0,
    HTTP_DIGEST_SHA256 = 1,
    HTTP_DIGEST_SHA512 = 2,
    HTTP_DIGEST_MD5 = 4
};

struct http_digest {
    unsigned has; /* kinds; 0: nothing was said */
    bool
        contradictory; /* two fields say different sums of one kind: no bytes can have both */
    uint8_t sha256[DIGEST_SHA256_BYTES];
    uint8_t sha512[DIGEST_SHA512_BYTES];
    uint8_t md5[DIGEST_MD5_BYTES];
};

#define HTTP_DIGEST_INIT                                                               \
    {                                                                                  \
        .has = 0                                                                       \
    }

/* How long the text is that http_digest_format writes, with its NUL. */
enum { HTTP_DIGEST_FIELD_SIZE = sizeof "sha-512=::" + 88 };

/* Add what a Repr-Digest or Content-Digest field says.  False, and *d is as it was: the field is no dictionary, or what it has
 * under sha-256 or sha-512 is no byte sequence of that length. */
bool http_digest_parse(const char *field, size_t len, struct http_digest *d);
/* The same of Content-MD5. */
bool http_digest_parse_md5(const char *field, size_t len, struct http_digest *d);
/* The same of a SHA-256 in hex digits. */
bool http_digest_parse_hex(const char *hex, size_t len, struct http_digest *d);
/* Add all that `from` has. */
void http_digest_merge(struct http_digest *d, const struct http_digest *from);

/* The kind that a Want-Repr-Digest field prefers (RFC 9530 section 4): HTTP_DIGEST_SHA256 or _SHA512; NONE when it wants neither,
 * or is broken: a wish may be left alone.  Of two that are wanted alike SHA-256. */
enum http_digest_kind http_digest_wanted(const char *field, size_t len);

/* The SHA-256 of a field, as hex; false, and ret_hex untouched, when it has none or is broken; what it says under other
 * names does not matter. */
bool http_digest_find_sha256(const char *field, char ret_hex[DIGEST_SHA256_HEX + 1]);

/* "sha-256=:base64:" or "sha-512=:base64:" of a sum of that kind. */
void http_digest_format(enum http_digest_kind kind, const uint8_t *sum,
                        char ret_field[HTTP_DIGEST_FIELD_SIZE]);
/* The same of bytes.  Errors as of digest.h. */
MUST_CHECK enum err_code http_digest_compute(enum http_digest_kind kind,
                                             const void *data, size_t len,
                                             char ret_field[HTTP_DIGEST_FIELD_SIZE],
                                             struct err *e);
/* The same of the 64 hex digits of a SHA-256; "" for anything else. */
void http_digest_format_hex(const char *hex, char ret_field[HTTP_DIGEST_FIELD_SIZE]);

#endif
