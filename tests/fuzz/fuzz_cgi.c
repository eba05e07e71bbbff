/*
 * fuzz cgi: each line is a variable of an environment.  What a CGI program makes of it for the responder is read there as it
 * was, without settings and without what is no variable; only what is longer than the limits is refused.
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/fastcgi/cgi_carry.h"
#include "fcgi-app/fastcgi/fastcgi_stream.h"
#include "shared/cleanup.h"

#include <stdlib.h>
#include <string.h>

enum { VARIABLES_MAX = 1024 };

static void split(char *text, char *env[static VARIABLES_MAX + 1])
{
    size_t n = 0;

    while (*text && n < VARIABLES_MAX) {
        env[n++] = text;
        text += strcspn(text, "\n");
        if (*text)
            *text++ = '\0';
    }
    env[n] = NULL;
}

static bool is_passed_on(const char *variable)
{
    return strchr(variable, '=') && variable[0] != '=' &&
           strncmp(variable, "HOIST_", 6) != 0;
}

/* In their order, and nothing else. */
static void compare(char *const *env, char *const *list)
{
    for (; *env; env++)
        if (is_passed_on(*env)) {
            must(*list && strcmp(*env, *list) == 0);
            list++;
        }
    must(!*list);
}

static bool is_long(char *const *env)
{
    size_t bytes = 0, count = 0;

    for (; *env; env++)
        if (is_passed_on(*env)) {
            bytes += strlen(*env) + 8;
            count++;
        }
    return bytes > FASTCGI_PAIRS_BYTES - 1024 || count > FASTCGI_PAIRS_COUNT;
}

static void read_back(const struct cgi_request *r, char *const *env)
{
    static struct fastcgi_stream s;

    fastcgi_stream_init(&s, 1);
    fastcgi_stream_feed(&s, r->head.data, r->head.len);
    enum fastcgi_event event = fastcgi_stream_next(&s);
    if (event == FASTCGI_REFUSED) {
        must(is_long(env));
        return;
    }
    must(event == FASTCGI_HEAD && s.id == 1 && !s.keep);
    compare(env, s.pairs.list);
    must(fastcgi_stream_next(&s) == FASTCGI_MORE && fastcgi_stream_is_whole(&s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *env[VARIABLES_MAX + 1];
    CLEANUP(cgi_request_release) struct cgi_request r = CGI_REQUEST_INIT;
    CLEANUP(str_free) char *text = strndup((const char *)data, size);
    struct err e = ERR_INIT;

    must(text != NULL);
    split(text, env);
    if (cgi_request_read(&r, env, &e) != ERR_OK) {
        must(e.code == ERR_REJECT && size > CGI_HEAD_MAX / 2);
        return 0;
    }
    must(r.body_bytes >= 0 && !(r.is_endless && r.body_bytes > 0));
    read_back(&r, env);
    return 0;
}
