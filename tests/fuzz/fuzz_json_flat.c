/*
 * fuzz json_flat: any bytes are a flat object or refused with a text; what was taken keeps to its bounds.
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/json_flat.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_flat json;
    struct err e = ERR_INIT;
    int64_t n;

    if (json_flat_parse((const char *)data, size, &json, &e) != ERR_OK) {
        if (e.code != ERR_REJECT || strncmp(e.text, "JSON: ", 6) != 0)
            abort();
        return 0;
    }
    if (json.count > JSON_FLAT_MAX)
        abort();
    for (size_t i = 0; i < json.count; i++) {
        const struct json_member *m = &json.members[i];
        if (json_flat_find(&json, m->name) != m || strlen(m->text) > JSON_FLAT_TEXT)
            abort();
        if (json_member_int(m, 1000, &n) && (n < 0 || n > 1000))
            abort();
    }
    return 0;
}
