#include "shared/s3_presign.h"

#include "shared/cleanup.h"
#include "shared/s3_address.h"
#include "shared/sigv4.h"

enum err_code s3_presign_get(const struct config_destination *d, const char *key,
                             int64_t now_s, int64_t seconds, struct buf *ret_url,
                             struct err *e)
{
    CLEANUP(buf_release) struct buf host = BUF_INIT(SIGV4_HOST_MAX);
    CLEANUP(buf_release) struct buf path = BUF_INIT(SIGV4_PATH_MAX);
    CLEANUP(sigv4_signed_release) struct sigv4_signed signed_ = SIGV4_SIGNED_INIT;
    struct sigv4_key with = {.access_key = d->access_key,
                             .secret_key = d->secret_key,
                             .session_token = d->session_token,
                             .region = d->region,
                             .service = "s3"};
    struct s3_endpoint endpoint;

    if (s3_endpoint_parse(d, &endpoint, e))
        return e->code;
    if (!s3_address_locate(d, &endpoint, key, &host, &path))
        return err_set(e, ERR_REJECT, "bucket, prefix and key are too long");
    struct sigv4_request r = {.method = "GET",
                              .host = host.data,
                              .path = path.data,
                              .payload_hash = SIGV4_UNSIGNED_PAYLOAD,
                              .time_s = now_s};
    enum err_code code = sigv4_presign(&signed_, &with, &r, seconds, e);
    sigv4_key_wipe(&with);
    if (code)
        return code;
    if (!buf_printf(ret_url, "%s://%s%s?%s", endpoint.https ? "https" : "http",
                    host.data, signed_.path.data, signed_.query.data))
        return err_set(e, ERR_NOMEM, "no memory for a URL");
    return ERR_OK;
}
