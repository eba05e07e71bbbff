#include "shared/config_url.h"

#include "shared/job.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKET_MIN = 3, BUCKET_MAX = 63, HOST_MAX = 253, PORT_DIGITS = 5 };

static const char lower_or_digit[] = "abcdefghijklmnopqrstuvwxyz0123456789";

/* The text after the prefix, or NULL where s does not start with it. */
static const char *skip(const char *s, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(s, prefix, len) == 0 ? s + len : NULL;
}

static bool is_bucket(const char *s, size_t len)
{
    if (len < BUCKET_MIN || len > BUCKET_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool inner = i > 0 && i < len - 1 && s[i - 1] != '.';
        if (!strchr(lower_or_digit, s[i]) && !(inner && (s[i] == '.' || s[i] == '-')))
            return false;
    }
    return true;
}

static enum err_code parse_s3(const char *rest, struct config_target *t, struct err *e)
{
    size_t bucket_len = strcspn(rest, "/");
    const char *prefix = rest + bucket_len;

    if (!is_bucket(rest, bucket_len))
        return err_set(
            e, ERR_CONFIG,
            "the bucket '%.*s' is not 3 to 63 of a-z, 0-9, '.' and '-', with a "
            "letter or digit at its ends and after a '.'",
            (int)(bucket_len < 80 ? bucket_len : 80), rest);
    while (*prefix == '/')
        prefix++;
    size_t prefix_len = strlen(prefix);
    while (prefix_len > 0 && prefix[prefix_len - 1] == '/')
        prefix_len--;
    if (prefix_len > CONFIG_PREFIX_MAX ||
        (prefix_len > 0 && !job_key_is_safe(prefix, prefix_len)))
        return err_set(e, ERR_CONFIG,
                       "the prefix '%.60s' is not up to %d bytes of A-Z a-z 0-9 "
                       "/_.=+@,()!'- and blanks without empty, '.' or '..' segments",
                       prefix, CONFIG_PREFIX_MAX);
    t->bucket = strndup(rest, bucket_len);
    t->prefix = strndup(prefix, prefix_len);
    if (t->bucket && t->prefix)
        return ERR_OK;
    free(t->bucket);
    free(t->prefix);
    return err_set(e, ERR_NOMEM, "out of memory");
}

static enum err_code parse_file(const char *rest, struct config_target *t,
                                struct err *e)
{
    size_t len = strlen(rest);

    if (*rest != '/')
        return err_set(e, ERR_CONFIG,
                       "'file://%.60s' is not file:///DIR with an absolute path", rest);
    while (len > 1 && rest[len - 1] == '/')
        len--;
    t->dir = strndup(rest, len);
    return t->dir ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

static bool is_port(const char *s, size_t len)
{
    long port = 0;

    if (len == 0 || len > PORT_DIGITS)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        port = port * 10 + (s[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

/* What follows http(s)://host[:port] in url, or NULL. */
static const char *skip_endpoint(const char *url)
{
    static const char host_bytes[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        "0123456789.-_";
    const char *host = skip(url, "https://");
    size_t len;

    if (!host)
        host = skip(url, "http://");
    if (!host)
        return NULL;
    if (*host == '[') {
        len = 1 + strspn(host + 1, "0123456789abcdefABCDEF:.");
        if (len < 3 || host[len] != ']')
            return NULL;
        len++;
    } else {
        len = strspn(host, host_bytes);
    }
    if (len == 0 || len > HOST_MAX)
        return NULL;
    const char *rest = host + len;
    if (*rest != ':')
        return rest;
    len = strcspn(rest + 1, "/");
    return is_port(rest + 1, len) ? rest + 1 + len : NULL;
}

bool config_url_is_endpoint(const char *url)
{
    const char *rest = skip_endpoint(url);

    return rest && *rest == '\0';
}

/* A path as it travels: RFC 3986, section 3.3, absolute or empty, no "." or ".." segment. */
static bool is_path(const char *s)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    static const char bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~!$&'()*+,;=:@/";

    if (strlen(s) > CONFIG_PATH_MAX || (*s != '/' && *s != '\0'))
        return false;
    for (const char *p = s; *p; p++) {
        size_t dots = *p == '/' ? strspn(p + 1, ".") : 0;
        if ((dots == 1 || dots == 2) && (p[1 + dots] == '/' || p[1 + dots] == '\0'))
            return false;
        if (*p == '%' && !(p[1] && strchr(hex, p[1]) && p[2] && strchr(hex, p[2])))
            return false;
        if (*p != '%' && !strchr(bytes, *p))
            return false;
    }
    return true;
}

static enum err_code parse_http(const char *url, struct config_target *t, struct err *e)
{
    const char *path = skip_endpoint(url);
    size_t len = strlen(url);

    if (!path || !is_path(path))
        return err_set(e, ERR_CONFIG,
                       "'%.60s' is not http(s)://HOST[:PORT][/PATH] without user, "
                       "query or fragment, the path percent-encoded and up to %d bytes",
                       url, CONFIG_PATH_MAX);
    while (url[len - 1] == '/') /* it ends at the host */
        len--;
    t->base = strndup(url, len);
    return t->base ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

static enum err_code parse_command(const char *name, struct config_target *t,
                                   struct err *e)
{
    if (!id_is_queue(name, strlen(name)))
        return err_set(e, ERR_CONFIG, "'command:%.60s' does not name a command", name);
    t->command = strdup(name);
    return t->command ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

enum err_code config_url_parse(const char *url, struct config_target *ret_target,
                               struct err *e)
{
    static const struct {
        const char *head;
        bool is_whole; /* parsed with its head */
        enum config_scheme scheme;
        enum err_code (*parse)(const char *rest, struct config_target *t,
                               struct err *e);
    } forms[] = {{"file://", false, CONFIG_FILE, parse_file},
                 {"s3://", false, CONFIG_S3, parse_s3},
                 {"http://", true, CONFIG_HTTP, parse_http},
                 {"https://", true, CONFIG_HTTP, parse_http},
                 {"command:", false, CONFIG_COMMAND, parse_command}};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct config_target t = {.scheme = forms[i].scheme};
        const char *rest = skip(url, forms[i].head);
        if (!rest)
            continue;
        if (forms[i].parse(forms[i].is_whole ? url : rest, &t, e) != ERR_OK)
            return e->code;
        *ret_target = t;
        return ERR_OK;
    }
    return err_set(e, ERR_CONFIG,
                   "'%.60s' is not file:///DIR, s3://BUCKET[/PREFIX], "
                   "http(s)://HOST[/PATH] or command:NAME",
                   url);
}

bool config_url_is_redis(const char *url)
{
    const char *rest = skip(url, "unix://");

    if (rest)
        return rest[0] == '/' && rest[1] != '\0' && rest[1] != '?';
    rest = skip(url, "redis://");
    if (!rest)
        return false;
    const char *at = strrchr(rest, '@');
    const char *host = at ? at + 1 : rest;
    return *host != '\0' && *host != ':' && *host != '/';
}

bool config_url_find_secret(const char *url, size_t *ret_start, size_t *ret_len)
{
    const char *rest = skip(url, "redis://");
    const char *at = rest ? strrchr(rest, '@') : NULL;

    if (!at)
        return false;
    *ret_start = (size_t)(rest - url);
    *ret_len = (size_t)(at - rest);
    return true;
}
