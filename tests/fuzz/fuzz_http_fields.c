/*
 * fuzz http_fields: a key, preferences, a trace, a request id and tags read from any text; what is taken keeps its bounds.
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/etag.h"
#include "fcgi-app/idempotency_key.h"
#include "fcgi-app/prefer.h"
#include "fcgi-app/trace.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char key[IDEMPOTENCY_KEY_MAX + 1];
    struct prefer p = PREFER_INIT;
    struct err e = ERR_INIT;
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (idempotency_key_parse(text, key, &e) == ERR_OK &&
        (key[0] == '\0' || strlen(key) > IDEMPOTENCY_KEY_MAX))
        abort();
    prefer_parse(text, &p);
    if (p.wait_seconds < -1 || p.wait_seconds > 999999999)
        abort();
    if (trace_parent_is_valid(text) && strlen(text) > 128)
        abort();
    if (trace_state_is_valid(text) && strlen(text) > 512)
        abort();
    (void)trace_request_id_is_sane(text);
    (void)etag_is_in("\"abcdefghijklmnop\"", text);
    free(text);
    return 0;
}
