/*
 * fetch_filter: what may be fetched for somebody else.  Pure.
 *
 *     a URL         --fetch_check_url------>  before anything is done: the responder (422), and the worker at each hop
 *     an address    --fetch_check_address-->  of the socket, just before it connects: whatever a name was resolved to
 *
 * The second is what protects: names that point inside, or change between a look and the connect (DNS rebinding), meet it.
 * The first tells the client early.
 *
 * Rules, the first that fits:
 *   1. metadata services of clouds (169.254.169.254, fd00:ec2::254, 168.63.129.16 ...): never
 *   2. deny                                                                          : no
 *   3. allow, by the name in the URL or by the address that is connected to          : yes, private or not, any port that
 *                                                                                      the entry allows
 *   4. only_allowed                                                                  : no
 *   5. ports other than 80, 443 and 1024 to 65535                                    : no
 *   6. addresses that are not of the public Internet (RFC 6890, 8190)                : no
 *
 * Not public: 0/8 10/8 100.64/10 127/8 169.254/16 172.16/12 192.0.0/24 192.0.2/24 192.88.99/24 192.168/16 198.18/15
 * 198.51.100/24 203.0.113/24 224/3; of IPv6 all but 2000::/3, and in that 2001::/23 (Teredo, ORCHID), 2001:db8::/32,
 * 2002::/16 (6to4), 3fff::/20.  So ::1, fc00::/7, fe80::/10, ff00::/8, mapped and compatible IPv4 and 64:ff9b::/96 are out.
 * A mapped IPv4 address is what it maps to for rules 1 to 3.
 *
 * An entry of a list: HOST, *.DOMAIN (what is below it), an address, ADDRESS/BITS; with :PORT behind it ([v6]:PORT) of that
 * port alone; without, of any that rule 5 allows.  Names are compared without case, with the name in the URL.
 */
#ifndef HOIST_SHARED_FETCH_FILTER_H
#define HOIST_SHARED_FETCH_FILTER_H

#include "shared/err.h"
#include "shared/url.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { FETCH_ENTRIES_MAX = 32 };

struct fetch_entry {
    enum url_family family;
    char host[URL_HOST_MAX + 2]; /* URL_NAME; ".domain" for what is below it */
    uint8_t address[16];
    int bits; /* of address */
    int port; /* 0: any */
};

struct fetch_list {
    struct fetch_entry entries[FETCH_ENTRIES_MAX];
    size_t count;
};

struct fetch_rules {
    struct fetch_list allow, deny;
    bool only_allowed;
};

/* "files.example.com, *.example.org, 127.0.0.1:8080, 10.1.0.0/16, [fd00::1]:80".  ERR_REJECT names the entry. */
MUST_CHECK enum err_code fetch_list_parse(const char *text, struct fetch_list *ret,
                                          struct err *e);

/* ERR_REJECT: it may not be fetched, whatever its name resolves to. */
MUST_CHECK enum err_code fetch_check_url(const struct fetch_rules *r,
                                         const struct url *u, struct err *e);
/* ERR_REJECT: address, that u's host was resolved to, may not be connected to.  What is neither IPv4 nor IPv6 may not. */
MUST_CHECK enum err_code fetch_check_address(const struct fetch_rules *r,
                                             const struct url *u,
                                             const struct sockaddr *address,
                                             socklen_t len, struct err *e);

#endif
