#include "shared/s3_provider.h"

#include <assert.h>

#define MIB INT64_C(1048576)
#define USUAL                                                                          \
    .region = "us-east-1", .checksum = CONFIG_SHA256, .min_part_bytes = 5 * MIB

static const struct s3_provider rows[] = {
    [CONFIG_GENERIC] = {USUAL},
    [CONFIG_AWS] = {USUAL, .honours_conditions = true},
    [CONFIG_MINIO] = {USUAL},
    [CONFIG_CEPH] = {USUAL},
    [CONFIG_R2] = {.region = "auto",
                   .checksum = CONFIG_SHA256,
                   .honours_conditions = true,
                   .min_part_bytes = 5 * MIB},
    [CONFIG_B2] = {.region = "us-east-1",
                   .checksum = CONFIG_NO_CHECKSUM,
                   .min_part_bytes = 5 * MIB},
    [CONFIG_GCS] = {.region = "auto",
                    .checksum = CONFIG_NO_CHECKSUM,
                    .min_part_bytes = 5 * MIB},
    [CONFIG_WASABI] = {USUAL},
    [CONFIG_GARAGE] = {.region = "garage",
                       .checksum = CONFIG_SHA256,
                       .min_part_bytes = 5 * MIB},
    [CONFIG_STORJ] = {.region = "us-east-1",
                      .checksum = CONFIG_SHA256,
                      .min_part_bytes = 64 * MIB},
};

const struct s3_provider *s3_provider_row(enum config_provider provider)
{
    assert((size_t)provider < sizeof rows / sizeof rows[0]);
    return &rows[provider];
}
