/*
 * fuzz origin: the first line is an Origin, the second a Host, the third a list of the settings.  What is taken for an
 * origin holds nothing that could end a header or begin another one; nothing that is no origin is listed; a page is its
 * own under its own name alone.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/cleanup.h"
#include "shared/origin.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void check_origin(const char *text, const struct origin *o)
{
    must(o->host >= text && o->host + o->host_len <= text + strlen(text));
    must(o->host_len > 0 && o->port >= 1 && o->port <= 65535);
    must(strlen(text) <= ORIGIN_MAX);
    for (const char *s = text; *s; s++)
        must((unsigned char)*s > ' ' && (unsigned char)*s < 0x7f &&
             !strchr(",*@?#", *s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    CLEANUP(str_free) char *origin = take_line(&at, end);
    CLEANUP(str_free) char *host = take_line(&at, end);
    CLEANUP(str_free) char *list = take_line(&at, end);
    struct err e = ERR_INIT;
    struct origin o;

    bool is_one = origin_parse(origin, strlen(origin), &o);
    bool own = origin_is_own(origin, host, false);
    if (is_one)
        check_origin(origin, &o);
    must(is_one || !own);
    if (own) {
        must(strncasecmp(host, o.host, o.host_len) == 0);
        must(host[o.host_len] == '\0' || host[o.host_len] == ':');
    }
    must(own || !origin_is_own(origin, host, true));
    if (origin_check_list(list, &e) == ERR_OK) {
        bool listed = origin_is_listed(list, origin);
        must(is_one || !listed);
        if (is_one && !strchr(list, '*') && listed)
            must(strcasestr(list, "://") != NULL);
    }
    if (origin_check_hosts(list, &e) == ERR_OK && origin_host_is_listed(list, host))
        must(*host && *host != ':' && *list);
    (void)origin_host_is_literal(host);
    return 0;
}
