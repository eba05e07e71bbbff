#include "shared/to_list.h"

#include <string.h>

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_between(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

static bool is_name(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(s[i]) && !(i > 0 && (s[i] == '.' || s[i] == '_' || s[i] == '-')))
            return false;
    return len >= 1 && len <= TO_NAME_MAX;
}

static bool has(const struct to_list *l, const char *s, size_t len)
{
    for (size_t i = 0; i < l->count; i++)
        if (strlen(l->names[i]) == len && memcmp(l->names[i], s, len) == 0)
            return true;
    return false;
}

static enum err_code add(struct to_list *l, const char *s, size_t len, struct err *e)
{
    int shown = (int)(len < 40 ? len : 40);

    if (!is_name(s, len))
        return err_set(e, ERR_REJECT, "'%.*s' is not the name of a destination", shown,
                       s);
    if (has(l, s, len))
        return err_set(e, ERR_REJECT, "'%.*s' stands there twice", shown, s);
    if (l->count == TO_LIST_MAX)
        return err_set(e, ERR_REJECT, "more than %d destinations", TO_LIST_MAX);
    memcpy(l->names[l->count], s, len);
    l->names[l->count++][len] = '\0';
    return ERR_OK;
}

enum err_code to_list_parse(const char *s, size_t len, struct to_list *ret,
                            struct err *e)
{
    struct to_list l = {.count = 0};

    for (size_t at = 0; at < len;) {
        size_t end = at;
        while (end < len && !is_between(s[end]))
            end++;
        if (end > at && add(&l, s + at, end - at, e) != ERR_OK)
            return e->code;
        at = end > at ? end : at + 1;
    }
    if (l.count == 0)
        return err_set(e, ERR_REJECT, "names no destination");
    *ret = l;
    return ERR_OK;
}

void to_list_format(const struct to_list *l, char ret_text[static TO_LIST_TEXT_MAX + 1])
{
    char *at = ret_text;

    for (size_t i = 0; i < l->count; i++) {
        size_t len = strlen(l->names[i]);
        if (i > 0)
            *at++ = ',';
        memcpy(at, l->names[i], len);
        at += len;
    }
    *at = '\0';
}

bool to_list_is_plain(const char *s, size_t len)
{
    struct to_list l;
    struct err e = ERR_INIT;
    char text[TO_LIST_TEXT_MAX + 1];

    if (to_list_parse(s, len, &l, &e) != ERR_OK)
        return false;
    to_list_format(&l, text);
    return strlen(text) == len && memcmp(text, s, len) == 0;
}
