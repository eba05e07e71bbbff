#include "shared/stamp.h"

#include "shared/tz.h"

#include <string.h>

static void add_value(const struct stamp *s, size_t which, struct buf *b)
{
    static const struct tz utc = TZ_UTC;
    struct tz_civil at = tz_civil(&utc, s->ms / 1000);
    const int values[] = {at.year, at.month, at.day, at.hour, at.minute, at.second};

    if (which < sizeof values / sizeof values[0])
        buf_printf(b, which == 0 ? "%04d" : "%02d", values[which]);
    else
        buf_puts(b, s->id.text);
}

enum err_code stamp_expand(const char *template, const struct stamp *s,
                           struct buf *ret_name, struct err *e)
{
    static const char *const words[] = {"yyyy", "mm", "dd", "hh", "mi", "ss", "id"};
    const size_t count = sizeof words / sizeof words[0];

    for (const char *at = template; *at;) {
        size_t plain = strcspn(at, "{}"), which = 0;
        buf_add(ret_name, at, plain);
        at += plain;
        if (!*at)
            break;
        size_t len = strcspn(at + 1, "{}");
        while (which < count &&
               (strlen(words[which]) != len || memcmp(words[which], at + 1, len) != 0))
            which++;
        if (*at != '{' || at[1 + len] != '}' || which == count)
            return err_set(e, ERR_CONFIG,
                           "'%.20s' does not begin with one of {yyyy} {mm} {dd} {hh} "
                           "{mi} {ss} {id}",
                           at);
        add_value(s, which, ret_name);
        at += len + 2;
    }
    return ret_name->failed ? err_set(e, ERR_NOMEM, "a name that is too long") : ERR_OK;
}
