#include "shared/redis_internal.h"

#include <stdlib.h>
#include <string.h>

void redis_reply_free(struct redis_value *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->count; i++)
        redis_reply_free(v->items[i]); /* the parser allows no more than 8 levels */
    free(v->items);
    free(v->text);
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

enum err_code redis_error_class(const char *text, size_t len)
{
    static const struct {
        const char *word;
        enum err_code code;
    } classes[] = {
        {"LOADING", ERR_RETRY},    {"BUSY", ERR_RETRY},        {"READONLY", ERR_RETRY},
        {"MASTERDOWN", ERR_RETRY}, {"CLUSTERDOWN", ERR_RETRY}, {"TRYAGAIN", ERR_RETRY},
        {"UNBLOCKED", ERR_RETRY},  {"OOM", ERR_RETRY},         {"MISCONF", ERR_RETRY},
        {"NOREPLICAS", ERR_RETRY}, {"NOSCRIPT", ERR_RETRY},    {"NOAUTH", ERR_CONFIG},
        {"WRONGPASS", ERR_CONFIG}, {"NOPERM", ERR_CONFIG},
    };

    unwrap_script_error(&text, &len);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (starts_with_word(text, len, classes[i].word))
            return classes[i].code;
    return ERR_REJECT;
}

enum err_code redis_value_error(const struct redis_value *v, struct err *e)
{
    if (redis_value_type(v) != REDIS_ERROR)
        return ERR_OK;
    return err_set(e, redis_error_class(v->text, v->len), "redis: %s", v->text);
}
