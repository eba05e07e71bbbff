/*
 * fuzz bearer: any Authorization header is one of four things; a token stands within it, as it was sent.
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/auth/bearer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    const char *token = NULL;
    size_t len = 0;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    (void)bearer_is_local(text);
    if (bearer_parse(text, &token, &len) == BEARER_TOKEN) {
        if (token <= text || len == 0 || len > CONFIG_TOKEN_MAX ||
            token + len != text + strlen(text) || strpbrk(token, " ,\"\r\n"))
            abort();
    } else if (token || len) {
        abort();
    }
    free(text);
    return 0;
}
