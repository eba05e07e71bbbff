#include "fcgi-app/http/prefer.h"

#include <string.h>
#include <strings.h>

enum { WAIT_DIGITS_MAX = 9 };

struct span {
    const char *s;
    size_t len;
};

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

static const char *take_token(const char *s, struct span *ret)
{
    ret->s = s;
    while (is_token(*s))
        s++;
    ret->len = (size_t)(s - ret->s);
    return s;
}

/* A token, or what is between quotes, escapes left as they are.  NULL: neither. */
static const char *take_word(const char *s, struct span *ret)
{
    if (*s != '"')
        return take_token(s, ret);
    ret->s = ++s;
    for (; *s != '"'; s++) {
        if (*s == '\\' && s[1] != '\0')
            s++;
        if (*s == '\0')
            return NULL;
    }
    ret->len = (size_t)(s - ret->s);
    return s + 1;
}

static bool is_word(const struct span *a, const char *word)
{
    return a->len == strlen(word) && strncasecmp(a->s, word, a->len) == 0;
}

static void set_wait(struct prefer *p, const struct span *value)
{
    int64_t n = 0;

    if (p->wait_seconds >= 0 || value->len == 0 || value->len > WAIT_DIGITS_MAX)
        return;
    for (size_t i = 0; i < value->len; i++) {
        if (value->s[i] < '0' || value->s[i] > '9')
            return;
        n = n * 10 + (value->s[i] - '0');
    }
    p->wait_seconds = n;
}

static void set(struct prefer *p, const struct span *name, const struct span *value)
{
    bool minimal = is_word(value, "minimal");

    if (is_word(name, "wait"))
        set_wait(p, value);
    if (!is_word(name, "return") || p->return_given ||
        (!minimal && !is_word(value, "representation")))
        return;
    p->return_given = true;
    p->is_minimal = minimal;
}

/* "=value" at s, if it is there.  NULL: broken. */
static const char *take_value(const char *s, struct span *ret)
{
    const char *equals = skip_blanks(s);

    *ret = (struct span){"", 0};
    return *equals == '=' ? take_word(skip_blanks(equals + 1), ret) : s;
}

/* One preference with its parameters, which say nothing to us.  NULL: it is broken, and with it what follows. */
static const char *take_preference(const char *s, struct prefer *p)
{
    struct span name, value, ignored;

    s = take_token(s, &name);
    if (name.len == 0 || !(s = take_value(s, &value)))
        return NULL;
    for (s = skip_blanks(s); *s == ';'; s = skip_blanks(s)) {
        s = take_token(skip_blanks(s + 1), &ignored);
        if (!(s = take_value(s, &ignored)))
            return NULL;
    }
    if (*s != ',' && *s != '\0')
        return NULL;
    set(p, &name, &value);
    return s;
}

void prefer_parse(const char *value, struct prefer *p)
{
    const char *s = value;

    while (s) {
        s += strspn(s, " \t,"); /* empty members of a list say nothing */
        if (*s == '\0')
            return;
        s = take_preference(s, p);
    }
}
