#include "fcgi-app/http/etag.h"

#include "shared/digest.h"

#include <string.h>

enum { SUM_BYTES = 12 /* 16 characters of base64 */ };

enum err_code etag_make(const void *body, size_t len, char ret[static ETAG_SIZE],
                        struct err *e)
{
    char hex[DIGEST_SHA256_HEX + 1], text[DIGEST_BASE64_SIZE(SUM_BYTES)];
    uint8_t sum[SUM_BYTES];

    if (digest_sha256_hex(body, len, hex, e))
        return e->code;
    (void)digest_hex_decode(hex, 2 * sizeof sum, sum, sizeof sum);  /* it is hex */
    (void)digest_base64_encode(sum, sizeof sum, text, sizeof text); /* it fits */
    ret[0] = ret[ETAG_SIZE - 2] = '"';
    memcpy(ret + 1, text, sizeof text - 1);
    ret[ETAG_SIZE - 1] = '\0';
    return ERR_OK;
}

/* The length of the tag at s, with its quotes; 0: it is none. */
static size_t tag_len(const char *s)
{
    size_t len = 1;

    if (*s != '"')
        return 0;
    while (s[len] != '"') {
        if ((unsigned char)s[len] <= ' ' || s[len] == 0x7f)
            return 0;
        len++;
    }
    return len + 1;
}

bool etag_is_in(const char *etag, const char *list)
{
    const char *s = list + strspn(list, " \t");

    if (strncmp(etag, "W/", 2) == 0)
        etag += 2;
    if (*s == '*')
        return s[1 + strspn(s + 1, " \t")] == '\0';
    for (;;) {
        s += strspn(s, " \t,");
        if (strncmp(s, "W/", 2) == 0)
            s += 2;
        size_t len = tag_len(s);
        if (len == 0)
            return false;
        if (len == strlen(etag) && memcmp(s, etag, len) == 0)
            return true;
        s += len;
        s += strspn(s, " \t");
        if (*s != ',')
            return false;
    }
}
