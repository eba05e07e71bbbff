#include "shared/listen_at.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char unix_prefix[] = "unix:";

/* 1 to 5 digits alone, at most 65535. */
static bool parse_port(const char *s, in_port_t *ret)
{
    uint32_t port = 0;
    size_t len = strspn(s, "0123456789");

    if (len == 0 || len > 5 || s[len] != '\0')
        return false;
    for (; *s; s++)
        port = port * 10 + (uint32_t)(*s - '0');
    *ret = htons((uint16_t)port);
    return port <= UINT16_MAX;
}

static bool parse_unix(const char *path, struct listen_at *ret)
{
    size_t len = strlen(path);

    if (path[0] != '/' || path[len - 1] == '/' ||
        len >= sizeof ret->address.local.sun_path)
        return false;
    ret->family = ret->address.local.sun_family = AF_UNIX;
    memcpy(ret->address.local.sun_path, path, len + 1);
    return true;
}

static bool parse_loopback(const char *host, const char *port, struct listen_at *ret)
{
    struct in_addr v4;

    if (strcmp(host, "[::1]") == 0) {
        ret->family = ret->address.v6.sin6_family = AF_INET6;
        ret->address.v6.sin6_addr = in6addr_loopback;
        return parse_port(port, &ret->address.v6.sin6_port);
    }
    if (inet_pton(AF_INET, host, &v4) != 1 || ntohl(v4.s_addr) >> 24 != 127)
        return false;
    ret->family = ret->address.v4.sin_family = AF_INET;
    ret->address.v4.sin_addr = v4;
    return parse_port(port, &ret->address.v4.sin_port);
}

enum err_code listen_at_parse(const char *text, struct listen_at *ret, struct err *e)
{
    struct listen_at at = {.family = AF_UNSPEC};
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN];
    bool is_good = false;

    if (strncmp(text, unix_prefix, sizeof unix_prefix - 1) == 0) {
        is_good = parse_unix(text + sizeof unix_prefix - 1, &at);
    } else if (colon && (size_t)(colon - text) < sizeof host) {
        memcpy(host, text, (size_t)(colon - text));
        host[colon - text] = '\0';
        is_good = parse_loopback(host, colon + 1, &at);
    }
    if (!is_good)
        return err_set(e, ERR_CONFIG,
                       "'%.60s' is not unix:/PATH (107 bytes), 127.0.0.1:PORT or "
                       "[::1]:PORT",
                       text);
    *ret = at;
    return ERR_OK;
}
