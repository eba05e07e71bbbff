/*
 * fuzz http_digest: any field says something or is broken; what it says can be written and read again.  The same bytes as
 * Repr-Digest, Content-MD5, Want-Repr-Digest and hex.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/http_digest.h"
#include "shared/sf_dict.h"

#include <stdlib.h>
#include <string.h>

static void check(bool good)
{
    if (!good)
        abort();
}

/* What is written of a sum that was read says the same sum. */
static void write_again(const struct http_digest *d, enum http_digest_kind kind,
                        const uint8_t *sum, size_t len)
{
    struct http_digest again = HTTP_DIGEST_INIT;
    char field[HTTP_DIGEST_FIELD_SIZE];

    if (!(d->has & kind))
        return;
    http_digest_format(kind, sum, field);
    check(http_digest_parse(field, strlen(field), &again) && again.has == kind);
    check(memcmp(kind == HTTP_DIGEST_SHA256 ? again.sha256 : again.sha512, sum, len) ==
          0);
}

/* Every member makes the rest shorter, within the field. */
static void walk(const char *text, size_t len)
{
    struct sf_dict dict = sf_dict_read(text, len);
    struct sf_member m;

    for (const char *at = text; sf_dict_next(&dict, &m) == SF_MEMBER; at = dict.at) {
        check(dict.at > at && dict.at <= text + len && m.key >= at && m.key_len > 0);
        check(m.type == SF_INNER_LIST || m.text + m.text_len <= dict.at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1);
    struct http_digest d = HTTP_DIGEST_INIT, md5 = HTTP_DIGEST_INIT;

    if (!text)
        return 0;
    memcpy(text, data, size);
    walk(text, size);
    if (http_digest_parse(text, size, &d)) {
        check(!d.contradictory && !(d.has & HTTP_DIGEST_MD5));
        write_again(&d, HTTP_DIGEST_SHA256, d.sha256, sizeof d.sha256);
        write_again(&d, HTTP_DIGEST_SHA512, d.sha512, sizeof d.sha512);
    } else {
        check(d.has == 0);
    }
    check(!http_digest_parse_md5(text, size, &md5) || md5.has == HTTP_DIGEST_MD5);
    (void)http_digest_wanted(text, size);
    (void)http_digest_parse_hex(text, size, &md5);
    free(text);
    return 0;
}
