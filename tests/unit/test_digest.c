/*
 * digest: published vectors (FIPS 180-4 examples, RFC 1321, RFC 4231, RFC 4648), and the laws that hold for every
 * input: splitting never matters, decode undoes encode, a context can be used again.
 */
#include "shared/digest.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(digest, .timeout = 60);

/* Text repeated `times` times. */
struct vector {
    const char *text;
    size_t times;
    const char *sum;
};

static const struct vector sha256_vectors[] = {
    {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
     "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

static const struct vector md5_vectors[] = {
    {"", 1, "d41d8cd98f00b204e9800998ecf8427e"},
    {"a", 1, "0cc175b9c0f1b6a831c399e269772661"},
    {"abc", 1, "900150983cd24fb0d6963f7d28e17f72"},
    {"message digest", 1, "f96b697d7cb7938d525a2f31aaf161d0"},
    {"abcdefghijklmnopqrstuvwxyz", 1, "c3fcd3d76192e4007dfb496cca67e13b"},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 1,
     "d174ab98d277d9f5a5611c2c9f419d9f"},
    {"1234567890", 8, "57edf4a22be3c955ac49da2e2107b67a"},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

Test(digest, sha256_of_the_published_examples_on_one_reused_context)
{
    struct digest_sha256 d = DIGEST_SHA256_INIT;
    struct err e = ERR_INIT;

    for (size_t i = 0; i < COUNT(sha256_vectors); i++) {
        const struct vector *v = &sha256_vectors[i];
        uint8_t sum[DIGEST_SHA256_BYTES];
        char hex[DIGEST_SHA256_HEX + 1];
        cr_assert(eq(int, digest_sha256_init(&d, &e), ERR_OK), "%s", e.text);
        for (size_t k = 0; k < v->times; k++)
            digest_sha256_update(&d, v->text, strlen(v->text));
        cr_assert(eq(int, digest_sha256_final(&d, sum, &e), ERR_OK), "%s", e.text);
        digest_hex_encode(sum, sizeof sum, hex);
        cr_expect(eq(str, hex, (char *)v->sum), "row %zu", i);
    }
    digest_sha256_release(&d);
}

Test(digest, md5_of_the_rfc_1321_suite_on_one_reused_context)
{
    struct digest_md5 d = DIGEST_MD5_INIT;
    struct err e = ERR_INIT;

    for (size_t i = 0; i < COUNT(md5_vectors); i++) {
        const struct vector *v = &md5_vectors[i];
        uint8_t sum[DIGEST_MD5_BYTES];
        char hex[DIGEST_MD5_HEX + 1];
        cr_assert(eq(int, digest_md5_init(&d, &e), ERR_OK), "%s", e.text);
        for (size_t k = 0; k < v->times; k++)
            digest_md5_update(&d, v->text, strlen(v->text));
        cr_assert(eq(int, digest_md5_final(&d, sum, &e), ERR_OK), "%s", e.text);
        digest_hex_encode(sum, sizeof sum, hex);
        cr_expect(eq(str, hex, (char *)v->sum), "row %zu", i);
    }
    digest_md5_release(&d);
}

/* Bytes of every value, the same in every run. */
static void fill(uint8_t *data, size_t len)
{
    uint32_t x = 12345;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        data[i] = (uint8_t)(x >> 24);
    }
}

Test(digest, splitting_the_input_never_changes_the_sum)
{
    enum { LEN = 300 };
    uint8_t data[LEN], whole[DIGEST_SHA256_BYTES], sum[DIGEST_SHA256_BYTES];
    struct digest_sha256 d = DIGEST_SHA256_INIT;
    struct err e = ERR_INIT;

    fill(data, LEN);
    cr_assert(not(digest_sha256_init(&d, &e)));
    digest_sha256_update(&d, data, LEN);
    cr_assert(not(digest_sha256_final(&d, whole, &e)));
    for (size_t a = 0; a <= LEN; a += 7) {
        for (size_t b = a; b <= LEN; b++) {
            cr_assert(not(digest_sha256_init(&d, &e)));
            digest_sha256_update(&d, data, a);
            digest_sha256_update(&d, data + a, b - a);
            digest_sha256_update(&d, data + b, LEN - b);
            cr_assert(not(digest_sha256_final(&d, sum, &e)));
            cr_assert(digest_is_equal(sum, whole, sizeof sum), "split at %zu, %zu", a,
                      b);
        }
    }
    digest_sha256_release(&d);
}

Test(digest, init_in_the_middle_starts_anew)
{
    struct digest_sha256 d = DIGEST_SHA256_INIT;
    struct err e = ERR_INIT;
    uint8_t sum[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX + 1];

    cr_assert(not(digest_sha256_init(&d, &e)));
    digest_sha256_update(&d, "thrown away", 11);
    cr_assert(not(digest_sha256_init(&d, &e)));
    digest_sha256_update(&d, "abc", 3);
    cr_assert(not(digest_sha256_final(&d, sum, &e)));
    digest_hex_encode(sum, sizeof sum, hex);
    cr_expect(eq(str, hex, (char *)sha256_vectors[1].sum));
    digest_sha256_release(&d);
}

Test(digest, final_without_init_is_an_error_and_writes_nothing)
{
    struct digest_sha256 d = DIGEST_SHA256_INIT;
    struct err e = ERR_INIT;
    uint8_t sum[DIGEST_SHA256_BYTES] = {7, 7};

    digest_sha256_update(&d, "abc", 3);
    cr_expect(eq(int, digest_sha256_final(&d, sum, &e), ERR_CONFIG));
    cr_expect(sum[0] == 7 && sum[1] == 7);
    cr_assert(not(digest_sha256_init(&d, &e)));
    cr_expect(eq(int, digest_sha256_final(&d, sum, &e), ERR_OK));
    cr_expect(eq(int, digest_sha256_final(&d, sum, &e), ERR_CONFIG), "a second final");
    digest_sha256_release(&d);
    digest_sha256_release(&d);
}

Test(digest, sha256_hex_is_the_one_call_form)
{
    struct err e = ERR_INIT;
    char hex[DIGEST_SHA256_HEX + 1];

    cr_assert(not(digest_sha256_hex("abc", 3, hex, &e)));
    cr_expect(eq(str, hex, (char *)sha256_vectors[1].sum));
    cr_assert(not(digest_sha256_hex(NULL, 0, hex, &e)));
    cr_expect(eq(str, hex, (char *)sha256_vectors[0].sum));
}

/* RFC 4231, section 4: a key or data given as a byte repeated, or as text. */
static const struct {
    const char *key;
    int key_byte;
    size_t key_len;
    const char *data;
    int data_byte;
    size_t data_len;
    const char *mac;
} hmac_vectors[] = {
    {NULL, 0x0b, 20, "Hi There", 0, 8,
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"Jefe", 0, 4, "what do ya want for nothing?", 0, 28,
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {NULL, 0xaa, 20, NULL, 0xdd, 50,
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {NULL, 0xaa, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 0, 54,
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {NULL, 0, 0, "", 0, 0,
     "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
};

Test(digest, hmac_of_the_rfc_4231_cases)
{
    for (size_t i = 0; i < COUNT(hmac_vectors); i++) {
        uint8_t key[160], data[160], mac[DIGEST_SHA256_BYTES];
        char hex[DIGEST_SHA256_HEX + 1];
        struct err e = ERR_INIT;
        struct digest_span k = {key, hmac_vectors[i].key_len};
        struct digest_span m = {data, hmac_vectors[i].data_len};
        memset(key, hmac_vectors[i].key_byte, sizeof key);
        memset(data, hmac_vectors[i].data_byte, sizeof data);
        if (hmac_vectors[i].key)
            memcpy(key, hmac_vectors[i].key, k.len);
        if (hmac_vectors[i].data)
            memcpy(data, hmac_vectors[i].data, m.len);
        cr_assert(eq(int, digest_hmac_sha256(k, m, mac, &e), ERR_OK), "%s", e.text);
        digest_hex_encode(mac, sizeof mac, hex);
        cr_expect(eq(str, hex, (char *)hmac_vectors[i].mac), "row %zu", i);
    }
}

Test(digest, hmac_takes_null_for_nothing)
{
    uint8_t mac[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;
    struct digest_span none = {NULL, 0};

    cr_assert(not(digest_hmac_sha256(none, none, mac, &e)));
    digest_hex_encode(mac, sizeof mac, hex);
    cr_expect(eq(str, hex, (char *)hmac_vectors[4].mac));
}

static const struct {
    const char *plain, *text;
} base64_vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+"},
};

Test(digest, base64_of_the_rfc_4648_examples)
{
    for (size_t i = 0; i < COUNT(base64_vectors); i++) {
        const char *plain = base64_vectors[i].plain, *text = base64_vectors[i].text;
        char out[16];
        uint8_t back[16];
        size_t len = 99;
        cr_assert(digest_base64_encode(plain, strlen(plain), out, sizeof out));
        cr_expect(eq(str, out, (char *)text));
        cr_assert(digest_base64_decode(text, strlen(text), back, sizeof back, &len));
        cr_assert(eq(sz, len, strlen(plain)));
        cr_expect(memcmp(back, plain, len) == 0, "%s", text);
    }
}

Test(digest, base64_refuses_what_is_not_canonical)
{
    static const char *const bad[] = {
        "Z",    "Zg",   "Zg=",   "Zg===",  "=",    "==",   "====", "Z===", "Zg==Zg==",
        "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm9-", "Zm9_", "Zm=v", "Z=9v", "Zm9v=",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint8_t back[16];
        size_t len = 99;
        cr_expect(not(digest_base64_decode(bad[i], strlen(bad[i]), back, 16, &len)),
                  "%s", bad[i]);
        cr_expect(eq(sz, len, 99));
    }
}

Test(digest, base64_keeps_to_the_room_it_is_given)
{
    char out[9] = "untouch";
    uint8_t back[6];
    size_t len = 0;

    cr_expect(not(digest_base64_encode("foobar", 6, out, 8)));
    cr_expect(eq(str, out, "untouch"));
    cr_expect(digest_base64_encode("foobar", 6, out, 9));
    cr_expect(not(digest_base64_decode("Zm9vYmFy", 8, back, 5, &len)));
    cr_expect(digest_base64_decode("Zm9vYmFy", 8, back, 6, &len));
    cr_expect(not(digest_base64_encode("", SIZE_MAX, out, SIZE_MAX)), "no overflow");
}

Test(digest, hex_and_base64_give_back_every_byte)
{
    uint8_t data[257], back[257];
    char hex[2 * sizeof data + 1], text[DIGEST_BASE64_SIZE(sizeof data)];

    fill(data, sizeof data);
    for (size_t len = 0; len <= sizeof data; len++) {
        size_t got = 0;
        digest_hex_encode(data, len, hex);
        cr_assert(eq(sz, strlen(hex), 2 * len));
        memset(back, 0, sizeof back);
        cr_assert(digest_hex_decode(hex, 2 * len, back, len));
        cr_assert(memcmp(back, data, len) == 0, "hex, %zu bytes", len);
        cr_assert(digest_base64_encode(data, len, text, sizeof text));
        cr_assert(eq(sz, strlen(text), DIGEST_BASE64_LEN(len)));
        memset(back, 0, sizeof back);
        cr_assert(digest_base64_decode(text, strlen(text), back, len, &got));
        cr_assert(got == len && memcmp(back, data, len) == 0, "base64, %zu bytes", len);
    }
}

Test(digest, hex_is_lower_case_and_decode_takes_exactly_its_length)
{
    uint8_t out[2] = {1, 2};
    char hex[5];

    digest_hex_encode("\xab\xcd", 2, hex);
    cr_expect(eq(str, hex, "abcd"));
    cr_expect(not(digest_hex_decode("abc", 3, out, 1)));
    cr_expect(not(digest_hex_decode("abcd", 4, out, 1)));
    cr_expect(not(digest_hex_decode("ab", 2, out, 2)));
    cr_expect(not(digest_hex_decode("abcg", 4, out, 2)));
    cr_expect(not(digest_hex_decode("ab:d", 4, out, 2)));
    cr_expect(out[0] == 1 && out[1] == 2, "untouched when refused");
    cr_expect(digest_hex_decode("AbCd", 4, out, 2));
    cr_expect(out[0] == 0xab && out[1] == 0xcd);
}

Test(digest, equal_looks_at_every_byte_and_at_no_more)
{
    uint8_t a[32], b[32];

    fill(a, sizeof a);
    memcpy(b, a, sizeof b);
    cr_expect(digest_is_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x80;
        cr_expect(not(digest_is_equal(a, b, sizeof a)), "byte %zu", i);
        cr_expect(digest_is_equal(a, b, i), "only the bytes before %zu", i);
        b[i] ^= 0x80;
    }
    cr_expect(digest_is_equal(a, b, 0));
}
