/*
 * digest: SHA-256, SHA-512, CRC-32C, MD5, HMAC-SHA-256, and the text forms they travel in (hex, base64).
 *
 *     CLEANUP(digest_sha256_release) struct digest_sha256 d = DIGEST_SHA256_INIT;
 *     if (digest_sha256_init(&d, e))
 *         return e->code;
 *     digest_sha256_update(&d, chunk, len);            any number of times
 *     if (digest_sha256_final(&d, sum, e))
 *         return e->code;
 *     digest_hex_encode(sum, sizeof sum, hex);         hex is char[DIGEST_SHA256_HEX + 1]
 *
 * Guarantees: how the input is split into updates never matters.  A struct is reusable: init after final (or in the
 * middle) starts anew on the memory it already has, which makes a digest of 4 KiB cost little more than its hashing;
 * keep one per thread for many small inputs.  An update that fails is remembered and told by final.
 * MD5 is here because S3 ETags and Content-MD5 are MD5; it protects against accidents, not against people.
 *
 * A struct belongs to one thread.  Sizes are bytes.  The only file that sees OpenSSL is digest.c.
 *
 * Errors of every function that has them:
 * ERR_NOMEM   no memory for the context
 * ERR_CONFIG  this machine's OpenSSL refuses the algorithm (MD5 under a FIPS provider): an operator must act
 */
#ifndef HOIST_SHARED_DIGEST_H
#define HOIST_SHARED_DIGEST_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DIGEST_SHA256_BYTES = 32,
    DIGEST_SHA256_HEX = 64, /* characters; the text form needs one more for the NUL */
    DIGEST_SHA512_BYTES = 64,
    DIGEST_CRC32C_HEX = 8, /* "%08" PRIx32 */
    DIGEST_MD5_BYTES = 16,
    DIGEST_MD5_HEX = 32,
    DIGEST_CRC32C_BYTES = 4,
};

/* Characters of the base64 form of n bytes, and the room it takes with its NUL. */
#define DIGEST_BASE64_LEN(n) (((size_t)(n) + 2) / 3 * 4)
#define DIGEST_BASE64_SIZE(n) (DIGEST_BASE64_LEN(n) + 1)

/* Once, when a program starts: OpenSSL prepares itself here, which would fail for good, or crash, where memory is short for a
 * moment.  Not needed otherwise.  Errors as of digest_sha256_hex. */
MUST_CHECK enum err_code digest_setup(struct err *e);

struct digest_state {
    struct evp_md_ctx_st *ctx; /* owned; NULL until the first init */
    bool failed;               /* an update or an init failed: final will say so */
};

struct digest_sha256 {
    struct digest_state state;
};

struct digest_sha512 {
    struct digest_state state;
};

struct digest_md5 {
    struct digest_state state;
};

#define DIGEST_SHA256_INIT                                                             \
    {                                                                                  \
        .state = { NULL, false }                                                       \
    }
#define DIGEST_SHA512_INIT                                                             \
    {                                                                                  \
        .state = { NULL, false }                                                       \
    }
#define DIGEST_MD5_INIT                                                                \
    {                                                                                  \
        .state = { NULL, false }                                                       \
    }

/*
 * SHA-256 (FIPS 180-4).  init starts, or starts again.  final stores the sum and ends: only init or release may
 * follow.  Update or final without an init is refused by final with ERR_CONFIG.  release frees; the struct is then
 * as after DIGEST_SHA256_INIT.
 */
MUST_CHECK enum err_code digest_sha256_init(struct digest_sha256 *d, struct err *e);
void digest_sha256_update(struct digest_sha256 *d, const void *data, size_t len);
MUST_CHECK enum err_code digest_sha256_final(struct digest_sha256 *d,
                                             uint8_t ret_sum[DIGEST_SHA256_BYTES],
                                             struct err *e);
void digest_sha256_release(struct digest_sha256 *d);

/* The same in one call, as lower-case hex with its NUL. */
MUST_CHECK enum err_code digest_sha256_hex(const void *data, size_t len,
                                           char ret_hex[DIGEST_SHA256_HEX + 1],
                                           struct err *e);

/* CRC-32C (Castagnoli; RFC 9260, appendix A): the checksum of what came before (0: nothing) and these bytes.  The only
 * file that sees ISA-L, which does it with the processor's own instruction, is digest_crc32c.c. */
uint32_t digest_crc32c(uint32_t crc, const void *data, size_t len);

/* The CRC-32C of two strings one after the other, of theirs and the length of the second. */
uint32_t digest_crc32c_combine(uint32_t first, uint32_t second, uint64_t second_len);

/* SHA-512 (FIPS 180-4), the same four verbs. */
MUST_CHECK enum err_code digest_sha512_init(struct digest_sha512 *d, struct err *e);
void digest_sha512_update(struct digest_sha512 *d, const void *data, size_t len);
MUST_CHECK enum err_code digest_sha512_final(struct digest_sha512 *d,
                                             uint8_t ret_sum[DIGEST_SHA512_BYTES],
                                             struct err *e);
void digest_sha512_release(struct digest_sha512 *d);

/* MD5 (RFC 1321), the same four verbs. */
MUST_CHECK enum err_code digest_md5_init(struct digest_md5 *d, struct err *e);
void digest_md5_update(struct digest_md5 *d, const void *data, size_t len);
MUST_CHECK enum err_code digest_md5_final(struct digest_md5 *d,
                                          uint8_t ret_sum[DIGEST_MD5_BYTES],
                                          struct err *e);
void digest_md5_release(struct digest_md5 *d);

/* Bytes somebody else owns; any value, NUL included. */
struct digest_span {
    const void *data; /* may be NULL when len is 0 */
    size_t len;
};

/* HMAC-SHA-256 (RFC 2104) of data under key. */
MUST_CHECK enum err_code digest_hmac_sha256(struct digest_span key,
                                            struct digest_span data,
                                            uint8_t ret_mac[DIGEST_SHA256_BYTES],
                                            struct err *e);

/*
 * Text forms.
 * hex_encode writes 2 * len lower-case digits and a NUL.  hex_decode takes exactly 2 * size digits of either case
 * into size bytes; false, and ret untouched, when the text is anything else.
 * base64 is RFC 4648 section 4, with padding.  base64_encode is false, and writes nothing, when ret_size is less than
 * DIGEST_BASE64_SIZE(len).  base64_decode is strict: no blanks, no missing padding, no stray bits; it is false, and
 * *ret_len untouched, when the text is not base64 or decodes to more than size bytes (ret may then be partly written).
 */
void digest_hex_encode(const void *data, size_t len, char *ret_hex);
bool digest_hex_decode(const char *hex, size_t len, void *ret, size_t size);
bool digest_base64_encode(const void *data, size_t len, char *ret_text,
                          size_t ret_size);
bool digest_base64_decode(const char *text, size_t len, void *ret, size_t size,
                          size_t *ret_len);

/* True when both hold the same len bytes; takes the same time wherever they differ.  For secrets and signatures. */
bool digest_is_equal(const void *a, const void *b, size_t len);

#endif
