#include "shared/sf_dict.h"

#include <string.h>

enum { INTEGER_DIGITS = 15, DECIMAL_DIGITS = 12, FRACTION_DIGITS = 3 };

struct sf_dict sf_dict_read(const char *field, size_t len)
{
    return (struct sf_dict){.at = field, .end = field + len};
}

static bool is_at_end(const struct sf_dict *d)
{
    return d->at == d->end;
}

/* The next byte; NUL, which is nowhere allowed, at the end. */
static char peek(const struct sf_dict *d)
{
    return is_at_end(d) ? '\0' : *d->at;
}

static bool take(struct sf_dict *d, char c)
{
    if (is_at_end(d) || *d->at != c)
        return false;
    d->at++;
    return true;
}

static void skip_blanks(struct sf_dict *d, bool tabs)
{
    while (peek(d) == ' ' || (tabs && peek(d) == '\t'))
        d->at++;
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* NUL ends what strchr searches, and is no member of the set. */
static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

static bool take_key(struct sf_dict *d, const char **ret, size_t *ret_len)
{
    *ret = d->at;
    if (!is_lower(peek(d)) && peek(d) != '*')
        return false;
    while (is_lower(peek(d)) || is_digit(peek(d)) || is_one_of(peek(d), "_-.*"))
        d->at++;
    *ret_len = (size_t)(d->at - *ret);
    return true;
}

static size_t take_digits(struct sf_dict *d, int64_t *value, size_t max)
{
    size_t n = 0;
    while (is_digit(peek(d)) && n <= max) {
        *value = *value * 10 + (*d->at++ - '0');
        n++;
    }
    return n;
}

static bool take_number(struct sf_dict *d, struct sf_member *ret)
{
    bool minus = take(d, '-');
    int64_t value = 0, fraction = 0;
    size_t digits = take_digits(d, &value, INTEGER_DIGITS);
    ret->type = SF_INTEGER;
    ret->integer = minus ? -value : value;
    if (digits == 0 || digits > INTEGER_DIGITS)
        return false;
    if (!take(d, '.'))
        return true;
    ret->type = SF_DECIMAL;
    size_t behind = take_digits(d, &fraction, FRACTION_DIGITS);
    return digits <= DECIMAL_DIGITS && behind > 0 && behind <= FRACTION_DIGITS;
}

static bool take_string(struct sf_dict *d)
{
    d->at++;
    for (; !is_at_end(d); d->at++) {
        unsigned char c = (unsigned char)*d->at;
        if (c == '"')
            return take(d, '"');
        if (c < 0x20 || c > 0x7e)
            return false;
        if (c == '\\' && (++d->at == d->end || !is_one_of(*d->at, "\"\\")))
            return false;
    }
    return false;
}

static bool take_bytes(struct sf_dict *d, struct sf_member *ret)
{
    ret->text = ++d->at;
    while (is_alpha(peek(d)) || is_digit(peek(d)) || is_one_of(peek(d), "+/="))
        d->at++;
    ret->text_len = (size_t)(d->at - ret->text);
    return take(d, ':');
}

static bool take_item(struct sf_dict *d, struct sf_member *ret)
{
    char c = peek(d);
    ret->text = d->at;
    ret->integer = 0;
    if (c == ':') {
        ret->type = SF_BYTES;
        return take_bytes(d, ret);
    }
    bool good = true;
    if (c == '-' || is_digit(c)) {
        good = take_number(d, ret);
    } else if (c == '"') {
        ret->type = SF_STRING;
        good = take_string(d);
    } else if (c == '?') {
        ret->type = SF_BOOLEAN;
        d->at++;
        ret->integer = peek(d) == '1';
        good = take(d, '1') || take(d, '0');
    } else {
        ret->type = SF_TOKEN;
        good = is_alpha(c) || c == '*';
        while (is_alpha(peek(d)) || is_digit(peek(d)) ||
               is_one_of(peek(d), "!#$%&'*+-.^_`|~:/"))
            d->at++;
    }
    ret->text_len = (size_t)(d->at - ret->text);
    return good;
}

static bool take_params(struct sf_dict *d)
{
    while (take(d, ';')) {
        struct sf_member dropped;
        skip_blanks(d, false);
        if (!take_key(d, &dropped.key, &dropped.key_len) ||
            (take(d, '=') && !take_item(d, &dropped)))
            return false;
    }
    return true;
}

/* Behind its bracket.  Items with blanks between them; each may have parameters. */
static bool take_inner_list(struct sf_dict *d)
{
    struct sf_member dropped;
    for (;;) {
        skip_blanks(d, false);
        if (take(d, ')'))
            return true;
        if (!take_item(d, &dropped) || !take_params(d) ||
            (peek(d) != ' ' && peek(d) != ')'))
            return false;
    }
}

static bool take_value(struct sf_dict *d, struct sf_member *ret)
{
    ret->type = SF_BOOLEAN;
    ret->integer = 1;
    ret->text = d->at;
    ret->text_len = 0;
    if (!take(d, '='))
        return true;
    if (!take(d, '('))
        return take_item(d, ret);
    ret->type = SF_INNER_LIST;
    return take_inner_list(d);
}

enum sf_next sf_dict_next(struct sf_dict *d, struct sf_member *ret)
{
    if (!d->begun) {
        skip_blanks(d, false);
    } else if (!is_at_end(d)) {
        if (!take(d, ','))
            return SF_BAD;
        skip_blanks(d, true);
        if (is_at_end(d))
            return SF_BAD; /* a comma and nothing */
    }
    d->begun = true;
    if (is_at_end(d))
        return SF_END;
    if (!take_key(d, &ret->key, &ret->key_len) || !take_value(d, ret) ||
        !take_params(d))
        return SF_BAD;
    skip_blanks(d, true);
    return SF_MEMBER;
}
