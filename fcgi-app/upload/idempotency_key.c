#include "fcgi-app/upload/idempotency_key.h"

#include <stdbool.h>
#include <string.h>

static enum err_code refuse(struct err *e, const char *why)
{
    return err_set(e, ERR_REJECT, "Idempotency-Key: %s", why);
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

/* The next character of a string, with its escape undone; false: it is not allowed there. */
static bool next_of_string(const char **at, char *ret)
{
    if (**at == '\\' && *++*at != '"' && **at != '\\')
        return false;
    *ret = **at;
    return is_printable(*(*at)++);
}

static enum err_code parse_string(const char *s, char *ret, struct err *e)
{
    size_t len = 0;
    char c;

    for (; *s != '"'; ret[len++] = c) {
        if (len == IDEMPOTENCY_KEY_MAX)
            return refuse(e, "it is longer than 255 characters");
        if (!next_of_string(&s, &c))
            return refuse(e,
                          "a string of printable ASCII, ended by a quote, is wanted");
    }
    if (s[1] != '\0')
        return refuse(e, "something comes after the string");
    ret[len] = '\0';
    return len > 0 ? ERR_OK : refuse(e, "it is empty");
}

enum err_code idempotency_key_parse(const char *value,
                                    char ret[static IDEMPOTENCY_KEY_MAX + 1],
                                    struct err *e)
{
    char key[IDEMPOTENCY_KEY_MAX + 1];
    size_t len = strlen(value);

    if (*value == '"') {
        if (parse_string(value + 1, key, e))
            return e->code;
        memcpy(ret, key, sizeof key);
        return ERR_OK;
    }
    if (len == 0)
        return refuse(e, "it is empty");
    if (len > IDEMPOTENCY_KEY_MAX)
        return refuse(e, "it is longer than 255 characters");
    for (size_t i = 0; i < len; i++)
        if (!is_printable(value[i]) || strchr(" \",", value[i]))
            return refuse(e, "printable ASCII without blanks, quotes and commas, or a "
                             "string in quotes, is wanted");
    memcpy(ret, value, len + 1);
    return ERR_OK;
}
