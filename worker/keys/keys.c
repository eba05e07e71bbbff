#include "worker/keys/keys.h"

#include "shared/clock.h"
#include "shared/json_flat.h"

#include <string.h>

enum { CODE_SIZE = 64, MESSAGE_SIZE = 200, TIME_SIZE = 64 };

void keys_wipe(struct keys *k)
{
    explicit_bzero(k, sizeof *k);
}

static bool is_visible(const char *s)
{
    for (; *s; s++)
        if (*s < 0x21 || *s > 0x7e)
            return false;
    return true;
}

/* One of the three into ret, which has size bytes. */
static enum err_code set_one(char *ret, size_t size, const char *text, const char *what,
                             struct err *e)
{
    size_t len = text ? strlen(text) : 0;

    if (len >= size)
        return err_set(e, ERR_REJECT, "the %s has more than %zu bytes", what, size - 1);
    if (text && !is_visible(text))
        return err_set(e, ERR_REJECT, "the %s has other bytes than visible ASCII",
                       what);
    if (text)
        memcpy(ret, text, len);
    ret[len] = '\0';
    return ERR_OK;
}

enum err_code keys_set(struct keys *ret, const char *access_key, const char *secret_key,
                       const char *session_token, struct err *e)
{
    keys_wipe(ret);
    ret->expires_ms = KEYS_FOREVER;
    enum err_code code =
        set_one(ret->access_key, sizeof ret->access_key, access_key, "access key", e);
    if (code == ERR_OK)
        code = set_one(ret->secret_key, sizeof ret->secret_key, secret_key,
                       "secret key", e);
    if (code == ERR_OK)
        code = set_one(ret->session_token, sizeof ret->session_token, session_token,
                       "session token", e);
    if (code == ERR_OK && (!*ret->access_key || strchr(ret->access_key, ',')))
        code = err_set(e, ERR_REJECT, "there is no access key");
    if (code == ERR_OK && !*ret->secret_key)
        code = err_set(e, ERR_REJECT, "there is no secret key");
    if (code != ERR_OK)
        keys_wipe(ret);
    return code;
}

/* What an answer holds, before it is known to be keys. */
struct answer {
    char access_key[SIGV4_NAME_MAX + 1], secret_key[SIGV4_NAME_MAX + 1];
    char token[SIGV4_TOKEN_MAX + 1];
    char expiration[TIME_SIZE], code[CODE_SIZE], message[MESSAGE_SIZE];
};

static enum err_code judge(const struct answer *a, struct keys *ret, struct err *e)
{
    int64_t expires_ms = KEYS_FOREVER;

    if (*a->code && strcmp(a->code, "Success") != 0)
        return err_set(e, ERR_REJECT, "no keys: %s%s%s", a->code,
                       *a->message ? ": " : "", a->message);
    if (*a->expiration &&
        !clock_parse_rfc3339(a->expiration, strlen(a->expiration), &expires_ms))
        return err_set(e, ERR_REJECT, "Expiration is no time of RFC 3339");
    enum err_code code = keys_set(ret, a->access_key, a->secret_key, a->token, e);
    if (code == ERR_OK)
        ret->expires_ms = expires_ms;
    return code;
}

enum err_code keys_from_json(const char *s, size_t len, struct keys *ret, struct err *e)
{
    struct answer a;
    struct json_text texts[] = {
        {.name = "AccessKeyId", .ret = a.access_key, .size = sizeof a.access_key},
        {.name = "SecretAccessKey", .ret = a.secret_key, .size = sizeof a.secret_key},
        {.name = "Token", .ret = a.token, .size = sizeof a.token},
        {.name = "Expiration", .ret = a.expiration, .size = sizeof a.expiration},
        {.name = "Code", .ret = a.code, .size = sizeof a.code},
        {.name = "Message", .ret = a.message, .size = sizeof a.message},
    };
    enum err_code code =
        json_flat_texts(s, len, texts, sizeof texts / sizeof texts[0], e);

    keys_wipe(ret);
    if (code == ERR_OK)
        code = judge(&a, ret, e);
    explicit_bzero(&a, sizeof a);
    return code;
}
