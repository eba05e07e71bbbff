#include "shared/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ENTRY_MAX = 64 };

/* The next entry of *list, copied without blanks.  False: there is none, or *ret_long. */
static bool next_entry(const char **list, char *ret, bool *ret_long)
{
    *list += strspn(*list, ", \t");
    size_t len = strcspn(*list, ", \t");
    *ret_long = len >= ENTRY_MAX;
    if (len == 0 || *ret_long)
        return false;
    memcpy(ret, *list, len);
    ret[len] = '\0';
    *list += len;
    return true;
}

static void map_v4(const struct in_addr *v4, struct in6_addr *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
    memcpy(ret->s6_addr + 12, v4, sizeof *v4);
}

bool peers_parse_address(const char *s, struct in6_addr *ret)
{
    struct in_addr v4;
    if (inet_pton(AF_INET6, s, ret) == 1)
        return true;
    if (inet_pton(AF_INET, s, &v4) != 1)
        return false;
    map_v4(&v4, ret);
    return true;
}

static bool is_user_word(const char *s)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.$";
    return s[strspn(s, letters)] == '\0';
}

static bool find_user(const char *s, uid_t *ret)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(s, &end, 10);
    if (*s >= '0' && *s <= '9' && *end == '\0') {
        *ret = (uid_t)number;
        return errno == 0 && number < (uid_t)-1;
    }
    const struct passwd *user = getpwnam(s);
    if (user)
        *ret = user->pw_uid;
    return user != NULL;
}

static enum err_code refuse(const char *entry, bool is_long, const char *what,
                            struct err *e)
{
    if (is_long)
        return err_set(e, ERR_CONFIG, "an entry is longer than %d bytes",
                       ENTRY_MAX - 1);
    return err_set(e, ERR_CONFIG, "'%.60s' %s", entry, what);
}

static enum err_code read_users(const char *list, bool resolve, struct peers *p,
                                struct err *e)
{
    char entry[ENTRY_MAX];
    bool is_long = false;
    while (next_entry(&list, entry, &is_long)) {
        if (p->user_count == PEERS_MAX)
            return err_set(e, ERR_CONFIG, "has more than %d entries", PEERS_MAX);
        if (!is_user_word(entry))
            return refuse(entry, false, "is not the name or number of a user", e);
        if (resolve && !find_user(entry, &p->users[p->user_count]))
            return refuse(entry, false, "is no user of this machine", e);
        p->user_count++;
    }
    return is_long ? refuse(NULL, true, NULL, e) : ERR_OK;
}

static enum err_code read_addresses(const char *list, struct peers *p, struct err *e)
{
    char entry[ENTRY_MAX];
    bool is_long = false;
    while (next_entry(&list, entry, &is_long)) {
        if (p->address_count == PEERS_MAX)
            return err_set(e, ERR_CONFIG, "has more than %d entries", PEERS_MAX);
        if (!peers_parse_address(entry, &p->addresses[p->address_count]))
            return refuse(entry, false, "is not an IP address", e);
        p->address_count++;
    }
    return is_long ? refuse(NULL, true, NULL, e) : ERR_OK;
}

enum err_code peers_check_users(const char *users, struct err *e)
{
    struct peers ignored = {.user_count = 0};
    return read_users(users, false, &ignored, e);
}

enum err_code peers_check_addresses(const char *web_servers, struct err *e)
{
    struct peers ignored = {.user_count = 0};
    return read_addresses(web_servers, &ignored, e);
}

enum err_code peers_init(struct peers *ret, const char *users, const char *web_servers,
                         const char *fallback, struct err *e)
{
    struct peers p = {.user_count = 0};
    struct err why = ERR_INIT;
    if (read_users(users, true, &p, &why))
        return err_set(e, ERR_CONFIG, "[http] peer_users: %s", why.text);
    if (read_addresses(web_servers, &p, &why))
        return err_set(e, ERR_CONFIG, "[http] web_servers: %s", why.text);
    if (p.address_count == 0 && fallback && read_addresses(fallback, &p, &why))
        return err_set(e, ERR_CONFIG, "FCGI_WEB_SERVER_ADDRS: %s", why.text);
    *ret = p;
    return ERR_OK;
}

static bool is_known_user(const struct peers *p, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    for (size_t i = 0; i < p->user_count; i++)
        if (p->users[i] == peer.uid)
            return true;
    return peer.uid == geteuid();
}

struct in6_addr peers_address_of(const struct sockaddr_storage *a)
{
    struct in6_addr address;
    if (a->ss_family == AF_INET6)
        return ((const struct sockaddr_in6 *)a)->sin6_addr;
    map_v4(&((const struct sockaddr_in *)a)->sin_addr, &address);
    return address;
}

bool peers_is_loopback(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address) ||
           (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

static bool is_known_address(const struct peers *p, const struct sockaddr_storage *a)
{
    struct in6_addr address = peers_address_of(a);
    for (size_t i = 0; i < p->address_count; i++)
        if (memcmp(&p->addresses[i], &address, sizeof address) == 0)
            return true;
    return false;
}

bool peers_may_connect(const struct peers *p, int fd)
{
    struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof a;
    if (p->user_count == 0 && p->address_count == 0)
        return true;
    if (getpeername(fd, (struct sockaddr *)&a, &len) < 0)
        return false;
    if (a.ss_family == AF_UNIX)
        return p->user_count == 0 || is_known_user(p, fd);
    return p->address_count == 0 || is_known_address(p, &a);
}
