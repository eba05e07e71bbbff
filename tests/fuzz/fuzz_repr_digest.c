/*
 * fuzz repr_digest: any field holds a SHA-256 or none; one that it holds can be written and read again.
 */
#include "tests/fuzz/fuzz.h"

#include "worker/repr_digest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char hex[DIGEST_SHA256_HEX + 1], again[DIGEST_SHA256_HEX + 1];
    char field[REPR_DIGEST_SIZE];
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (repr_digest_parse(text, hex)) {
        repr_digest_format(hex, field);
        if (!repr_digest_parse(field, again) || strcmp(hex, again) != 0)
            abort();
    }
    free(text);
    return 0;
}
