#include "shared/origin.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

struct text {
    const char *s;
    size_t len;
};

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool is_same(struct text a, struct text b)
{
    return a.len == b.len && strncasecmp(a.s, b.s, a.len) == 0;
}

/* A name or an IPv4 address: labels that are not empty. */
static bool is_name(struct text t)
{
    bool in_label = false;
    for (size_t i = 0; i < t.len; i++) {
        bool dot = t.s[i] == '.';
        if (dot ? !in_label : !is_alnum(t.s[i]) && t.s[i] != '-' && t.s[i] != '_')
            return false;
        in_label = !dot;
    }
    return in_label;
}

static bool is_address(int family, struct text t)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char binary[sizeof(struct in6_addr)];
    if (t.len >= sizeof copy)
        return false;
    memcpy(copy, t.s, t.len);
    copy[t.len] = '\0';
    return inet_pton(family, copy, binary) == 1;
}

static bool is_bracketed(struct text t)
{
    return t.len > 2 && t.s[0] == '[' && t.s[t.len - 1] == ']' &&
           is_address(AF_INET6, (struct text){t.s + 1, t.len - 2});
}

static bool is_host(struct text t)
{
    return is_name(t) || is_bracketed(t);
}

/* ":8080" into *ret; nothing leaves it alone. */
static bool parse_port(struct text t, int *ret)
{
    int port = 0;
    if (t.len == 0)
        return true;
    if (t.len < 2 || t.len > 6 || t.s[0] != ':')
        return false;
    for (size_t i = 1; i < t.len; i++) {
        if (t.s[i] < '0' || t.s[i] > '9')
            return false;
        port = port * 10 + (t.s[i] - '0');
    }
    *ret = port;
    return port >= 1 && port <= 65535;
}

/* Where the port of "host:port" begins, or the end. */
static size_t host_length(struct text t)
{
    const char *colon;
    if (t.len > 0 && t.s[0] == '[') {
        const char *end = memchr(t.s, ']', t.len);
        return end ? (size_t)(end - t.s) + 1 : t.len;
    }
    colon = memchr(t.s, ':', t.len);
    return colon ? (size_t)(colon - t.s) : t.len;
}

/* The same with "*." in front of the host allowed. */
static bool parse(struct text t, bool wild_allowed, struct origin *ret, bool *ret_wild)
{
    static const char http[] = "http://", https[] = "https://";
    struct origin o = {.is_https = false};
    size_t skip;
    if (t.len > ORIGIN_MAX)
        return false;
    o.is_https =
        t.len >= sizeof https - 1 && is_same((struct text){t.s, sizeof https - 1},
                                             (struct text){https, sizeof https - 1});
    skip = o.is_https ? sizeof https - 1 : sizeof http - 1;
    if (!o.is_https &&
        (t.len < skip || !is_same((struct text){t.s, skip}, (struct text){http, skip})))
        return false;
    struct text rest = {t.s + skip, t.len - skip};
    *ret_wild = wild_allowed && rest.len > 2 && memcmp(rest.s, "*.", 2) == 0;
    if (*ret_wild)
        rest = (struct text){rest.s + 2, rest.len - 2};
    o.host = rest.s;
    o.host_len = host_length(rest);
    o.port = o.is_https ? HTTPS_PORT : HTTP_PORT;
    if (!is_host((struct text){o.host, o.host_len}) ||
        !parse_port((struct text){rest.s + o.host_len, rest.len - o.host_len}, &o.port))
        return false;
    *ret = o;
    return true;
}

bool origin_parse(const char *s, size_t len, struct origin *ret)
{
    bool wild;
    return parse((struct text){s, len}, false, ret, &wild);
}

/* --- Lists --- */

/* The entry that begins at *list, which then stands behind it, blanks around it dropped.  False: there is none any more. */
static bool next_entry(const char **list, struct text *ret)
{
    *list += strspn(*list, ", \t");
    ret->s = *list;
    ret->len = strcspn(*list, ",");
    *list += ret->len;
    while (ret->len > 0 &&
           (ret->s[ret->len - 1] == ' ' || ret->s[ret->len - 1] == '\t'))
        ret->len--;
    return ret->len > 0;
}

static bool has_dot(const char *host, size_t len)
{
    return memchr(host, '.', len) != NULL;
}

static bool is_listable(struct text entry)
{
    struct origin o;
    bool wild;
    return parse(entry, true, &o, &wild) &&
           (!wild || (has_dot(o.host, o.host_len) && o.host[0] != '['));
}

static bool is_listable_host(struct text entry)
{
    bool wild = entry.len > 2 && memcmp(entry.s, "*.", 2) == 0;
    if (!wild)
        return is_host(entry);
    entry = (struct text){entry.s + 2, entry.len - 2};
    return is_name(entry) && has_dot(entry.s, entry.len);
}

static enum err_code check(const char *list, bool (*is_good)(struct text),
                           const char *wanted, struct err *e)
{
    struct text entry;
    size_t count = 0;
    while (next_entry(&list, &entry)) {
        if (!is_good(entry))
            return err_set(e, ERR_CONFIG, "'%.*s' is not %s",
                           entry.len < 60 ? (int)entry.len : 60, entry.s, wanted);
        if (++count > ORIGIN_LIST_MAX)
            return err_set(e, ERR_CONFIG, "more than %d are not allowed",
                           ORIGIN_LIST_MAX);
    }
    return ERR_OK;
}

enum err_code origin_check_list(const char *list, struct err *e)
{
    return check(list, is_listable,
                 "http://HOST[:PORT] or https://HOST[:PORT], without a path, HOST a "
                 "name, an address, or *.DOMAIN.TLD",
                 e);
}

enum err_code origin_check_hosts(const char *list, struct err *e)
{
    return check(list, is_listable_host,
                 "the name or address of a host, or *.DOMAIN.TLD, without a port", e);
}

/* host is below domain: at least one label more. */
static bool is_below(struct text host, struct text domain)
{
    if (host.len < domain.len + 2)
        return false;
    size_t at = host.len - domain.len;
    return host.s[at - 1] == '.' &&
           is_same((struct text){host.s + at, domain.len}, domain);
}

bool origin_is_listed(const char *list, const char *origin)
{
    struct text entry;
    struct origin o, of_list;
    bool wild;
    if (!origin_parse(origin, strnlen(origin, ORIGIN_MAX + 1), &o))
        return false;
    struct text host = {o.host, o.host_len};
    while (next_entry(&list, &entry)) {
        if (!parse(entry, true, &of_list, &wild) || of_list.is_https != o.is_https ||
            of_list.port != o.port)
            continue;
        struct text listed = {of_list.host, of_list.host_len};
        if (wild ? is_below(host, listed) : is_same(host, listed))
            return true;
    }
    return false;
}

/* --- The service's own name --- */

static struct text without_port(const char *host)
{
    struct text t = {host, strnlen(host, ORIGIN_MAX + 1)};
    size_t len = host_length(t);
    int port;
    if (t.len > ORIGIN_MAX || !parse_port((struct text){t.s + len, t.len - len}, &port))
        return (struct text){host, 0};
    return (struct text){host, len};
}

bool origin_is_own(const char *origin, const char *host, bool over_https)
{
    struct origin o;
    struct text name = without_port(host);
    if (!origin_parse(origin, strnlen(origin, ORIGIN_MAX + 1), &o) ||
        (over_https && !o.is_https))
        return false;
    int port = o.is_https ? HTTPS_PORT : HTTP_PORT; /* where Host names none */
    (void)parse_port((struct text){name.s + name.len, strlen(name.s) - name.len},
                     &port);
    return is_same(name, (struct text){o.host, o.host_len}) && port == o.port;
}

bool origin_host_is_literal(const char *host)
{
    static const char local[] = "localhost";
    const struct text localhost = {local, sizeof local - 1};
    struct text name = without_port(host);
    return is_same(name, localhost) || (is_name(name) && is_below(name, localhost)) ||
           is_address(AF_INET, name) || is_bracketed(name);
}

bool origin_host_is_listed(const char *list, const char *host)
{
    struct text entry, name = without_port(host);
    if (!is_host(name))
        return false;
    while (next_entry(&list, &entry)) {
        bool wild = entry.len > 2 && memcmp(entry.s, "*.", 2) == 0;
        if (wild ? is_below(name, (struct text){entry.s + 2, entry.len - 2})
                 : is_same(name, entry))
            return true;
    }
    return false;
}
