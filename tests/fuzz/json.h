/*
 * json: whether a text is one JSON value (RFC 8259), for targets that look at what is written.  Strict: no blanks, which ours
 * never have, and UTF-8 is the caller's to look at.
 */
#ifndef HOIST_TESTS_FUZZ_JSON_H
#define HOIST_TESTS_FUZZ_JSON_H

#include "tests/fuzz/fuzz.h"

static inline bool json_take(const char **s, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*s, word, len) != 0)
        return false;
    *s += len;
    return true;
}

static inline bool json_string(const char **s)
{
    if (*(*s)++ != '"')
        return false;
    for (; **s != '"'; (*s)++) {
        if ((unsigned char)**s < ' ')
            return false;
        if (**s != '\\')
            continue;
        (*s)++;
        if (**s == 'u' && strspn(*s + 1, "0123456789abcdefABCDEF") >= 4)
            *s += 4;
        else if (!**s || !strchr("\"\\/bfnrt", **s))
            return false;
    }
    (*s)++;
    return true;
}

static inline bool json_value(const char **s, int depth)
{
    char close = **s == '{' ? '}' : ']';
    bool named = close == '}';

    if (**s == '"')
        return json_string(s);
    if (json_take(s, "true") || json_take(s, "false") || json_take(s, "null"))
        return true;
    if (**s != '{' && **s != '[') {
        size_t len = strspn(*s, "-0123456789.eE+");
        *s += len;
        return len > 0;
    }
    do {
        (*s)++;
        if (**s == close && (*s)[-1] != ',')
            break;
        if (depth == 0 || (named && (!json_string(s) || !json_take(s, ":"))) ||
            !json_value(s, depth - 1))
            return false;
    } while (**s == ',');
    return *(*s)++ == close;
}

static inline bool json_is_valid(const char *s)
{
    return json_value(&s, 16) && *s == '\0';
}

#endif
