#include "shared/url.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { LABEL_MAX = 63, PORT_MAX = 65535 };

static const char digits[] = "0123456789";
static const char host_bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789.-_";

static enum err_code wrong(struct err *e, const char *what)
{
    return err_set(e, ERR_REJECT, "url: %s", what);
}

static bool is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

/* A part of the text that is looked at. */
struct piece {
    const char *s;
    size_t len;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static enum err_code check_bytes(const char *s, size_t len, struct err *e)
{
    if (len > URL_MAX)
        return err_set(e, ERR_REJECT, "url: longer than %d bytes", URL_MAX);
    for (size_t i = 0; i < len; i++) {
        if (s[i] <= ' ' || s[i] > '~')
            return wrong(e, "blanks, control characters and what is not ASCII are "
                            "written as %XX");
        if (is_in(s[i], "\\\"<>^`{|}"))
            return err_set(e, ERR_REJECT, "url: %c is written as %%%02X", s[i],
                           (unsigned)s[i]);
    }
    return ERR_OK;
}

/* Takes the scheme off. */
static enum err_code parse_scheme(struct piece *rest, struct url *u, struct err *e)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i]);
        if (rest->len < len || strncasecmp(rest->s, schemes[i], len) != 0)
            continue;
        u->is_https = i == 1;
        u->port = u->is_https ? 443 : 80;
        rest->s += len;
        rest->len -= len;
        return ERR_OK;
    }
    return wrong(e, "http://HOST/... or https://HOST/... is wanted");
}

/* --- the host --- */

/* Whether a resolver might read it as numbers: its last label is one, decimal or 0x... */
static bool looks_like_ipv4(const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *last = dot ? dot + 1 : host;

    if (last[strspn(last, digits)] == '\0')
        return true;
    return last[0] == '0' && last[1] == 'x' &&
           last[2 + strspn(last + 2, "0123456789abcdef")] == '\0';
}

static enum err_code check_labels(const char *host, struct err *e)
{
    size_t len;

    for (const char *at = host;; at += len + 1) {
        len = strcspn(at, ".");
        if (len == 0)
            return wrong(e, "the host has an empty label");
        if (len > LABEL_MAX)
            return wrong(e, "a label of the host is longer than 63 bytes");
        if (at[len] == '\0')
            return ERR_OK;
    }
}

static enum err_code parse_name(struct piece host, struct url *u, struct err *e)
{
    if (host.len > 0 && host.s[host.len - 1] == '.')
        host.len--;
    if (host.len == 0)
        return wrong(e, "it has no host");
    if (host.len > URL_HOST_MAX)
        return wrong(e, "the host is longer than 253 bytes");
    for (size_t i = 0; i < host.len; i++) {
        if (!is_in(host.s[i], host_bytes))
            return wrong(e, "a host is A-Z a-z 0-9 . - and _, or [IPv6]");
        u->host[i] = lower(host.s[i]);
    }
    u->host[host.len] = '\0';
    if (!looks_like_ipv4(u->host))
        return check_labels(u->host, e);
    u->family = URL_IPV4;
    return inet_pton(AF_INET, u->host, u->address) == 1
               ? ERR_OK
               : wrong(e, "an IPv4 address is written as four numbers from 0 to 255");
}

static enum err_code parse_ipv6(struct piece host, struct url *u, struct err *e)
{
    if (host.len >= INET6_ADDRSTRLEN)
        return wrong(e, "that is no IPv6 address");
    for (size_t i = 0; i < host.len; i++)
        u->host[i] = lower(host.s[i]);
    u->host[host.len] = '\0';
    u->family = URL_IPV6;
    return inet_pton(AF_INET6, u->host, u->address) == 1
               ? ERR_OK
               : wrong(e, "that is no IPv6 address");
}

/* --- the authority --- */

/* ":80", or nothing. */
static enum err_code parse_port(struct piece p, struct url *u, struct err *e)
{
    int n = 0;

    if (p.len == 0)
        return ERR_OK;
    for (size_t i = 1; i < p.len && n <= PORT_MAX; i++) {
        if (!is_in(p.s[i], digits))
            return wrong(e, "a port is a number from 1 to 65535");
        n = n * 10 + (p.s[i] - '0');
    }
    if (p.s[0] != ':' || n < 1 || n > PORT_MAX)
        return wrong(e, "a port is a number from 1 to 65535");
    u->port = n;
    return ERR_OK;
}

static enum err_code parse_authority(struct piece a, struct url *u, struct err *e)
{
    size_t at = 0;

    if (memchr(a.s, '@', a.len))
        return wrong(e, "a user or password is not allowed in it");
    if (a.len > 0 && a.s[0] == '[') {
        while (at < a.len && a.s[at] != ']')
            at++;
        if (at == a.len)
            return wrong(e, "that is no IPv6 address");
        if (parse_ipv6((struct piece){a.s + 1, at - 1}, u, e))
            return e->code;
        at++;
    } else {
        while (at < a.len && a.s[at] != ':')
            at++;
        if (parse_name((struct piece){a.s, at}, u, e))
            return e->code;
    }
    return parse_port((struct piece){a.s + at, a.len - at}, u, e);
}

enum err_code url_parse(const char *s, size_t len, struct url *ret, struct err *e)
{
    struct url u = {.port = 0};
    struct piece rest = {s, len};
    size_t end = 0;

    if (check_bytes(s, len, e) || parse_scheme(&rest, &u, e))
        return e->code;
    while (end < rest.len && !is_in(rest.s[end], "/?#"))
        end++;
    if (parse_authority((struct piece){rest.s, end}, &u, e))
        return e->code;
    u.target = rest.s + end;
    u.target_len = rest.len - end;
    *ret = u;
    return ERR_OK;
}

bool url_is_valid(const char *s, size_t len)
{
    struct err e = ERR_INIT;
    struct url u;

    return url_parse(s, len, &u, &e) == ERR_OK;
}

/* --- parts of one that is valid --- */

/* Behind "https://host:port". */
static const char *find_target(const char *s)
{
    const char *authority = strstr(s, "://");

    authority = authority ? authority + 3 : s;
    return authority + strcspn(authority, "/?#");
}

size_t url_shown_len(const char *s)
{
    return strcspn(s, "?#");
}

const char *url_file_name(const char *s, size_t *ret_len)
{
    const char *path = find_target(s), *name = path;
    size_t len = strcspn(path, "?#");

    for (size_t i = 0; i < len; i++)
        if (path[i] == '/')
            name = path + i + 1;
    *ret_len = len - (size_t)(name - path);
    return name;
}

static int hex_value(char c)
{
    static const char hex[] = "0123456789abcdef";
    const char *at = c ? strchr(hex, lower(c)) : NULL;

    return at ? (int)(at - hex) : -1;
}

size_t url_unescape(const char *s, size_t len, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        bool escaped = s[i] == '%' && i + 2 < len && hex_value(s[i + 1]) >= 0 &&
                       hex_value(s[i + 2]) >= 0;
        to[n++] =
            escaped ? (char)(hex_value(s[i + 1]) * 16 + hex_value(s[i + 2])) : s[i];
        i += escaped ? 2 : 0;
    }
    return n;
}

/* --- Location --- */

/* How many bytes of base stand before what location replaces. */
static size_t kept_len(const char *base, const char *location)
{
    const char *target = find_target(base);
    size_t path_len = strcspn(target, "?#");

    if (location[0] == '/' && location[1] == '/')
        return strcspn(base, "/");
    if (location[0] == '/')
        return (size_t)(target - base);
    if (location[0] == '?')
        return (size_t)(target - base) + path_len;
    while (path_len > 0 && target[path_len - 1] != '/')
        path_len--;
    return (size_t)(target - base) + path_len;
}

/* "scheme:" at its start. */
static bool is_absolute(const char *location)
{
    size_t len = strcspn(location, ":/?#");

    return len > 0 && location[len] == ':';
}

enum err_code url_resolve(const char *base, const char *location, struct buf *ret,
                          struct err *e)
{
    bool absolute = is_absolute(location);
    size_t kept = absolute ? 0 : kept_len(base, location);
    size_t len = strcspn(location, "#");
    struct url u;

    buf_clear(ret);
    buf_add(ret, base, kept);
    if (!absolute && !is_in(location[0], "/?") && (kept == 0 || base[kept - 1] != '/'))
        buf_putc(ret, '/');
    buf_add(ret, location, len);
    if (ret->failed)
        return err_set(e, ret->starved ? ERR_NOMEM : ERR_REJECT,
                       "url: the address it leads to is too long");
    return url_parse(ret->data, ret->len, &u, e);
}
