/*
 * bearer: the Authorization header with a bearer token (RFC 6750 section 2.1), and who has that token.  Pure.
 *
 *     Authorization: Bearer hoist_mF_9.B5f-4.1JqM          scheme in any case, one or more blanks, one b64token
 *
 * The token is known by its SHA-256 alone.  Looking for it takes the same time whichever section has it, or none: the hash
 * is compared with every one that is configured, each to its end.
 */
#ifndef HOIST_FCGI_BEARER_H
#define HOIST_FCGI_BEARER_H

#include "shared/config.h"
#include "shared/digest.h"

enum bearer {
    BEARER_NONE,   /* no header, or an empty one */
    BEARER_TOKEN,  /* a token that can be one */
    BEARER_OTHER,  /* another scheme */
    BEARER_BROKEN, /* a token that can be none: characters, more than one, too long */
};

/* header may be NULL.  BEARER_TOKEN: *ret_token stands within header, *ret_len characters. */
enum bearer bearer_parse(const char *header, const char **ret_token, size_t *ret_len);

/* The section that has the token of this hash, or NULL. */
const struct config_auth *
bearer_find(const struct config *config,
            const unsigned char hash[static DIGEST_SHA256_BYTES]);

/* Where FastCGI's REMOTE_ADDR says that the client is on this machine: 127.0.0.0/8, ::1, the same as ::ffff:127.x.x.x, or
 * what nginx says of a unix socket, "unix:".  NULL and anything else: false. */
bool bearer_is_local(const char *remote_addr);

#endif
