/*
 * s3_presign: a URL with which whoever has it reads one object, for a while.  Pure: the time is an argument.
 *
 *     destination + key + seconds  -->  https://bucket.s3.eu-west-3.amazonaws.com/key?X-Amz-Algorithm=…&X-Amz-Signature=…
 *
 * Signed in the query by the destination's own keys (sigv4.h); it gives no more than GET of that object, and ends earlier where
 * they are temporary and end.  Nothing secret is in it but itself.  Any thread.
 */
#ifndef HOIST_SHARED_S3_PRESIGN_H
#define HOIST_SHARED_S3_PRESIGN_H

#include "shared/buf.h"
#include "shared/config.h"
#include "shared/err.h"

#include <stdint.h>

enum { S3_PRESIGN_MAX = 16 * 1024 }; /* bytes of such a URL: a session token is in it */

/*
 * Append the URL of GET for this key, good from now_s (seconds since 1970) for `seconds`, 1 to SIGV4_EXPIRES_MAX_S.
 * The destination is one of s3: with keys.  Errors as of sigv4_presign; *ret_url is untouched then.
 */
MUST_CHECK enum err_code s3_presign_get(const struct config_destination *d,
                                        const char *key, int64_t now_s, int64_t seconds,
                                        struct buf *ret_url, struct err *e);

#endif
