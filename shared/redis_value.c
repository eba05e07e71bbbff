#include "shared/redis_internal.h"

#include <stdlib.h>
#include <string.h>

void redis_reply_free(struct redis_value *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->count; i++)
        redis_reply_free(v->items[i]); /* the parser allows no more than 8 levels */
    free(v);
}

enum redis_type redis_value_type(const struct redis_value *v)
{
    return v ? v->type : REDIS_NIL;
}

static bool has_text(const struct redis_value *v)
{
    return v && v->text;
}

/* A whole decimal number of at most 18 digits, as Redis prints them. */
static int64_t parse_int(const char *s, size_t len)
{
    bool negative = len > 0 && s[0] == '-';
    size_t i = negative ? 1 : 0;
    int64_t n = 0;

    if (len == i || len - i > 18)
        return 0;
    for (; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return 0;
        n = n * 10 + (s[i] - '0');
    }
    return negative ? -n : n;
}

int64_t redis_value_int(const struct redis_value *v)
{
    if (!v)
        return 0;
    if (v->type == REDIS_INTEGER)
        return v->integer;
    return v->type == REDIS_STRING && v->text ? parse_int(v->text, v->len) : 0;
}

const char *redis_value_str(const struct redis_value *v, size_t *ret_len)
{
    if (ret_len)
        *ret_len = has_text(v) ? v->len : 0;
    return has_text(v) ? v->text : "";
}

size_t redis_value_len(const struct redis_value *v)
{
    return v && v->type == REDIS_ARRAY ? v->count : 0;
}

const struct redis_value *redis_value_at(const struct redis_value *v, size_t i)
{
    return i < redis_value_len(v) ? v->items[i] : NULL;
}

static bool starts_with_word(const char *text, size_t len, const char *word)
{
    size_t n = strlen(word);

    return len >= n && memcmp(text, word, n) == 0 && (len == n || text[n] == ' ');
}

bool redis_value_is_error(const struct redis_value *v, const char *word)
{
    return v && v->type == REDIS_ERROR && starts_with_word(v->text, v->len, word);
}

/* Redis 6.2 wraps what stopped a script: "ERR Error running script (...): @user_script: 7: -OOM command not ...". */
static void unwrap_script_error(const char **text, size_t *len)
{
    static const char lead[] = "ERR Error running script", mark[] = ": -";

    if (*len < sizeof lead - 1 || memcmp(*text, lead, sizeof lead - 1) != 0)
        return;
    const char *at = memmem(*text, *len, mark, sizeof mark - 1);
    if (!at)
        return;
    at += sizeof mark - 1;
    *len -= (size_t)(at - *text);
    *text = at;
}

/* What each error is to the caller, and whether the connection that brought it is closed: after a fail-over the name
 * leads elsewhere, and who is logged out must log in again.  CONTRIBUTING.md has what the programs do then. */
static const struct error_class {
    const char *word;
    enum err_code code;
    bool is_closing;
} error_classes[] = {
    {"LOADING", ERR_RETRY, false},     {"BUSY", ERR_RETRY, false},
    {"OOM", ERR_RETRY, false},         {"MISCONF", ERR_RETRY, false},
    {"NOREPLICAS", ERR_RETRY, false},  {"TRYAGAIN", ERR_RETRY, false},
    {"ASK", ERR_RETRY, false},         {"NOSCRIPT", ERR_RETRY, false},
    {"CLUSTERDOWN", ERR_RETRY, false}, {"READONLY", ERR_RETRY, true},
    {"MASTERDOWN", ERR_RETRY, true},   {"UNBLOCKED", ERR_RETRY, true},
    {"MOVED", ERR_RETRY, true},        {"NOAUTH", ERR_CONFIG, true},
    {"WRONGPASS", ERR_CONFIG, true},   {"NOPERM", ERR_CONFIG, false},
};

static const struct error_class *find_error(const char *text, size_t len)
{
    unwrap_script_error(&text, &len);
    for (size_t i = 0; i < sizeof error_classes / sizeof error_classes[0]; i++)
        if (starts_with_word(text, len, error_classes[i].word))
            return &error_classes[i];
    return NULL;
}

enum err_code redis_error_class(const char *text, size_t len)
{
    const struct error_class *class = find_error(text, len);

    return class ? class->code : ERR_REJECT;
}

bool redis_value_is_closing(const struct redis_value *v)
{
    const struct error_class *class =
        v && v->type == REDIS_ERROR ? find_error(v->text, v->len) : NULL;

    return class && class->is_closing;
}

enum err_code redis_value_error(const struct redis_value *v, struct err *e)
{
    if (redis_value_type(v) != REDIS_ERROR)
        return ERR_OK;
    return err_set(e, redis_error_class(v->text, v->len), "redis: %s", v->text);
}
