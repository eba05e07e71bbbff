#include "fcgi-app/http/trace.h"

#include "shared/job.h"

#include <string.h>

enum { KEY_MAX = 256, VALUE_MAX = 256 };

bool trace_request_id_is_sane(const char *value)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                              "0123456789._:/+=@-";
    size_t len = strspn(value, set);

    return len > 0 && len <= JOB_REQUEST_ID_MAX && value[len] == '\0';
}

/* --- traceparent --- */

static bool is_hex(const char *s, size_t len)
{
    return strspn(s, "0123456789abcdef") >= len;
}

static bool is_id(const char *s, size_t len)
{
    return is_hex(s, len) && strspn(s, "0") < len;
}

bool trace_parent_is_valid(const char *value)
{
    enum { PARENT_AT = 36, PARENT_LEN = 16, FLAGS_AT = 53 };
    size_t len = strlen(value);

    if (len < JOB_TRACEPARENT_MIN || len > JOB_TRACEPARENT_MAX || !is_hex(value, 2) ||
        memcmp(value, "ff", 2) == 0)
        return false;
    if (value[2] != '-' || value[PARENT_AT - 1] != '-' || value[FLAGS_AT - 1] != '-' ||
        !is_id(value + TRACE_ID_AT, TRACE_ID_LEN) ||
        !is_id(value + PARENT_AT, PARENT_LEN) || !is_hex(value + FLAGS_AT, 2))
        return false;
    if (len == JOB_TRACEPARENT_MIN)
        return true;
    for (size_t i = JOB_TRACEPARENT_MIN; i < len; i++)
        if (value[i] <= ' ' || value[i] > '~')
            return false;
    return memcmp(value, "00", 2) != 0 && value[JOB_TRACEPARENT_MIN] == '-';
}

/* --- tracestate --- */

struct key {
    const char *s;
    size_t len;
};

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* simple: a letter first; TENANT@SYSTEM: a letter or digit first, a letter after the '@' of 1 to 14. */
static bool key_is_valid(const struct key *k)
{
    const char *at = memchr(k->s, '@', k->len);
    size_t tenant = at ? (size_t)(at - k->s) : k->len;
    size_t system = at ? k->len - tenant - 1 : 0;

    if (tenant == 0 || tenant > (at ? 241U : (size_t)KEY_MAX) ||
        (!is_lower(k->s[0]) && !(at && is_digit(k->s[0]))))
        return false;
    if (at && (system == 0 || system > 14 || !is_lower(at[1])))
        return false;
    for (size_t i = 0; i < k->len; i++)
        if (k->s + i != at && !is_lower(k->s[i]) && !is_digit(k->s[i]) &&
            !strchr("_-*/", k->s[i]))
            return false;
    return true;
}

/* Printable ASCII but for ',' and '='. */
static bool value_is_valid(const char *s, size_t len)
{
    if (len == 0 || len > VALUE_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (s[i] < ' ' || s[i] > '~' || s[i] == '=')
            return false;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A member without the blanks around it, and its key among those before. */
static bool member_is_valid(const char *s, size_t len, struct key *keys, size_t count)
{
    const char *equals = memchr(s, '=', len);
    struct key k = {s, equals ? (size_t)(equals - s) : 0};

    if (!equals || !key_is_valid(&k) || !value_is_valid(equals + 1, len - k.len - 1))
        return false;
    for (size_t i = 0; i < count; i++)
        if (keys[i].len == k.len && memcmp(keys[i].s, k.s, k.len) == 0)
            return false;
    keys[count] = k;
    return true;
}

bool trace_state_is_valid(const char *value)
{
    struct key keys[TRACE_MEMBERS_MAX];
    size_t count = 0, members = 0;

    if (strlen(value) > JOB_TRACESTATE_MAX)
        return false;
    for (const char *s = value;; s++) {
        size_t len = strcspn(s, ","), from = 0, to = len;
        while (from < to && is_blank(s[from]))
            from++;
        while (to > from && is_blank(s[to - 1]))
            to--;
        if (++members > TRACE_MEMBERS_MAX)
            return false;
        if (to > from && !member_is_valid(s + from, to - from, keys, count++))
            return false;
        s += len;
        if (*s == '\0')
            return count > 0;
    }
}
