/*
 * fuzz config: any text is either a configuration that can be shown, or refused with its place and a reason.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config c;
    struct err e = ERR_INIT;
    char *text = strndup((const char *)data, size), *shown = NULL;
    size_t shown_len;
    FILE *out = open_memstream(&shown, &shown_len);

    if (!text || !out)
        abort();
    config_init(&c);
    if (config_parse(&c, "fuzz.ini", text, NULL, &e) == ERR_OK)
        config_show(&c, out);
    else if (e.code != ERR_CONFIG || strncmp(e.text, "fuzz.ini", 8) != 0)
        abort();
    fclose(out);
    free(shown);
    free(text);
    config_release(&c);
    return 0;
}
