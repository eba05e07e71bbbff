#include "fcgi-app/auth/policy.h"

#include "shared/cleanup.h"
#include "shared/job_key.h"
#include "shared/media_type.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char version[] = "v1.";

enum { NUMBER_BITS = 53 }; /* that every reader of JSON keeps */

void policy_init(struct policy *p)
{
    *p = (struct policy){.max_files = 1};
    p->types = p->key_prefix = p->nonce = "";
    buf_init(&p->text, 2 * POLICY_JSON_MAX);
}

void policy_release(struct policy *p)
{
    buf_release(&p->text);
}

/* --- The text --- */

bool policy_split(const char *s, size_t len, struct policy_parts *ret)
{
    size_t prefix = sizeof version - 1;
    if (len <= prefix || len > POLICY_TEXT_MAX || memcmp(s, version, prefix) != 0)
        return false;
    const char *end = s + len, *name = s + prefix;
    const char *dot = memchr(name, '.', (size_t)(end - name));
    if (!dot || dot == name || dot - name > CONFIG_NAME_MAX)
        return false;
    const char *last = memchr(dot + 1, '.', (size_t)(end - dot - 1));
    if (!last)
        return false;
    memset(ret, 0, sizeof *ret);
    memcpy(ret->name, name, (size_t)(dot - name));
    ret->json = dot + 1;
    ret->json_len = (size_t)(last - ret->json);
    ret->signed_len = (size_t)(last - s);
    ret->mac = last + 1;
    ret->mac_len = (size_t)(end - ret->mac);
    return true;
}

/* base64url without padding, into size bytes. */
static bool decode_url(const char *s, size_t len, void *ret, size_t size,
                       size_t *ret_len)
{
    char text[DIGEST_BASE64_SIZE(POLICY_JSON_MAX)];
    if (len + 4 > sizeof text || len % 4 == 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '+' || s[i] == '/' || s[i] == '=')
            return false;
        text[i] = s[i];
        if (s[i] == '-')
            text[i] = '+';
        if (s[i] == '_')
            text[i] = '/';
    }
    while (len % 4 != 0)
        text[len++] = '=';
    return digest_base64_decode(text, len, ret, size, ret_len);
}

static bool add_url(const void *data, size_t len, struct buf *b)
{
    size_t start = b->len, size = DIGEST_BASE64_SIZE(len);
    char *to = buf_reserve(b, size);
    if (!to || !digest_base64_encode(data, len, to, size))
        return false;
    buf_added(b, size - 1);
    while (b->len > start && b->data[b->len - 1] == '=')
        b->len--;
    b->data[b->len] = '\0';
    for (char *c = b->data + start; *c; c++) {
        if (*c == '+')
            *c = '-';
        if (*c == '/')
            *c = '_';
    }
    return true;
}

/* Both keys are tried whatever the first one says. */
static bool is_genuine(const char *s, const struct policy_parts *parts,
                       const struct policy_keys *keys, struct err *e)
{
    uint8_t given[DIGEST_SHA256_BYTES], mac[DIGEST_SHA256_BYTES];
    size_t len = 0;
    bool good = false;
    if (!decode_url(parts->mac, parts->mac_len, given, sizeof given, &len) ||
        len != sizeof given)
        return false;
    for (size_t i = 0; i < sizeof keys->keys / sizeof keys->keys[0]; i++) {
        struct digest_span text = {s, parts->signed_len};
        if (keys->keys[i].len == 0)
            continue;
        if (digest_hmac_sha256(keys->keys[i], text, mac, e))
            return false;
        good |= digest_is_equal(mac, given, sizeof mac);
    }
    return good;
}

/* --- What it says --- */

static enum problem wrong(struct err *e, const char *member, const char *allowed)
{
    return problem_set(e, PROBLEM_BAD_VALUE, "policy: %.64s: %s", member, allowed);
}

/* What stays in p->text; its memory was reserved. */
static const char *keep(struct policy *p, const char *s)
{
    const char *at = p->text.data + p->text.len;
    buf_add(&p->text, s, strlen(s) + 1);
    return at;
}

static enum problem take_number(const struct json_member *m, int64_t min, int64_t *ret,
                                struct err *e)
{
    int64_t n;
    if (!json_member_int(m, INT64_C(1) << NUMBER_BITS, &n) || n < min)
        return wrong(e, m->name, "a whole number is wanted");
    *ret = n;
    return PROBLEM_NONE;
}

static bool is_nonce(const char *s)
{
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-_";
    size_t len = strlen(s);
    return len >= 8 && len <= 64 && s[strspn(s, chars)] == '\0';
}

/* The beginning of a key: with a name behind it it is one. */
static bool is_key_prefix(const char *s)
{
    char key[JOB_KEY_MAX + 1];
    size_t len = strlen(s);
    if (len == 0 || len + ID_UUID_LEN > JOB_KEY_MAX)
        return false;
    memcpy(key, s, len + 1);
    key[len] = 'x';
    key[len + 1] = '\0';
    return job_key_is_safe(key, len + 1);
}

static enum problem take_text(struct policy *p, const struct json_member *m,
                              bool (*is_good)(const char *), const char *wanted,
                              const char **ret, struct err *e)
{
    if (m->type != JSON_TEXT || !is_good(m->text))
        return wrong(e, m->name, wanted);
    *ret = keep(p, m->text);
    return PROBLEM_NONE;
}

static bool is_types(const char *s)
{
    return *s && media_type_is_list(s);
}

/* A limit; *ret_known is false where it is none. */
static enum problem take_limit(struct policy *p, const struct json_member *m,
                               bool *ret_known, struct err *e)
{
    *ret_known = true;
    if (strcmp(m->name, "expires") == 0)
        return take_number(m, 1, &p->expires, e);
    if (strcmp(m->name, "min_bytes") == 0)
        return take_number(m, 0, &p->min_bytes, e);
    if (strcmp(m->name, "max_bytes") == 0)
        return take_number(m, 1, &p->max_bytes, e);
    if (strcmp(m->name, "max_files") == 0)
        return take_number(m, 1, &p->max_files, e);
    if (strcmp(m->name, "types") == 0)
        return take_text(p, m, is_types,
                         "types of files with commas are wanted, image/* for all of a "
                         "kind",
                         &p->types, e);
    if (strcmp(m->name, "key_prefix") == 0)
        return take_text(p, m, is_key_prefix, "the beginning of a key is wanted",
                         &p->key_prefix, e);
    if (strcmp(m->name, "nonce") == 0)
        return take_text(p, m, is_nonce,
                         "8 to 64 characters of A-Z a-z 0-9 - _ are wanted", &p->nonce,
                         e);
    *ret_known = false;
    return PROBLEM_NONE;
}

static enum problem take_option(struct policy *p, const struct json_member *m,
                                struct err *e)
{
    if (m->type != JSON_TEXT && m->type != JSON_NUMBER)
        return wrong(e, m->name, "a text or a number is wanted");
    if (strcmp(m->name, "name") == 0 || strcmp(m->name, "policy") == 0)
        return wrong(e, m->name, "not in a policy");
    if (p->option_count == POLICY_OPTIONS_MAX)
        return wrong(e, m->name, "one option too many");
    const char *name = keep(p, m->name);
    p->options[p->option_count++] = (struct policy_option){name, keep(p, m->text)};
    return PROBLEM_NONE;
}

static enum problem check_all(const struct policy *p, int64_t now, struct err *e)
{
    if (p->expires == 0)
        return wrong(e, "expires", "is missing: seconds since 1970 are wanted");
    if (p->expires - now > POLICY_LIFE_MAX)
        return wrong(e, "expires", "is more than 7 days ahead");
    if (p->max_bytes > 0 && p->min_bytes > p->max_bytes)
        return wrong(e, "min_bytes", "is more than max_bytes");
    for (size_t i = 0; i < p->option_count; i++)
        if (*p->key_prefix && strcmp(p->options[i].name, "key") == 0)
            return wrong(e, "key_prefix", "not together with key");
    return PROBLEM_NONE;
}

enum problem policy_read(struct policy *p, const struct json_flat *j, int64_t now,
                         struct err *e)
{
    size_t bytes = 0;
    p->expires = p->min_bytes = p->max_bytes = 0;
    p->max_files = 1;
    p->types = p->key_prefix = p->nonce = "";
    p->option_count = 0;
    buf_clear(&p->text);
    for (size_t i = 0; i < j->count; i++)
        bytes += strlen(j->members[i].name) + strlen(j->members[i].text) + 2;
    if (!buf_reserve(&p->text, bytes)) /* it must not move any more */
        return p->text.starved ? problem_set(e, PROBLEM_INTERNAL, "out of memory")
                               : wrong(e, "its object", "is too long");
    for (size_t i = 0; i < j->count; i++) {
        bool known;
        enum problem problem = take_limit(p, &j->members[i], &known, e);
        if (!problem && !known)
            problem = take_option(p, &j->members[i], e);
        if (problem)
            return problem;
    }
    return check_all(p, now, e);
}

static enum problem not_valid(struct err *e)
{
    return problem_set(e, PROBLEM_POLICY, "the policy is not valid");
}

static enum problem set_id(struct policy *p, const char *s, size_t len, struct err *e)
{
    char hex[DIGEST_SHA256_HEX + 1];
    if (digest_sha256_hex(s, len, hex, e))
        return PROBLEM_INTERNAL;
    memcpy(p->id, hex, POLICY_ID_LEN);
    p->id[POLICY_ID_LEN] = '\0';
    return PROBLEM_NONE;
}

enum problem policy_open(struct policy *p, const char *s,
                         const struct policy_parts *parts,
                         const struct policy_keys *keys, int64_t now, struct err *e)
{
    char json[POLICY_JSON_MAX];
    struct json_flat object;
    struct err why = ERR_INIT;
    size_t len;
    if (!is_genuine(s, parts, keys, &why))
        return why.code ? problem_set(e, PROBLEM_INTERNAL, "%s", why.text)
                        : not_valid(e);
    if (!decode_url(parts->json, parts->json_len, json, sizeof json, &len))
        return problem_set(e, PROBLEM_POLICY, "policy: its object is not base64url");
    if (json_flat_parse(json, len, &object, e))
        return PROBLEM_POLICY;
    enum problem problem = policy_read(p, &object, now, e);
    if (problem)
        return problem == PROBLEM_INTERNAL ? problem : PROBLEM_POLICY;
    if (p->expires <= now)
        return problem_set(e, PROBLEM_POLICY, "the policy has expired");
    /* Not of the signature: of one policy there is one id, however it is written. */
    return set_id(p, s, parts->signed_len, e);
}

bool policy_sign(const char *name, const char *json, struct digest_span key,
                 struct buf *b)
{
    uint8_t mac[DIGEST_SHA256_BYTES];
    struct err e = ERR_INIT;
    size_t start = b->len;
    buf_puts_all(b, (const char *const[]){version, name, ".", NULL});
    if (!add_url(json, strlen(json), b) ||
        digest_hmac_sha256(key, (struct digest_span){b->data + start, b->len - start},
                           mac, &e))
        return false;
    buf_putc(b, '.');
    return add_url(mac, sizeof mac, b) && !b->failed &&
           b->len - start <= POLICY_TEXT_MAX;
}

/* --- What it allows --- */

static bool is(const struct request_text *t, const char *s)
{
    return t->len == strlen(s) && memcmp(t->s, s, t->len) == 0;
}

static bool is_free(const struct policy *p, const struct request_text *name,
                    const struct request_text *value)
{
    size_t prefix = strlen(p->key_prefix);
    if (is(name, "key"))
        return prefix > 0 && value->len > prefix &&
               memcmp(value->s, p->key_prefix, prefix) == 0;
    return is(name, "name") || is(name, "sha256") ||
           (name->len > 5 && memcmp(name->s, "meta.", 5) == 0);
}

enum problem policy_check_option(const struct policy *p,
                                 const struct request_text *name,
                                 const struct request_text *value, bool *ret_skip,
                                 struct err *e)
{
    *ret_skip = false;
    for (size_t i = 0; i < p->option_count; i++) {
        if (!is(name, p->options[i].name))
            continue;
        *ret_skip = is(value, p->options[i].value);
        return *ret_skip ? PROBLEM_NONE
                         : problem_set(e, PROBLEM_POLICY,
                                       "%s: the policy says something else",
                                       p->options[i].name);
    }
    if (is_free(p, name, value))
        return PROBLEM_NONE;
    return problem_set(e, PROBLEM_POLICY, "%.*s: not allowed by the policy",
                       name->len < 64 ? (int)name->len : 64, name->s);
}

enum problem policy_check_file(const struct policy *p, size_t count, const char *type,
                               int64_t bytes, struct err *e)
{
    if ((int64_t)count >= p->max_files)
        return problem_set(e, PROBLEM_POLICY,
                           "the policy allows %" PRId64 " file%s in a request",
                           p->max_files, p->max_files > 1 ? "s" : "");
    if (p->max_bytes > 0 && bytes > p->max_bytes)
        return problem_set(e, PROBLEM_TOO_LARGE,
                           "the file is larger than the %" PRId64
                           " bytes its policy allows",
                           p->max_bytes);
    if (bytes >= 0 && bytes < p->min_bytes)
        return policy_check_size(p, bytes, e);
    if (*p->types && !media_type_is_listed(p->types, type, strlen(type)))
        return *type ? problem_set(e, PROBLEM_TYPE,
                                   "'%.64s' is not one of the types its policy "
                                   "allows: %.100s",
                                   type, p->types)
                     : problem_set(e, PROBLEM_TYPE,
                                   "the file has no Content-Type; its policy allows: "
                                   "%.100s",
                                   p->types);
    return PROBLEM_NONE;
}

enum problem policy_check_size(const struct policy *p, int64_t bytes, struct err *e)
{
    if (bytes >= p->min_bytes)
        return PROBLEM_NONE;
    return problem_set(e, PROBLEM_POLICY,
                       "a file has %" PRId64
                       " bytes, its policy wants at least %" PRId64,
                       bytes, p->min_bytes);
}
