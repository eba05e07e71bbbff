#include "worker/keys/keys.h"

#include "shared/clock.h"
#include "worker/s3/s3_xml.h"

#include <string.h>

enum {
    KEYS_DEPTH = 4, /* …Response, …Result, Credentials, and in it the keys */
    ERROR_DEPTH = 3 /* ErrorResponse, Error, Code */
};

/* What is read, before it is known whether all of it came. */
struct sts {
    struct keys keys;
    char expiration[64], code[64], message[200];
    struct s3_xml_span path[KEYS_DEPTH + 1]; /* elements we are in, by depth */
    bool too_long;
};

static void take(struct sts *s, struct s3_xml_span text, char *ret, size_t size)
{
    if (!s3_xml_copy(text, ret, size))
        s->too_long = true;
}

static void take_key(struct sts *s, struct s3_xml_span name, struct s3_xml_span text)
{
    struct keys *k = &s->keys;

    if (s3_xml_is(name, "AccessKeyId"))
        take(s, text, k->access_key, sizeof k->access_key);
    else if (s3_xml_is(name, "SecretAccessKey"))
        take(s, text, k->secret_key, sizeof k->secret_key);
    else if (s3_xml_is(name, "SessionToken"))
        take(s, text, k->session_token, sizeof k->session_token);
    else if (s3_xml_is(name, "Expiration"))
        take(s, text, s->expiration, sizeof s->expiration);
}

static void take_error(struct sts *s, struct s3_xml_span name, struct s3_xml_span text)
{
    /* What is for people may be cut. */
    if (s3_xml_is(name, "Code"))
        (void)s3_xml_copy(text, s->code, sizeof s->code);
    else if (s3_xml_is(name, "Message"))
        (void)s3_xml_copy(text, s->message, sizeof s->message);
}

static void on_text(size_t depth, struct s3_xml_span name, struct s3_xml_span text,
                    void *ctx)
{
    struct sts *s = ctx;

    if (depth > KEYS_DEPTH)
        return;
    s->path[depth] = name;
    if (depth == KEYS_DEPTH && s3_xml_is(s->path[depth - 1], "Credentials"))
        take_key(s, name, text);
    else if (depth == ERROR_DEPTH && s3_xml_is(s->path[depth - 1], "Error"))
        take_error(s, name, text);
}

static enum err_code judge(const struct sts *s, const struct s3_xml *xml,
                           struct keys *ret, struct err *e)
{
    int64_t expires_ms;

    if (strcmp(xml->root, "ErrorResponse") == 0)
        return err_set(e, ERR_REJECT, "STS: %s%s%s", s->code, *s->message ? ": " : "",
                       s->message);
    if (strcmp(xml->root, "AssumeRoleWithWebIdentityResponse") != 0 ||
        !xml->is_complete || s->too_long)
        return err_set(e, ERR_REJECT, "STS: what came is no answer of its");
    if (!clock_parse_rfc3339(s->expiration, strlen(s->expiration), &expires_ms))
        return err_set(e, ERR_REJECT, "STS: Expiration is no time of RFC 3339");
    enum err_code code =
        keys_set(ret, s->keys.access_key, s->keys.secret_key, s->keys.session_token, e);
    if (code == ERR_OK)
        ret->expires_ms = expires_ms;
    return code;
}

enum err_code keys_from_sts(const char *s, size_t len, struct keys *ret, struct err *e)
{
    struct sts found = {.too_long = false};
    struct s3_xml_visitor visitor = {.on_text = on_text, .ctx = &found};
    struct s3_xml xml;
    enum err_code code;

    keys_wipe(ret);
    if (s3_xml_read(s, len, &visitor, &xml))
        code = judge(&found, &xml, ret, e);
    else
        code = err_set(e, ERR_REJECT, "STS: what came is no answer of its");
    explicit_bzero(&found, sizeof found);
    return code;
}
