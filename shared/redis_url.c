#include "shared/redis_internal.h"

#include "shared/cleanup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { PORT_DEFAULT = 6379, DB_MAX = 65535, HOST_MAX = 253, SECRET_MAX = 512 };

#define FORMS "unix:///path[?db=N] or redis://[user[:password]@]host[:port][/db]"

/* A piece of the URL.  No message repeats one that may hold a password. */
struct piece {
    const char *s;
    size_t len;
};

void redis_target_release(struct redis_target *t)
{
    free(t->unix_path);
    free(t->host);
    free(t->user);
    if (t->password)
        explicit_bzero(t->password, strlen(t->password));
    free(t->password);
    *t = (struct redis_target)REDIS_TARGET_INIT;
}

/* Everything before the first c goes to *ret_head, what follows c stays; false when there is none. */
static bool cut(struct piece *p, char c, struct piece *ret_head)
{
    const char *at = memchr(p->s, c, p->len);

    if (!at)
        return false;
    *ret_head = (struct piece){p->s, (size_t)(at - p->s)};
    p->len -= ret_head->len + 1;
    p->s = at + 1;
    return true;
}

static bool parse_number(struct piece p, int min, int max, int *ret)
{
    int n = 0;

    if (p.len == 0 || p.len > 5)
        return false;
    for (size_t i = 0; i < p.len; i++) {
        if (p.s[i] < '0' || p.s[i] > '9')
            return false;
        n = n * 10 + (p.s[i] - '0');
    }
    if (n < min || n > max)
        return false;
    *ret = n;
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum err_code decode_secret(struct piece p, const char *what, char **ret,
                                   struct err *e)
{
    if (p.len > 3 * SECRET_MAX)
        return err_set(e, ERR_CONFIG, "redis url: the %s is too long", what);
    CLEANUP(str_free) char *text = malloc(p.len + 1);
    if (!text)
        return err_set(e, ERR_NOMEM, "redis url: no memory");
    size_t n = 0;
    for (size_t i = 0; i < p.len; i++) {
        char c = p.s[i];
        if (c == '%') {
            bool whole = p.len - i > 2;
            int high = whole ? hex_value(p.s[i + 1]) : -1;
            int low = whole ? hex_value(p.s[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return err_set(e, ERR_CONFIG, "redis url: bad %% escape in the %s",
                               what);
            c = (char)(high * 16 + low);
            i += 2;
        }
        text[n++] = c;
    }
    text[n] = '\0';
    *ret = TAKE(text);
    return ERR_OK;
}

static enum err_code copy(struct piece p, char **ret, struct err *e)
{
    *ret = strndup(p.s, p.len);
    return *ret ? ERR_OK : err_set(e, ERR_NOMEM, "redis url: no memory");
}

static enum err_code parse_unix(struct piece p, struct redis_target *t, struct err *e)
{
    struct piece path;

    if (!cut(&p, '?', &path))
        path = p;
    else if (p.len < 3 || memcmp(p.s, "db=", 3) != 0 ||
             !parse_number((struct piece){p.s + 3, p.len - 3}, 0, DB_MAX, &t->db))
        return err_set(e, ERR_CONFIG, "redis url: after ? only db=0 .. db=%d", DB_MAX);
    if (path.len < 2 || path.s[0] != '/')
        return err_set(e, ERR_CONFIG, "redis url: the socket path must be absolute");
    if (path.len >= sizeof((struct sockaddr_un *)0)->sun_path)
        return err_set(e, ERR_CONFIG,
                       "redis url: a socket path holds at most %zu bytes",
                       sizeof((struct sockaddr_un *)0)->sun_path - 1);
    return copy(path, &t->unix_path, e);
}

static bool is_host(struct piece p, bool is_ipv6)
{
    if (p.len == 0 || p.len > HOST_MAX)
        return false;
    for (size_t i = 0; i < p.len; i++) {
        char c = p.s[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                     (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
        if (!plain && !(is_ipv6 && (c == ':' || c == '%')))
            return false;
    }
    return true;
}

static enum err_code parse_address(struct piece p, struct redis_target *t,
                                   struct err *e)
{
    struct piece host = p;
    bool is_ipv6 = p.len > 0 && p.s[0] == '[';

    if (is_ipv6) {
        p = (struct piece){p.s + 1, p.len - 1};
        if (!cut(&p, ']', &host) || (p.len > 0 && p.s[0] != ':'))
            return err_set(e, ERR_CONFIG, "redis url: bad [address]");
        if (p.len > 0 &&
            !parse_number((struct piece){p.s + 1, p.len - 1}, 1, 65535, &t->port))
            return err_set(e, ERR_CONFIG, "redis url: the port is 1 .. 65535");
    } else if (cut(&p, ':', &host) && !parse_number(p, 1, 65535, &t->port)) {
        return err_set(e, ERR_CONFIG, "redis url: the port is 1 .. 65535");
    }
    if (!is_host(host, is_ipv6))
        return err_set(e, ERR_CONFIG, "redis url: no host name or address in it");
    return copy(host, &t->host, e);
}

static enum err_code parse_tcp(struct piece p, struct redis_target *t, struct err *e)
{
    const char *at = memrchr(p.s, '@', p.len);
    struct piece head;

    t->port = PORT_DEFAULT;
    if (at) {
        struct piece login = {p.s, (size_t)(at - p.s)};
        p = (struct piece){at + 1, p.len - login.len - 1};
        bool has_password = cut(&login, ':', &head);
        if (!has_password)
            head = login;
        enum err_code rc = ERR_OK;
        if (head.len > 0)
            rc = decode_secret(head, "user", &t->user, e);
        if (rc == ERR_OK && has_password && login.len > 0)
            rc = decode_secret(login, "password", &t->password, e);
        if (rc != ERR_OK)
            return rc;
    }
    if (cut(&p, '/', &head)) {
        if (p.len > 0 && !parse_number(p, 0, DB_MAX, &t->db))
            return err_set(e, ERR_CONFIG, "redis url: the database is /0 .. /%d",
                           DB_MAX);
        p = head;
    }
    return parse_address(p, t, e);
}

enum err_code redis_target_parse(const char *url, struct redis_target *ret_target,
                                 struct err *e)
{
    static const char unix_scheme[] = "unix://", tcp_scheme[] = "redis://";
    CLEANUP(redis_target_release) struct redis_target t = REDIS_TARGET_INIT;
    struct piece p = {url, strlen(url)};
    enum err_code rc;

    if (p.len > 4096)
        return err_set(e, ERR_CONFIG, "redis url: too long");
    if (strncmp(url, unix_scheme, sizeof unix_scheme - 1) == 0) {
        p.s += sizeof unix_scheme - 1;
        p.len -= sizeof unix_scheme - 1;
        rc = parse_unix(p, &t, e);
    } else if (strncmp(url, tcp_scheme, sizeof tcp_scheme - 1) == 0) {
        p.s += sizeof tcp_scheme - 1;
        p.len -= sizeof tcp_scheme - 1;
        rc = parse_tcp(p, &t, e);
    } else {
        rc = err_set(e, ERR_CONFIG, "redis url: it must be %s", FORMS);
    }
    if (rc != ERR_OK)
        return rc;
    *ret_target = t;
    t = (struct redis_target)REDIS_TARGET_INIT;
    return ERR_OK;
}

static bool copy_string(const char *s, char **ret)
{
    *ret = s ? strdup(s) : NULL;
    return !s || *ret;
}

bool redis_target_copy(const struct redis_target *t, struct redis_target *ret)
{
    *ret = (struct redis_target){.port = t->port, .db = t->db};
    if (copy_string(t->unix_path, &ret->unix_path) &&
        copy_string(t->host, &ret->host) && copy_string(t->user, &ret->user) &&
        copy_string(t->password, &ret->password))
        return true;
    redis_target_release(ret);
    return false;
}

bool redis_unix_address(const struct redis_target *t, struct sockaddr_un *ret)
{
    size_t len = strlen(t->unix_path);

    if (len >= sizeof ret->sun_path)
        return false;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, t->unix_path, len + 1);
    return true;
}
