#include "worker/keys/credentials_url.h"

#include <string.h>

enum { ROLE_MAX = 64 };

static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                            "0123456789";

/* Visible ASCII: what may stand in a request line. */
static bool is_visible(const char *s)
{
    for (; *s; s++)
        if (*s < 0x21 || *s > 0x7e)
            return false;
    return true;
}

/* 127.0.0.0/8 in its four numbers, and nothing behind them. */
static bool is_loopback_v4(const char *host, size_t len)
{
    size_t dots = 0;

    if (len < 9 || len > 15 || memcmp(host, "127.", 4) != 0)
        return false;
    for (size_t i = 4; i < len; i++) {
        if (host[i] == '.' && host[i - 1] != '.')
            dots++;
        else if (host[i] < '0' || host[i] > '9')
            return false;
    }
    return dots == 2 && host[len - 1] != '.';
}

static bool is_local(const char *host, size_t len)
{
    static const char *const hosts[] = {"localhost", "[::1]", "169.254.170.2",
                                        "169.254.170.23", "[fd00:ec2::23]"};

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (len == strlen(hosts[i]) && memcmp(host, hosts[i], len) == 0)
            return true;
    return is_loopback_v4(host, len);
}

/* The host at s, a bracketed one with its brackets; 0: there is none. */
static size_t host_length(const char *s)
{
    if (*s != '[')
        return strspn(s, alnum) ? strcspn(s, ":/?#") : 0;
    size_t len = strcspn(s, "]");
    return s[len] ? len + 1 : 0;
}

/* The port, if there is one, then the path or the end. */
static bool is_port_and_path(const char *s)
{
    if (*s == ':') {
        size_t digits = strspn(++s, "0123456789");
        if (digits == 0 || digits > 5)
            return false;
        s += digits;
    }
    return *s == '\0' || *s == '/' || *s == '?';
}

static bool is_full(const char *url)
{
    bool https = strncmp(url, "https://", 8) == 0;

    if (!is_visible(url) || (!https && strncmp(url, "http://", 7) != 0))
        return false;
    const char *host = url + (https ? 8 : 7);
    size_t len = host_length(host);
    if (len == 0 || memchr(host, '@', len) || memchr(host, '\\', len) ||
        memchr(host, '%', len) || !is_port_and_path(host + len))
        return false;
    return https || is_local(host, len);
}

enum err_code credentials_url_container(const char *relative, const char *full,
                                        struct buf *ret, struct err *e)
{
    if (relative) {
        if (*relative != '/' || !is_visible(relative))
            return err_set(e, ERR_CONFIG,
                           "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path");
        buf_puts_all(ret,
                     (const char *const[]){"http://169.254.170.2", relative, NULL});
    } else {
        if (!full || !is_full(full))
            return err_set(
                e, ERR_CONFIG,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https://… nor "
                "http://… to this machine, 169.254.170.2 or .23: %.*s",
                (int)(full ? strcspn(full, "?@") : 0), full ? full : "");
        buf_puts(ret, full);
    }
    return ret->failed ? err_set(e, ERR_CONFIG, "the URL for keys is too long")
                       : ERR_OK;
}

enum err_code credentials_url_add_role(const char *listed, size_t len, struct buf *ret,
                                       struct err *e)
{
    const char *end = memchr(listed, '\n', len);
    size_t name = end ? (size_t)(end - listed) : len;

    if (name > 0 && listed[name - 1] == '\r')
        name--;
    for (size_t i = 0; i < name; i++)
        if (!listed[i] || (!strchr(alnum, listed[i]) && !strchr("+=,.@_-", listed[i])))
            return err_set(e, ERR_REJECT, "what stands for a role's name is none");
    if (name == 0 || name > ROLE_MAX)
        return err_set(e, ERR_REJECT, "no role is attached to this machine");
    buf_add(ret, listed, name);
    return ret->failed ? err_set(e, ERR_NOMEM, "no memory for a URL") : ERR_OK;
}
