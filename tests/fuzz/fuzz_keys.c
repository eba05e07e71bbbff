/*
 * fuzz keys: any bytes are keys that can be signed with, or refused with a text, by each of the three readers.
 */
#include "tests/fuzz/fuzz.h"

#include "worker/keys/keys.h"

#include <stdlib.h>
#include <string.h>

/* What was read can stand in headers; what was refused left nothing. */
static void check(enum err_code code, const struct keys *k, const struct err *e)
{
    static const struct keys none;

    if (code != ERR_OK) {
        if (code != ERR_REJECT || !e->text[0] || memcmp(k, &none, sizeof none) != 0)
            abort();
        return;
    }
    if (!*k->access_key || !*k->secret_key || strpbrk(k->access_key, ", \r\n") ||
        strpbrk(k->session_token, " \r\n") ||
        strnlen(k->session_token, sizeof k->session_token) > SIGV4_TOKEN_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keys k;
    const char *s = (const char *)data;
    struct err json = ERR_INIT, sts = ERR_INIT, profile = ERR_INIT;

    check(keys_from_json(s, size, &k, &json), &k, &json);
    check(keys_from_sts(s, size, &k, &sts), &k, &sts);
    check(keys_from_profile(s, size, "default", &k, &profile), &k, &profile);
    return 0;
}
