/*
 * fuzz http_fields: a key, preferences, a trace, a request id and tags read from any text; what is taken keeps its bounds, and
 * holds nothing that could end a line of a log or an answer's header.
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/http/etag.h"
#include "fcgi-app/upload/idempotency_key.h"
#include "fcgi-app/http/prefer.h"
#include "fcgi-app/http/trace.h"
#include "shared/buf.h"
#include "shared/cleanup.h"

#include <stdlib.h>
#include <string.h>

static bool is_line(const char *s)
{
    for (; *s; s++)
        if ((*s < ' ' && *s != '\t') || *s > '~')
            return false;
    return true;
}

/* Written as a string of RFC 8941 it is the same key. */
static void check_key(const char *text)
{
    char key[IDEMPOTENCY_KEY_MAX + 1], again[IDEMPOTENCY_KEY_MAX + 1];
    char string[2 * IDEMPOTENCY_KEY_MAX + 3], *to = string;
    struct err e = ERR_INIT;

    if (idempotency_key_parse(text, key, &e) != ERR_OK) {
        must(e.code == ERR_REJECT && e.text[0]);
        return;
    }
    must(key[0] && strlen(key) <= IDEMPOTENCY_KEY_MAX);
    must(is_line(key) && !strchr(key, '\t'));
    *to++ = '"';
    for (const char *s = key; *s; *to++ = *s++)
        if (*s == '"' || *s == '\\')
            *to++ = '\\';
    *to++ = '"';
    *to = '\0';
    must(idempotency_key_parse(string, again, &e) == ERR_OK && strcmp(key, again) == 0);
}

/* The first one counts: after one that said it all nothing changes. */
static void check_prefer(const char *text)
{
    struct prefer p = PREFER_INIT, full = PREFER_INIT;

    prefer_parse(text, &p);
    must(p.wait_seconds >= -1 && p.wait_seconds <= 999999999);
    must(p.return_given || !p.is_minimal);
    prefer_parse("wait=7, return=minimal", &full);
    prefer_parse(text, &full);
    must(full.wait_seconds == 7 && full.is_minimal && full.return_given);
}

static void check_trace(const char *text)
{
    size_t len = strlen(text);

    if (trace_parent_is_valid(text))
        must(len >= 55 && len <= 128 && is_line(text) && !strchr(text, ' ') &&
             (len == 55 || strncmp(text, "00", 2) != 0));
    if (trace_state_is_valid(text))
        must(len >= 3 && len <= 512 && is_line(text) && strchr(text, '='));
    if (trace_request_id_is_sane(text))
        must(len >= 1 && len <= 128 && is_line(text) && !strpbrk(text, " \t\"\\,;"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char tag[] = "\"abcdefghijklmnop\"";
    CLEANUP(str_free) char *text = malloc(size + 1);

    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    check_key(text);
    check_prefer(text);
    check_trace(text);
    if (etag_is_in(tag, text))
        must(strstr(text, tag) || strchr(text, '*'));
    return 0;
}
