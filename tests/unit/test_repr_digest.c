/*
 * repr_digest: the SHA-256 in a field that a server sent.
 */
#include "worker/repr_digest.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(repr_digest, .timeout = 10);

/* printf abc | openssl dgst -sha256 -binary | base64 */
#define BASE64 "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

Test(repr_digest, the_sha256_is_found_among_others)
{
    static const char *const rows[] = {
        "sha-256=:" BASE64 ":", " sha-256=:" BASE64 ": ",
        "sha-512=:AAAA:, sha-256=:" BASE64 ":,md5=::",
        "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:,sha-256=:" BASE64 ":"};

    for (size_t i = 0; i < COUNT(rows); i++) {
        char hex[DIGEST_SHA256_HEX + 1] = "";
        cr_expect(repr_digest_parse(rows[i], hex), "%s", rows[i]);
        cr_expect(eq(str, hex, HEX), "%s", rows[i]);
    }
}

Test(repr_digest, anything_else_is_none)
{
    static const char *const rows[] = {
        "",
        "sha-256",
        "sha-256=" BASE64,
        "sha-256=:" BASE64,
        "sha-256=:" BASE64 ":,",
        "sha-256=:" BASE64 ":;a",
        "sha-256=:" BASE64 ": x",
        "SHA-256=:" BASE64 ":",
        "sha-512=:" BASE64 ":",
        "sha-256=:ungWv48B:",
        "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa:",
        "sha-256=:!:",
        ",sha-256=:" BASE64 ":"};

    for (size_t i = 0; i < COUNT(rows); i++) {
        char hex[DIGEST_SHA256_HEX + 1] = "untouched";
        cr_expect(not(repr_digest_parse(rows[i], hex)), "%s", rows[i]);
        cr_expect(eq(str, hex, "untouched"));
    }
}

Test(repr_digest, what_is_written_can_be_read)
{
    char field[REPR_DIGEST_SIZE];

    repr_digest_format(HEX, field);
    cr_expect(eq(str, field, "sha-256=:" BASE64 ":"));
    repr_digest_format("xyz", field);
    cr_expect(eq(str, field, ""));
    repr_digest_format(NULL, field);
    cr_expect(eq(str, field, ""));
}
