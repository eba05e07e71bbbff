/*
 * s3_address: where an object of a destination is: scheme, host and path.  Pure.
 *
 *     endpoint https://s3.example:9000, bucket b, prefix p, key k
 *       path style       s3.example:9000     /b/p/k
 *       virtual style    b.s3.example:9000   /p/k
 *
 * Paths are raw, as sigv4.h takes them; the host is what goes over the wire and is signed.
 */
#ifndef HOIST_SHARED_S3_ADDRESS_H
#define HOIST_SHARED_S3_ADDRESS_H

#include "shared/buf.h"
#include "shared/config.h"
#include "shared/err.h"

#include <stdbool.h>

/* Where a destination is: parsed once. */
struct s3_endpoint {
    bool https;
    char authority
        [300]; /* host[:port], the port only where it is not the scheme's own */
};

/* ERR_CONFIG: not http(s)://host[:port][/]. */
MUST_CHECK enum err_code s3_endpoint_parse(const struct config_destination *config,
                                           struct s3_endpoint *ret, struct err *e);

/* Where it is Amazon's own endpoint of a region, make it that of another; any other stays. */
void s3_endpoint_move(struct s3_endpoint *endpoint, const char *from_region,
                      const char *to_region);

/* Append the path of an object within its bucket, without a slash in front: the destination's prefix, then the key. */
void s3_address_add_object(struct buf *b, const struct config_destination *config,
                           const char *key);

/*
 * Append the host and the path of an object; key NULL: of the bucket.  False: they do not fit or there is no memory.
 */
bool s3_address_locate(const struct config_destination *config,
                       const struct s3_endpoint *endpoint, const char *key,
                       struct buf *host, struct buf *path);

#endif
