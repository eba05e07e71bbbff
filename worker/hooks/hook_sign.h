/*
 * hook_sign: the signature of a webhook's request.  Pure.
 *
 *     Hoist-Signature: t=1764450000,v1=<64 hex digits>[,v1=<64 hex digits>]
 *
 * t is when the request was sent, in seconds since 1970; each v1 is the HMAC-SHA-256 (RFC 2104) of t, a dot and the body,
 * under one of the webhook's secrets, the first one first.  A receiver with any of them finds one that fits, and refuses what
 * is too old.
 */
#ifndef HOIST_WORKER_HOOK_SIGN_H
#define HOIST_WORKER_HOOK_SIGN_H

#include "shared/buf.h"
#include "shared/digest.h"
#include "shared/err.h"

#include <stdint.h>

struct hook_secrets {
    const char *of[2]; /* NULL or "": none */
};

/* Append the field's value to ret.  ERR_CONFIG: there is no secret; ERR_NOMEM. */
MUST_CHECK enum err_code hook_sign(const struct hook_secrets *secrets, int64_t at_s,
                                   struct digest_span body, struct buf *ret,
                                   struct err *e);

#endif
