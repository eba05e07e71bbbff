/*
 * s3_quirks: answers by which a store tells that it is not quite what was taken for granted.  Pure, over untrusted bytes.
 */
#ifndef HOIST_WORKER_S3_QUIRKS_H
#define HOIST_WORKER_S3_QUIRKS_H

#include "worker/http/http_response.h"
#include "worker/s3/s3_error.h"

#include <stdbool.h>

enum { S3_REGION_SIZE = 64 }; /* with the NUL */

/*
 * Whether the store does not know a header that it was sent, so that the same without it may be taken: 501, NotImplemented,
 * and what others say instead ("Unsupported header 'x-amz-checksum-sha256' received for this API call", 400 of B2).
 */
bool s3_quirks_unsupported(const struct http_response *r, const struct s3_error *error);

/*
 * Whether a 301, 307 or 400 says that the bucket is in another region than current (x-amz-bucket-region), which is then in
 * ret: 1 to 63 of a-z, 0-9 and '-', so that it can stand in a host's name.  Where such an answer leads (Location) is never
 * looked at.
 */
bool s3_quirks_region(const struct http_response *r, const char *current,
                      char ret[static S3_REGION_SIZE]);

#endif
