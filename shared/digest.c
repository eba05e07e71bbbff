#include "shared/digest.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

enum { SHA256_BLOCK = 64 };

/* OpenSSL's own reasons for a failure do not tell memory from methods; malloc's errno does.  Set it to 0 before. */
static enum err_code refused(struct err *e, const char *what)
{
    bool starved = errno == ENOMEM;

    ERR_clear_error(); /* it keeps texts */
    if (starved)
        return err_set(e, ERR_NOMEM, "digest: no memory for %s", what);
    return err_set(e, ERR_CONFIG, "digest: OpenSSL refuses %s", what);
}

/*
 * Fetched once and kept to the end: what EVP_sha256() gives is looked up in the providers with each new context, which costs
 * more than hashing a small input.  NULL where there is none; EVP_sha256() then tells why.
 */
static const EVP_MD *sha256_method(void)
{
    static _Atomic(EVP_MD *) kept;
    EVP_MD *none = NULL, *method = atomic_load(&kept);

    if (method)
        return method;
    method = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (method && !atomic_compare_exchange_strong(&kept, &none, method)) {
        EVP_MD_free(method);
        return none; /* another thread's */
    }
    return method ? method : EVP_sha256();
}

/* With a context that has run before, the method stays. */
static enum err_code state_init(struct digest_state *s, const EVP_MD *md, struct err *e)
{
    s->failed = true;
    if (!s->ctx && !(s->ctx = EVP_MD_CTX_new()))
        return err_set(e, ERR_NOMEM, "digest: no memory for a context");
    const EVP_MD *method = EVP_MD_CTX_get0_md(s->ctx) ? NULL : md;
    errno = 0;
    if (EVP_DigestInit_ex(s->ctx, method, NULL) != 1)
        return refused(e, "this algorithm");
    s->failed = false;
    return ERR_OK;
}

static void state_update(struct digest_state *s, const void *data, size_t len)
{
    if (!s->ctx || s->failed || (len && EVP_DigestUpdate(s->ctx, data, len) != 1))
        s->failed = true;
}

static enum err_code state_final(struct digest_state *s, uint8_t *ret_sum,
                                 struct err *e)
{
    bool usable = s->ctx && !s->failed;

    s->failed = true; /* until the next init */
    if (!usable || EVP_DigestFinal_ex(s->ctx, ret_sum, NULL) != 1)
        return err_set(e, ERR_CONFIG,
                       "digest: final without a working init and update");
    return ERR_OK;
}

static void state_release(struct digest_state *s)
{
    EVP_MD_CTX_free(s->ctx);
    *s = (struct digest_state){NULL, false};
}

enum err_code digest_sha256_init(struct digest_sha256 *d, struct err *e)
{
    return state_init(&d->state, sha256_method(), e);
}

void digest_sha256_update(struct digest_sha256 *d, const void *data, size_t len)
{
    state_update(&d->state, data, len);
}

enum err_code digest_sha256_final(struct digest_sha256 *d,
                                  uint8_t ret_sum[DIGEST_SHA256_BYTES], struct err *e)
{
    return state_final(&d->state, ret_sum, e);
}

void digest_sha256_release(struct digest_sha256 *d)
{
    state_release(&d->state);
}

enum err_code digest_sha256_hex(const void *data, size_t len,
                                char ret_hex[DIGEST_SHA256_HEX + 1], struct err *e)
{
    struct digest_sha256 d = DIGEST_SHA256_INIT;
    uint8_t sum[DIGEST_SHA256_BYTES];
    enum err_code code = digest_sha256_init(&d, e);

    if (code == ERR_OK) {
        digest_sha256_update(&d, data, len);
        code = digest_sha256_final(&d, sum, e);
    }
    if (code == ERR_OK)
        digest_hex_encode(sum, sizeof sum, ret_hex);
    digest_sha256_release(&d);
    return code;
}

enum err_code digest_sha512_init(struct digest_sha512 *d, struct err *e)
{
    return state_init(&d->state, EVP_sha512(), e);
}

void digest_sha512_update(struct digest_sha512 *d, const void *data, size_t len)
{
    state_update(&d->state, data, len);
}

enum err_code digest_sha512_final(struct digest_sha512 *d,
                                  uint8_t ret_sum[DIGEST_SHA512_BYTES], struct err *e)
{
    return state_final(&d->state, ret_sum, e);
}

void digest_sha512_release(struct digest_sha512 *d)
{
    state_release(&d->state);
}

enum err_code digest_md5_init(struct digest_md5 *d, struct err *e)
{
    return state_init(&d->state, EVP_md5(), e);
}

void digest_md5_update(struct digest_md5 *d, const void *data, size_t len)
{
    state_update(&d->state, data, len);
}

enum err_code digest_md5_final(struct digest_md5 *d, uint8_t ret_sum[DIGEST_MD5_BYTES],
                               struct err *e)
{
    return state_final(&d->state, ret_sum, e);
}

void digest_md5_release(struct digest_md5 *d)
{
    state_release(&d->state);
}

/* The hash of one after the other. */
static enum err_code hash_two(struct digest_sha256 *d, struct digest_span a,
                              struct digest_span b,
                              uint8_t ret_sum[DIGEST_SHA256_BYTES], struct err *e)
{
    if (digest_sha256_init(d, e))
        return e->code;
    digest_sha256_update(d, a.data, a.len);
    digest_sha256_update(d, b.data, b.len);
    return digest_sha256_final(d, ret_sum, e);
}

static void mask(uint8_t block[SHA256_BLOCK], uint8_t with)
{
    for (size_t i = 0; i < SHA256_BLOCK; i++)
        block[i] ^= with;
}

/* RFC 2104, with one context: OpenSSL's HMAC() looks up two algorithms at each call. */
enum err_code digest_hmac_sha256(struct digest_span key, struct digest_span data,
                                 uint8_t ret_mac[DIGEST_SHA256_BYTES], struct err *e)
{
    struct digest_sha256 d = DIGEST_SHA256_INIT;
    uint8_t block[SHA256_BLOCK] = {0}, inner[DIGEST_SHA256_BYTES];
    enum err_code code = ERR_OK;

    if (key.len > sizeof block)
        code = hash_two(&d, key, (struct digest_span){NULL, 0}, block, e);
    else if (key.len > 0)
        memcpy(block, key.data, key.len);
    const struct digest_span pad = {block, sizeof block};
    mask(block, 0x36);
    if (code == ERR_OK)
        code = hash_two(&d, pad, data, inner, e);
    mask(block, 0x36 ^ 0x5c);
    if (code == ERR_OK)
        code = hash_two(&d, pad, (struct digest_span){inner, sizeof inner}, ret_mac, e);
    digest_sha256_release(&d);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(inner, sizeof inner);
    return code;
}

enum err_code digest_setup(struct err *e)
{
    struct digest_md5 d = DIGEST_MD5_INIT;
    uint8_t mac[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX + 1];

    enum err_code of_md5 = digest_md5_init(&d, e);
    digest_md5_release(&d);
    if (of_md5 == ERR_NOMEM || digest_sha256_hex("", 0, hex, e) != ERR_OK)
        return e->code; /* a FIPS provider has no MD5 */
    const struct digest_span nothing = {NULL, 0};
    enum err_code code = digest_hmac_sha256(nothing, nothing, mac, e);
    if (code == ERR_OK)
        *e = (struct err)ERR_INIT;
    return code;
}

void digest_hex_encode(const void *data, size_t len, char *ret_hex)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++) {
        ret_hex[2 * i] = digits[bytes[i] >> 4];
        ret_hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_hex[2 * len] = '\0';
}

/* The value of a hex digit, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool digest_hex_decode(const char *hex, size_t len, void *ret, size_t size)
{
    uint8_t *bytes = ret;

    if (len % 2 != 0 || len / 2 != size)
        return false;
    for (size_t i = 0; i < len; i++)
        if (hex_value(hex[i]) < 0)
            return false;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(hex_value(hex[2 * i]) << 4 | hex_value(hex[2 * i + 1]));
    return true;
}

bool digest_base64_encode(const void *data, size_t len, char *ret_text, size_t ret_size)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *bytes = data;
    char *out = ret_text;

    if (len > SIZE_MAX / 2 || ret_size < DIGEST_BASE64_SIZE(len))
        return false;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t v = (uint32_t)bytes[i] << 16;
        if (left > 1)
            v |= (uint32_t)bytes[i + 1] << 8;
        if (left > 2)
            v |= bytes[i + 2];
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[v & 63] : '=';
    }
    *out = '\0';
    return true;
}

/* The value of a base64 digit, or -1. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Decode four characters of which the last `pad` are '='; false when they are not base64. */
static bool base64_group(const char *text, size_t pad, uint8_t ret[3])
{
    uint32_t v = 0;

    for (size_t i = 0; i < 4; i++) {
        int digit = i >= 4 - pad ? 0 : base64_value(text[i]);
        if (digit < 0)
            return false;
        v = v << 6 | (uint32_t)digit;
    }
    ret[0] = (uint8_t)(v >> 16);
    ret[1] = (uint8_t)(v >> 8 & 255);
    ret[2] = (uint8_t)(v & 255);
    return !(pad >= 1 && ret[2]) && !(pad == 2 && ret[1]);
}

bool digest_base64_decode(const char *text, size_t len, void *ret, size_t size,
                          size_t *ret_len)
{
    uint8_t *out = ret;
    size_t pad = 0;

    if (len % 4 != 0)
        return false;
    if (len > 0)
        pad = text[len - 1] != '=' ? 0 : text[len - 2] != '=' ? 1 : 2;
    size_t want = len / 4 * 3 - pad;
    if (want > size)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        uint8_t group[3];
        size_t last = i + 4 == len ? pad : 0;
        if (!base64_group(text + i, last, group))
            return false;
        for (size_t k = 0; k < 3 - last; k++)
            *out++ = group[k];
    }
    *ret_len = want;
    return true;
}

bool digest_is_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
