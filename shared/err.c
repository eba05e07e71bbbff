#include "shared/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static PRINTF(3, 0) void vset(struct err *e, enum err_code code, const char *fmt,
                              va_list ap)
{
    char text[sizeof e->text]; /* an argument may point into e->text */

    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        text[0] = '\0';
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    e->code = code;
    memcpy(e->text, text, sizeof text);
}

enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vset(e, code, fmt, ap);
    va_end(ap);
    e->os_errno = 0;
    return code;
}

enum err_code err_errno(struct err *e, enum err_code code, const char *fmt, ...)
{
    int saved = errno;
    char reason[96];
    va_list ap;

    va_start(ap, fmt);
    vset(e, code, fmt, ap);
    va_end(ap);
    const char *text = strerror_r(saved, reason, sizeof reason);
    size_t used = strlen(e->text);
    (void)snprintf(e->text + used, sizeof e->text - used, ": %s", text);
    e->os_errno = saved;
    errno = saved;
    return code;
}

enum err_code err_prefix(struct err *e, const char *fmt, ...)
{
    char rest[sizeof e->text];
    va_list ap;

    memcpy(rest, e->text, sizeof rest);
    va_start(ap, fmt);
    vset(e, e->code, fmt, ap);
    va_end(ap);
    size_t used = strlen(e->text);
    (void)snprintf(e->text + used, sizeof e->text - used, ": %s", rest);
    return e->code;
}

const char *err_code_name(enum err_code code)
{
    static const char *const names[] = {"ok", "retry", "reject", "config", "nomem"};

    return (size_t)code < sizeof names / sizeof names[0] ? names[code] : "unknown";
}
