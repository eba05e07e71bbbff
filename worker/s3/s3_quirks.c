#include "worker/s3/s3_quirks.h"

#include <string.h>

bool s3_quirks_unsupported(const struct http_response *r, const struct s3_error *error)
{
    static const char *const codes[] = {"InvalidArgument", "InvalidRequest",
                                        "UnsupportedHeader"};
    static const char *const words[] = {"unsupported", "not supported",
                                        "not implemented"};
    bool refused = false, said = false;

    if (r->status == 501 || strcmp(error->code, "NotImplemented") == 0)
        return true;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        refused |= strcmp(error->code, codes[i]) == 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        said |= strcasestr(error->message, words[i]) != NULL;
    return r->status == 400 && refused && said;
}

bool s3_quirks_region(const struct http_response *r, const char *current,
                      char ret[static S3_REGION_SIZE])
{
    size_t len = strspn(r->region, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (r->status != 301 && r->status != 307 && r->status != 400)
        return false;
    if (len == 0 || len >= S3_REGION_SIZE || r->region[len] ||
        strcmp(r->region, current) == 0)
        return false;
    memcpy(ret, r->region, len + 1);
    return true;
}
