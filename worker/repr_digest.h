/*
 * repr_digest: the SHA-256 in a Repr-Digest field (RFC 9530; a dictionary of RFC 8941).  Pure: the field is untrusted.
 *
 *     sha-512=:…:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:   ->   44aff4ab…
 */
#ifndef HOIST_WORKER_REPR_DIGEST_H
#define HOIST_WORKER_REPR_DIGEST_H

#include "shared/digest.h"

/* How long the field is that repr_digest_format writes, with its NUL. */
enum { REPR_DIGEST_SIZE = sizeof "sha-256=::" + 44 };

/* False: it holds no SHA-256, or something that is no dictionary of byte sequences.  Of several the last one counts. */
bool repr_digest_parse(const char *field, char ret_hex[DIGEST_SHA256_HEX + 1]);

/* "sha-256=:base64:" of 64 hex digits; "" for anything else. */
void repr_digest_format(const char *hex, char ret_field[REPR_DIGEST_SIZE]);

#endif
