/*
 * fuzz json_flat: any bytes are a flat object or refused with a text; what was taken keeps to its bounds.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/json_flat.h"

#include <stdlib.h>
#include <string.h>

/* Of the texts that are looked for. */
static void look_for_texts(const uint8_t *data, size_t size)
{
    static char token[64], id[8];
    struct json_text texts[] = {{.name = "Token", .ret = token, .size = sizeof token},
                                {.name = "a", .ret = id, .size = sizeof id}};
    struct err e = ERR_INIT;

    if (json_flat_texts((const char *)data, size, texts, 2, &e) != ERR_OK) {
        if (e.code != ERR_REJECT)
            abort();
    } else if (strlen(token) >= sizeof token || strlen(id) >= sizeof id) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_flat json;
    struct err e = ERR_INIT;
    int64_t n;

    look_for_texts(data, size);
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
