#include "fcgi-app/auth/token.h"

#include <string.h>
#include <sys/random.h>

enum err_code token_format(const unsigned char bytes[static TOKEN_BYTES],
                           char ret_token[static TOKEN_LEN + 1],
                           char ret_hash[static 7 + DIGEST_SHA256_HEX + 1],
                           struct err *e)
{
    char text[DIGEST_BASE64_SIZE(TOKEN_BYTES)];
    if (!digest_base64_encode(bytes, TOKEN_BYTES, text, sizeof text))
        return err_set(e, ERR_CONFIG, "base64: no room");
    for (char *s = text; *s; s++)
        *s = (char)(*s == '+' ? '-' : *s == '/' ? '_' : *s == '=' ? '\0' : *s);
    (void)snprintf(ret_token, TOKEN_LEN + 1, "hoist_%.43s", text);
    (void)snprintf(ret_hash, sizeof "sha256:", "sha256:");
    enum err_code code =
        digest_sha256_hex(ret_token, strlen(ret_token), ret_hash + 7, e);
    explicit_bzero(text, sizeof text);
    return code;
}

enum err_code token_print_new(FILE *out, struct err *e)
{
    unsigned char bytes[TOKEN_BYTES];
    char token[TOKEN_LEN + 1], hash[7 + DIGEST_SHA256_HEX + 1];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_errno(e, ERR_CONFIG, "getrandom");
    if (token_format(bytes, token, hash, e))
        return e->code;
    fprintf(out,
            "# For the client, which sends it as  Authorization: Bearer TOKEN\n"
            "%s\n\n# For the configuration, below [auth NAME]\ntoken = %s\n",
            token, hash);
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(token, sizeof token);
    return fflush(out) == 0 ? ERR_OK : err_errno(e, ERR_CONFIG, "standard output");
}
