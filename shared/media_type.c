#include "shared/media_type.h"

#include <string.h>
#include <strings.h>

static const char blanks[] = ", \t";

/* RFC 9110 section 5.6.2, but for the star, which stands for any subtype here. */
static bool is_token(const char *s, size_t len)
{
    static const char marks[] = "!#$%&'+-.^_`|~";
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        bool alnum =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return len > 0;
}

static bool is_type(const char *s, size_t len)
{
    const char *slash = memchr(s, '/', len);
    if (!slash || !is_token(s, (size_t)(slash - s)))
        return false;
    size_t rest = len - (size_t)(slash - s) - 1;
    return (rest == 1 && slash[1] == '*') || is_token(slash + 1, rest);
}

bool media_type_is_list(const char *list)
{
    for (const char *at = list + strspn(list, blanks); *at; at += strspn(at, blanks)) {
        size_t len = strcspn(at, blanks);
        if (!is_type(at, len))
            return false;
        at += len;
    }
    return true;
}

static bool matches(const char *entry, size_t entry_len, const char *type, size_t len)
{
    if (entry[entry_len - 1] == '*') /* all up to the slash */
        return len >= entry_len && strncasecmp(entry, type, entry_len - 1) == 0;
    return len == entry_len && strncasecmp(entry, type, len) == 0;
}

bool media_type_is_listed(const char *list, const char *type, size_t len)
{
    const char *end = memchr(type, ';', len);
    if (end)
        len = (size_t)(end - type);
    while (len > 0 && (type[len - 1] == ' ' || type[len - 1] == '\t'))
        len--;
    for (const char *at = list + strspn(list, blanks); *at; at += strspn(at, blanks)) {
        size_t entry_len = strcspn(at, blanks);
        if (matches(at, entry_len, type, len))
            return true;
        at += entry_len;
    }
    return false;
}
