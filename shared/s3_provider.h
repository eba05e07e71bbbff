/*
 * s3_provider: what stores that speak S3 differ in, as a table of facts.  Pure, constant.
 *
 * The row is what counts where the configuration says nothing, and what no setting is needed for.  What a row cannot know (a
 * version, a gateway in front) is learnt while it is used: worker/s3_learnt.h.  Every store is sent x-amz-content-sha256,
 * as R2 demands; accept-encoding, which GCS rewrites, is never signed.
 *
 *  aws     If-None-Match: * since 2024: "Conditional writes" (Amazon S3 User Guide)
 *  minio   If-None-Match: * since May 2024 (minio/minio#19681); before, it was ignored or answered 304 (minio/minio#19442)
 *  ceph    conditional PUT is an extension of its own (ceph/s3-tests#218); CompleteMultipartUpload differs by version
 *  r2      region auto, conditions on PutObject and CompleteMultipartUpload ("S3 API compatibility", "Conditional operations",
 *          developers.cloudflare.com/r2); parts of one size but the last, as all have whose number is known, with ETags that are no
 *          MD5 and are not taken for one (s3tools/s3cmd#1273)
 *  b2      400 "Unsupported header 'x-amz-checksum-sha256' received for this API call" ("S3-Compatible API", backblaze.com/docs;
 *          iterate-ch/cyberduck#16107); the region is that in the endpoint's name
 *  gcs     no x-amz-checksum-… in the XML API; the region signs as auto
 *  wasabi  as generic
 *  garage  region garage unless its s3_region says otherwise
 *  storj   parts of at least 64 MiB are what its gateway is made for (rclone's quirk for it); no trailers
 */
#ifndef HOIST_SHARED_S3_PROVIDER_H
#define HOIST_SHARED_S3_PROVIDER_H

#include "shared/config.h"

struct s3_provider {
    const char *region;            /* where none is configured */
    enum config_checksum checksum; /* the same */
    bool honours_conditions;       /* known to; else it is probed */
    int64_t min_part_bytes;        /* of all but the last */
};

/* provider is one of the words of the setting. */
const struct s3_provider *s3_provider_row(enum config_provider provider);

#endif
