#include "worker/repr_digest.h"

#include <stdio.h>
#include <string.h>

static const char lower_and_more[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.*";
static const char base64_bytes[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

bool repr_digest_parse(const char *field, char ret_hex[DIGEST_SHA256_HEX + 1])
{
    static const char name[] = "sha-256";
    uint8_t sum[DIGEST_SHA256_BYTES];
    bool found = false;

    for (const char *at = field;;) {
        at += strspn(at, " \t");
        size_t name_len = strspn(at, lower_and_more);
        if (name_len == 0 || at[name_len] != '=' || at[name_len + 1] != ':')
            return false;
        const char *value = at + name_len + 2;
        size_t len = strspn(value, base64_bytes), bytes = 0;
        if (value[len] != ':')
            return false;
        if (name_len == sizeof name - 1 && memcmp(at, name, name_len) == 0) {
            if (!digest_base64_decode(value, len, sum, sizeof sum, &bytes) ||
                bytes != sizeof sum)
                return false;
            found = true;
        }
        at = value + len + 1;
        at += strspn(at, " \t");
        if (*at == '\0')
            break;
        if (*at++ != ',')
            return false;
    }
    if (found)
        digest_hex_encode(sum, sizeof sum, ret_hex);
    return found;
}

void repr_digest_format(const char *hex, char ret_field[REPR_DIGEST_SIZE])
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    char base64[DIGEST_BASE64_SIZE(DIGEST_SHA256_BYTES)];

    ret_field[0] = '\0';
    if (hex && digest_hex_decode(hex, strlen(hex), sum, sizeof sum) &&
        digest_base64_encode(sum, sizeof sum, base64, sizeof base64))
        (void)snprintf(ret_field, REPR_DIGEST_SIZE, "sha-256=:%s:", base64); /* fits */
}
