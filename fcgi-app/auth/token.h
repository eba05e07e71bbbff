/*
 * token: a new bearer token for an [auth NAME].
 *
 *     hoist_ and 43 characters of base64url (RFC 4648 section 5): 256 bits of the kernel's random generator
 *
 * The client is given the token, the configuration its hash.
 */
#ifndef HOIST_FCGI_TOKEN_H
#define HOIST_FCGI_TOKEN_H

#include "shared/digest.h"

#include <stdio.h>

enum { TOKEN_BYTES = 32, TOKEN_LEN = 6 + 43 };

/* The token of these bytes, and the value of `token =` for it. */
MUST_CHECK enum err_code token_format(const unsigned char bytes[static TOKEN_BYTES],
                                      char ret_token[static TOKEN_LEN + 1],
                                      char ret_hash[static 7 + DIGEST_SHA256_HEX + 1],
                                      struct err *e);
/* Make one and print both.  ERR_CONFIG: there is no randomness to be had. */
MUST_CHECK enum err_code token_print_new(FILE *out, struct err *e);

#endif
