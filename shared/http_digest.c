#include "shared/http_digest.h"

#include "shared/sf_dict.h"

#include <stdio.h>
#include <string.h>

static const struct {
    enum http_digest_kind kind;
    const char *name; /* NULL: not in a dictionary */
    size_t bytes, offset;
} kinds[] = {
    {HTTP_DIGEST_SHA256, "sha-256", DIGEST_SHA256_BYTES,
     offsetof(struct http_digest, sha256)},
    {HTTP_DIGEST_SHA512, "sha-512", DIGEST_SHA512_BYTES,
     offsetof(struct http_digest, sha512)},
    {HTTP_DIGEST_MD5, NULL, DIGEST_MD5_BYTES, offsetof(struct http_digest, md5)},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static uint8_t *sum_of(struct http_digest *d, size_t k)
{
    return (uint8_t *)d + kinds[k].offset;
}

static const uint8_t *sum_in(const struct http_digest *d, size_t k)
{
    return (const uint8_t *)d + kinds[k].offset;
}

void http_digest_merge(struct http_digest *d, const struct http_digest *from)
{
    if (from->contradictory)
        d->contradictory = true;
    for (size_t k = 0; k < KINDS; k++) {
        if (!(from->has & kinds[k].kind))
            continue;
        if (d->has & kinds[k].kind &&
            memcmp(sum_of(d, k), sum_in(from, k), kinds[k].bytes) != 0)
            d->contradictory = true;
        memcpy(sum_of(d, k), sum_in(from, k), kinds[k].bytes);
        d->has |= kinds[k].kind;
    }
}

/* Which of kinds a key names; KINDS: none of them. */
static size_t find_kind(const char *key, size_t len)
{
    for (size_t k = 0; k < KINDS; k++)
        if (kinds[k].name && strlen(kinds[k].name) == len &&
            memcmp(kinds[k].name, key, len) == 0)
            return k;
    return KINDS;
}

/* Base64 without its padding is a byte sequence all the same (RFC 8941 section 4.2.7). */
static bool decode(const char *text, size_t len, uint8_t *ret, size_t bytes)
{
    char padded[DIGEST_BASE64_SIZE(DIGEST_SHA512_BYTES)];
    size_t got = 0;
    if (len > DIGEST_BASE64_LEN(bytes))
        return false;
    memcpy(padded, text, len);
    while (len % 4 != 0)
        padded[len++] = '=';
    return digest_base64_decode(padded, len, ret, bytes, &got) && got == bytes;
}

/* Those of these kinds. */
static bool parse(const char *field, size_t len, unsigned wanted, struct http_digest *d)
{
    struct http_digest said = HTTP_DIGEST_INIT;
    struct sf_dict dict = sf_dict_read(field, len);
    struct sf_member m;
    enum sf_next next;
    while ((next = sf_dict_next(&dict, &m)) == SF_MEMBER) {
        size_t k = find_kind(m.key, m.key_len);
        if (k == KINDS || !(wanted & kinds[k].kind))
            continue;
        if (m.type != SF_BYTES ||
            !decode(m.text, m.text_len, sum_of(&said, k), kinds[k].bytes))
            return false;
        said.has |= kinds[k].kind;
    }
    if (next == SF_BAD)
        return false;
    http_digest_merge(d, &said);
    return true;
}

bool http_digest_parse(const char *field, size_t len, struct http_digest *d)
{
    return parse(field, len, HTTP_DIGEST_SHA256 | HTTP_DIGEST_SHA512, d);
}

bool http_digest_parse_md5(const char *field, size_t len, struct http_digest *d)
{
    struct http_digest said = {.has = HTTP_DIGEST_MD5};
    size_t got = 0;
    if (!digest_base64_decode(field, len, said.md5, sizeof said.md5, &got) ||
        got != sizeof said.md5)
        return false;
    http_digest_merge(d, &said);
    return true;
}

bool http_digest_parse_hex(const char *hex, size_t len, struct http_digest *d)
{
    struct http_digest said = {.has = HTTP_DIGEST_SHA256};
    if (!digest_hex_decode(hex, len, said.sha256, sizeof said.sha256))
        return false;
    http_digest_merge(d, &said);
    return true;
}

enum http_digest_kind http_digest_wanted(const char *field, size_t len)
{
    struct sf_dict dict = sf_dict_read(field, len);
    struct sf_member m;
    enum sf_next next;
    int64_t weights[KINDS] = {0};
    while ((next = sf_dict_next(&dict, &m)) == SF_MEMBER) {
        size_t k = find_kind(m.key, m.key_len);
        if (m.type != SF_INTEGER || m.integer < 0 || m.integer > 10)
            return HTTP_DIGEST_NONE;
        if (k < KINDS)
            weights[k] = m.integer;
    }
    if (next == SF_BAD)
        return HTTP_DIGEST_NONE;
    size_t best = 0;
    for (size_t k = 1; k < KINDS; k++)
        if (weights[k] > weights[best])
            best = k;
    return weights[best] > 0 ? kinds[best].kind : HTTP_DIGEST_NONE;
}

bool http_digest_find_sha256(const char *field, char ret_hex[DIGEST_SHA256_HEX + 1])
{
    struct http_digest d = HTTP_DIGEST_INIT;
    if (!parse(field, strlen(field), HTTP_DIGEST_SHA256, &d) || d.has == 0)
        return false;
    digest_hex_encode(d.sha256, sizeof d.sha256, ret_hex);
    return true;
}

void http_digest_format(enum http_digest_kind kind, const uint8_t *sum,
                        char ret_field[HTTP_DIGEST_FIELD_SIZE])
{
    char base64[DIGEST_BASE64_SIZE(DIGEST_SHA512_BYTES)];
    ret_field[0] = '\0';
    for (size_t k = 0; k < KINDS; k++)
        if (kinds[k].kind == kind && kinds[k].name &&
            digest_base64_encode(sum, kinds[k].bytes, base64, sizeof base64))
            (void)snprintf(ret_field, HTTP_DIGEST_FIELD_SIZE, "%s=:%s:", kinds[k].name,
                           base64); /* fits */
}

static enum err_code sum_512(const void *data, size_t len, uint8_t *ret, struct err *e)
{
    struct digest_sha512 d = DIGEST_SHA512_INIT;
    enum err_code code = digest_sha512_init(&d, e);
    if (!code) {
        digest_sha512_update(&d, data, len);
        code = digest_sha512_final(&d, ret, e);
    }
    digest_sha512_release(&d);
    return code;
}

enum err_code http_digest_compute(enum http_digest_kind kind, const void *data,
                                  size_t len, char ret_field[HTTP_DIGEST_FIELD_SIZE],
                                  struct err *e)
{
    char hex[DIGEST_SHA256_HEX + 1];
    uint8_t sum[DIGEST_SHA512_BYTES];
    enum err_code code;
    if (kind == HTTP_DIGEST_SHA256) {
        code = digest_sha256_hex(data, len, hex, e);
        if (!code)
            http_digest_format_hex(hex, ret_field);
    } else {
        code = sum_512(data, len, sum, e);
        if (!code)
            http_digest_format(kind, sum, ret_field);
    }
    return code;
}

void http_digest_format_hex(const char *hex, char ret_field[HTTP_DIGEST_FIELD_SIZE])
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    ret_field[0] = '\0';
    if (hex && digest_hex_decode(hex, strlen(hex), sum, sizeof sum))
        http_digest_format(HTTP_DIGEST_SHA256, sum, ret_field);
}
