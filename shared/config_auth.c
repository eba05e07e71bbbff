/* [auth NAME]: what its lists and tokens say, taken apart. */
#include "shared/config_load.h"

#include "shared/digest.h"

#include <stdlib.h>
#include <string.h>

enum { TOKEN_MIN = 32, POLICY_KEY_MIN = 32 };

static const char hash_prefix[] = "sha256:";
static const char separators[] = ", \t";

struct auth {
    const struct config_load *load;
    struct config_where where;
    struct config_auth *a;
};

static enum err_code blame(const struct auth *t, const char *key, struct err *e)
{
    return config_blame(t->load, t->where, key, e);
}

/* --- Tokens --- */

bool config_token_is_well_formed(const char *s, size_t len)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789-._~+/";
    size_t i = 0;

    while (i < len && s[i] && strchr(allowed, s[i]))
        i++;
    if (i == 0 || len > CONFIG_TOKEN_MAX)
        return false;
    while (i < len && s[i] == '=')
        i++;
    return i == len;
}

/* "sha256:HEX". */
static bool take_hash(struct config_auth *a, const char *text)
{
    size_t prefix = sizeof hash_prefix - 1;

    return strncmp(text, hash_prefix, prefix) == 0 &&
           digest_hex_decode(text + prefix, strlen(text + prefix),
                             a->hashes[a->hash_count], sizeof a->hashes[0]);
}

/* A token as it is, out of a file of its own. */
static enum err_code hash_token(struct config_auth *a, const char *token, struct err *e)
{
    char hex[DIGEST_SHA256_HEX + 1];
    size_t len = strlen(token);

    if (len < TOKEN_MIN || !config_token_is_well_formed(token, len))
        return err_set(e, ERR_CONFIG,
                       "is neither a token of %d to %d characters out of A-Z a-z 0-9 "
                       "- . _ ~ + / = nor sha256: and 64 hex digits: hoist-fcgi "
                       "--new-token makes one",
                       TOKEN_MIN, CONFIG_TOKEN_MAX);
    if (digest_sha256_hex(token, len, hex, e))
        return e->code;
    return digest_hex_decode(hex, DIGEST_SHA256_HEX, a->hashes[a->hash_count],
                             sizeof a->hashes[0])
               ? ERR_OK
               : err_set(e, ERR_CONFIG, "cannot be hashed");
}

struct token {
    const char *key, *file_key;
    char **text;      /* the setting, or what its file holds */
    const char *path; /* of the file */
};

/* What is known of it afterwards is its hash. */
static enum err_code take_token(const struct auth *t, const struct token *k,
                                struct err *e)
{
    struct config_auth *a = t->a;
    bool from_file = *k->path != '\0';

    if (**k->text == '\0')
        return ERR_OK; /* none, or in a file that is not for this program */
    if (!take_hash(a, *k->text)) {
        if (!from_file) {
            err_set(e, ERR_CONFIG,
                    "is not sha256: and 64 hex digits: hoist-fcgi --new-token prints "
                    "the whole line; the token itself goes into %s",
                    k->file_key);
            return blame(t, k->key, e);
        }
        if (hash_token(a, *k->text, e))
            return blame(t, k->file_key, e);
    }
    explicit_bzero(*k->text, strlen(*k->text));
    free(*k->text);
    *k->text = malloc(sizeof hash_prefix + DIGEST_SHA256_HEX);
    if (!*k->text)
        return err_set(e, ERR_NOMEM, "out of memory");
    memcpy(*k->text, hash_prefix, sizeof hash_prefix);
    digest_hex_encode(a->hashes[a->hash_count], sizeof a->hashes[0],
                      *k->text + sizeof hash_prefix - 1);
    a->hash_count++;
    return ERR_OK;
}

static enum err_code take_tokens(const struct auth *t, struct err *e)
{
    struct config_auth *a = t->a;
    const struct token tokens[] = {
        {"token", "token_file", &a->token, a->token_file},
        {"second_token", "second_token_file", &a->second_token, a->second_token_file},
    };

    for (size_t i = 0; i < 2; i++)
        if (take_token(t, &tokens[i], e))
            return e->code;
    if (a->hash_count > 0 || *a->token_file || *a->second_token_file)
        return ERR_OK;
    err_set(e, ERR_CONFIG,
            "is needed, or token_file: hoist-fcgi --new-token makes one");
    return blame(t, "token", e);
}

/* Whose request it is must be clear. */
static enum err_code check_different(const struct auth *t, struct err *e)
{
    const struct config *c = &t->load->config;

    for (size_t i = 0; i <= t->where.index; i++)
        for (size_t k = 0; k < c->auths[i].hash_count; k++)
            for (size_t n = 0; n < t->a->hash_count; n++) {
                bool itself = i == t->where.index && k == n;
                if (itself || memcmp(c->auths[i].hashes[k], t->a->hashes[n],
                                     sizeof t->a->hashes[0]) != 0)
                    continue;
                err_set(e, ERR_CONFIG, "is the same as one of [auth %s]",
                        c->auths[i].name);
                return blame(t, "token", e);
            }
    return ERR_OK;
}

/* --- Keys of policies --- */

static enum err_code check_keys(const struct auth *t, struct err *e)
{
    const struct config_auth *a = t->a;
    const struct {
        const char *key, *file_key, *value, *path;
    } keys[] = {{"policy_key", "policy_key_file", a->policy_key, a->policy_key_file},
                {"second_policy_key", "second_policy_key_file", a->second_policy_key,
                 a->second_policy_key_file}};

    for (size_t i = 0; i < 2; i++) {
        if (*keys[i].value == '\0' || strlen(keys[i].value) >= POLICY_KEY_MIN)
            continue;
        err_set(e, ERR_CONFIG, "has fewer than %d characters: openssl rand -hex 32",
                POLICY_KEY_MIN);
        return blame(t, *keys[i].path ? keys[i].file_key : keys[i].key, e);
    }
    return ERR_OK;
}

/* --- Lists --- */

static enum err_code take_scopes(const struct auth *t, struct err *e)
{
    static const char *const words[] = {"upload", "read", "admin",
                                        "metrics"}; /* bits, in order */
    const size_t count = sizeof words / sizeof words[0];
    const char *at = t->a->scopes;
    size_t len;

    for (at += strspn(at, separators); (len = strcspn(at, separators)) > 0;
         at += len, at += strspn(at, separators)) {
        size_t i = 0;
        while (i < count && (strlen(words[i]) != len || memcmp(words[i], at, len) != 0))
            i++;
        if (i == count) {
            err_set(e, ERR_CONFIG, "'%.*s' is not one of upload, read, admin, metrics",
                    (int)(len < 60 ? len : 60), at);
            return blame(t, "scopes", e);
        }
        t->a->scope_bits |= 1U << i;
    }
    if (t->a->scope_bits & CONFIG_SCOPE_ADMIN)
        t->a->scope_bits |= CONFIG_SCOPE_UPLOAD | CONFIG_SCOPE_READ;
    if (t->a->scope_bits)
        return ERR_OK;
    err_set(e, ERR_CONFIG, "is empty: upload, read, admin and metrics are allowed");
    return blame(t, "scopes", e);
}

/* Names of sections of a kind, or *, as the bits of their places. */
static enum err_code take_names(const struct auth *t, const char *key,
                                enum config_kind kind, const char *list, uint64_t *ret,
                                struct err *e)
{
    const struct config *c = &t->load->config;
    size_t len, count = config_section_count(c, kind);

    *ret = strcmp(list, "*") == 0 ? UINT64_MAX : 0;
    for (list += strspn(list, separators);
         *ret != UINT64_MAX && (len = strcspn(list, separators)) > 0;
         list += len, list += strspn(list, separators)) {
        size_t i = 0;
        for (; i < count; i++) {
            const char *name = config_section_name(c, kind, i);
            if (strlen(name) == len && memcmp(name, list, len) == 0)
                break;
        }
        if (i == count) {
            err_set(e, ERR_CONFIG, "there is no [%s %.*s]", config_kind_name(kind),
                    (int)(len < 60 ? len : 60), list);
            return blame(t, key, e);
        }
        *ret |= UINT64_C(1) << i;
    }
    if (*ret)
        return ERR_OK;
    err_set(e, ERR_CONFIG, "is empty: names with commas, or *, are allowed");
    return blame(t, key, e);
}
_Static_assert(CONFIG_QUEUES_MAX <= 64 && CONFIG_DESTINATIONS_MAX <= 64,
               "one bit each in a set");

enum err_code config_check_auth(struct config_load *l, struct err *e)
{
    for (size_t i = 0; i < l->config.auth_count; i++) {
        struct config_auth *a = &l->config.auths[i];
        const struct auth t = {l, {CONFIG_KIND_AUTH, i}, a};
        if (take_scopes(&t, e) || take_tokens(&t, e) || check_different(&t, e) ||
            check_keys(&t, e) ||
            take_names(&t, "queues", CONFIG_KIND_QUEUE, a->queues, &a->queue_bits, e) ||
            take_names(&t, "destinations", CONFIG_KIND_DESTINATION, a->destinations,
                       &a->destination_bits, e))
            return e->code;
    }
    return ERR_OK;
}
