#include "worker/hooks/hook_sign.h"

#include <inttypes.h>
#include <string.h>

#include "shared/cleanup.h"

static enum err_code add_one(const char *secret, const struct buf *text,
                             struct buf *ret, struct err *e)
{
    uint8_t mac[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX + 1];

    if (digest_hmac_sha256((struct digest_span){secret, strlen(secret)},
                           (struct digest_span){text->data, text->len}, mac, e))
        return e->code;
    digest_hex_encode(mac, sizeof mac, hex);
    buf_puts_all(ret, (const char *const[]){",v1=", hex, NULL});
    return ERR_OK;
}

enum err_code hook_sign(const struct hook_secrets *secrets, int64_t at_s,
                        struct digest_span body, struct buf *ret, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(body.len + 32);
    size_t signatures = 0;

    buf_printf(&text, "%" PRId64 ".", at_s);
    buf_add(&text, body.data, body.len);
    if (text.failed)
        return err_set(e, ERR_NOMEM, "no memory for a signature");
    buf_printf(ret, "t=%" PRId64, at_s);
    for (size_t i = 0; i < 2; i++) {
        if (!secrets->of[i] || !*secrets->of[i])
            continue;
        if (add_one(secrets->of[i], &text, ret, e))
            return e->code;
        signatures++;
    }
    if (signatures == 0)
        return err_set(e, ERR_CONFIG, "the webhook has no secret");
    return ret->failed ? err_set(e, ERR_NOMEM, "no memory for a signature") : ERR_OK;
}
