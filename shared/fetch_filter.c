#include "shared/fetch_filter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { ENTRY_MAX = URL_HOST_MAX + 16, USER_PORTS = 1024, V4_BITS = 32, V6_BITS = 128 };

/* An address that is looked at. */
struct place {
    enum url_family family; /* URL_IPV4 or URL_IPV6 */
    uint8_t address[16];
};

struct range {
    uint8_t address[16];
    int bits;
};

static const struct range private_v4[] = {{{0}, 8},
                                          {{10}, 8},
                                          {{100, 64}, 10},
                                          {{127}, 8},
                                          {{169, 254}, 16},
                                          {{172, 16}, 12},
                                          {{192, 0, 0}, 24},
                                          {{192, 0, 2}, 24},
                                          {{192, 88, 99}, 24},
                                          {{192, 168}, 16},
                                          {{198, 18}, 15},
                                          {{198, 51, 100}, 24},
                                          {{203, 0, 113}, 24},
                                          {{224}, 3}};

static const struct range public_v6 = {{0x20}, 3};
static const struct range private_v6[] = {{{0x20, 0x01}, 23},
                                          {{0x20, 0x01, 0x0d, 0xb8}, 32},
                                          {{0x20, 0x02}, 16},
                                          {{0x3f, 0xff}, 20}};

static const struct range mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};

/* Amazon (and most others), its containers, EKS; Alibaba; Azure; Oracle. */
static const uint8_t metadata_v4[][4] = {{169, 254, 169, 254}, {169, 254, 170, 2},
                                         {169, 254, 170, 23},  {100, 100, 100, 200},
                                         {168, 63, 129, 16},   {192, 0, 0, 192}};
/* Amazon, EKS, Google. */
static const uint8_t metadata_v6[][16] = {
    {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54},
    {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x23},
    {0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* --- addresses --- */

static bool is_within(const uint8_t *address, const struct range *r)
{
    int bytes = r->bits / 8, rest = r->bits % 8;

    if (memcmp(address, r->address, (size_t)bytes) != 0)
        return false;
    return rest == 0 || (address[bytes] ^ r->address[bytes]) >> (8 - rest) == 0;
}

static bool is_private(const struct place *p)
{
    const struct range *ranges = p->family == URL_IPV4 ? private_v4 : private_v6;
    size_t count = p->family == URL_IPV4 ? COUNT(private_v4) : COUNT(private_v6);

    if (p->family == URL_IPV6 && !is_within(p->address, &public_v6))
        return true;
    for (size_t i = 0; i < count; i++)
        if (is_within(p->address, &ranges[i]))
            return true;
    return false;
}

/* What a mapped address maps to; any other as it is. */
static struct place unmap(const struct place *p)
{
    struct place inner = {.family = URL_IPV4};

    if (p->family != URL_IPV6 || !is_within(p->address, &mapped))
        return *p;
    memcpy(inner.address, p->address + 12, 4);
    return inner;
}

static bool is_metadata(const struct place *p)
{
    for (size_t i = 0; p->family == URL_IPV4 && i < COUNT(metadata_v4); i++)
        if (memcmp(p->address, metadata_v4[i], 4) == 0)
            return true;
    for (size_t i = 0; p->family == URL_IPV6 && i < COUNT(metadata_v6); i++)
        if (memcmp(p->address, metadata_v6[i], 16) == 0)
            return true;
    return false;
}

/* --- lists --- */

/* host: in lower case, NUL-terminated. */
static bool parse_host(const char *host, struct fetch_entry *en)
{
    struct err e = ERR_INIT;
    char text[ENTRY_MAX + 16];
    struct url u;
    bool below = strncmp(host, "*.", 2) == 0, is_v6 = strchr(host, ':') != NULL;

    (void)snprintf(text, sizeof text, is_v6 ? "http://[%s]" : "http://%s",
                   host + (below ? 2 : 0));
    if (url_parse(text, strlen(text), &u, &e) || u.target_len > 0 ||
        (below && u.family != URL_NAME))
        return false;
    en->family = u.family;
    en->bits = u.family == URL_IPV4 ? V4_BITS : V6_BITS;
    memcpy(en->address, u.address, sizeof en->address);
    (void)snprintf(en->host, sizeof en->host, "%s%s", below ? "." : "", u.host);
    return true;
}

/* The digits at *at, which then stands behind them. */
static bool take_number(char **at, int max, int *ret)
{
    size_t len = strspn(*at, "0123456789");
    int n = 0;

    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++)
        n = n * 10 + ((*at)[i] - '0');
    *at += len;
    *ret = n;
    return n <= max;
}

/* Where the host of an entry ends; *host: where it begins.  NULL: a bracket is not closed. */
static char *find_host_end(char *text, char **host)
{
    *host = text;
    if (*text == '[') {
        *host = text + 1;
        return strchr(text, ']');
    }
    if (strchr(text, ':') != strrchr(text, ':')) /* IPv6 without brackets: no port */
        return text + strcspn(text, "/");
    return text + strcspn(text, ":/");
}

/* text: one entry, which is cut to pieces. */
static bool parse_entry(char *text, struct fetch_entry *en)
{
    char *host, *end = find_host_end(text, &host);
    int bits = -1;

    if (!end)
        return false;
    char mark = *end;
    *end = '\0';
    if (!parse_host(host, en))
        return false;
    if (mark == ']')
        mark = *++end;
    if (mark == '/') {
        end++;
        if (en->family == URL_NAME || !take_number(&end, en->bits, &bits))
            return false;
        en->bits = bits;
        mark = *end;
    }
    if (mark == ':') {
        end++;
        if (!take_number(&end, 65535, &en->port) || en->port == 0)
            return false;
        mark = *end;
    }
    return mark == '\0';
}

enum err_code fetch_list_parse(const char *text, struct fetch_list *ret, struct err *e)
{
    static const char separators[] = ", \t";
    char entry[ENTRY_MAX + 1];

    ret->count = 0;
    for (const char *at = text + strspn(text, separators); *at;
         at += strspn(at, separators)) {
        size_t len = strcspn(at, separators);
        int shown = (int)(len < 60 ? len : 60);
        if (ret->count == FETCH_ENTRIES_MAX)
            return err_set(e, ERR_REJECT, "more than %d entries", FETCH_ENTRIES_MAX);
        struct fetch_entry *en = &ret->entries[ret->count];
        *en = (struct fetch_entry){.port = 0};
        (void)snprintf(entry, sizeof entry, "%.*s", (int)len, at);
        if (len > ENTRY_MAX || !parse_entry(entry, en))
            return err_set(e, ERR_REJECT,
                           "'%.*s' is not HOST, *.DOMAIN, an address or ADDRESS/BITS, "
                           "with :PORT behind it or not",
                           shown, at);
        ret->count++;
        at += len;
    }
    return ERR_OK;
}

static bool is_usual_port(int port)
{
    return port == 80 || port == 443 || port >= USER_PORTS;
}

static bool matches_name(const struct fetch_entry *en, const char *host)
{
    size_t len = strlen(host), end = strlen(en->host);

    if (en->host[0] == '.')
        return len > end && strcmp(host + len - end, en->host) == 0;
    return strcmp(host, en->host) == 0;
}

/* p: where it would be connected to, NULL: not known yet. */
static bool matches(const struct fetch_entry *en, const struct url *u,
                    const struct place *p)
{
    if (en->family == URL_NAME)
        return u->family == URL_NAME && matches_name(en, u->host);
    struct range r = {.bits = en->bits};
    memcpy(r.address, en->address, sizeof r.address);
    return p && p->family == en->family && is_within(p->address, &r);
}

static bool is_listed(const struct fetch_list *l, const struct url *u,
                      const struct place *p, bool any_port)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct fetch_entry *en = &l->entries[i];
        bool port = en->port ? en->port == u->port : any_port || is_usual_port(u->port);
        if (port && matches(en, u, p))
            return true;
    }
    return false;
}

/* Whether some address may be allowed that is not known yet. */
static bool allows_addresses(const struct fetch_rules *r, int port)
{
    for (size_t i = 0; i < r->allow.count; i++) {
        const struct fetch_entry *en = &r->allow.entries[i];
        if (en->family != URL_NAME &&
            (en->port ? en->port == port : is_usual_port(port)))
            return true;
    }
    return false;
}

/* --- the rules --- */

static enum err_code refuse(struct err *e, const char *why)
{
    return err_set(e, ERR_REJECT, "not allowed: %s", why);
}

static enum err_code check(const struct fetch_rules *r, const struct url *u,
                           const struct place *p, struct err *e)
{
    struct place inner = p ? unmap(p) : (struct place){.family = URL_NAME};
    const struct place *at = p ? &inner : NULL;

    if (at && (is_metadata(at) || is_metadata(p)))
        return refuse(e, "its address is that of a metadata service");
    if (is_listed(&r->deny, u, at, true))
        return refuse(e, "it is on the deny list");
    if (is_listed(&r->allow, u, at, false))
        return ERR_OK;
    if (!at && allows_addresses(r, u->port))
        return ERR_OK; /* the address will tell */
    if (r->only_allowed)
        return refuse(e, "it is not on the allow list");
    if (!is_usual_port(u->port))
        return refuse(e, "its port is not 80, 443 or 1024 to 65535");
    if (p && is_private(p))
        return refuse(e, "its address is not of the public Internet");
    return ERR_OK;
}

enum err_code fetch_check_url(const struct fetch_rules *r, const struct url *u,
                              struct err *e)
{
    struct place p = {.family = u->family};

    memcpy(p.address, u->address, sizeof p.address);
    return check(r, u, u->family == URL_NAME ? NULL : &p, e);
}

enum err_code fetch_check_address(const struct fetch_rules *r, const struct url *u,
                                  const struct sockaddr *address, socklen_t len,
                                  struct err *e)
{
    struct place p = {.family = URL_NAME};

    if (address->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        p.family = URL_IPV4;
        memcpy(p.address,
               &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        p.family = URL_IPV6;
        memcpy(p.address,
               &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    } else {
        return refuse(e, "its address is neither IPv4 nor IPv6");
    }
    return check(r, u, &p, e);
}
