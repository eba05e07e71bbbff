/*
 * peers: who may connect to the responder's socket.
 *
 *     unix socket   [http] peer_users = www-data, 33      SO_PEERCRED: the user who connected; empty: whoever the
 *                                                          permissions of the socket let in
 *     TCP socket    [http] web_servers = 10.0.0.7, ::1     the peer's address; empty: there is no such socket but on a
 *                                                          loopback address, where everybody may connect
 *
 * FastCGI has no authentication: who can connect can say anything about a request.  The program's own user may always
 * connect to a unix socket, since that is how a responder that stops hands over its connections.
 * FCGI_WEB_SERVER_ADDRS in the environment (FastCGI specification 1.0, section 3.2) counts where web_servers is empty; it is not
 * looked at for unix sockets.
 *
 * A struct peers does not change once it is filled in; any thread may ask it.
 */
#ifndef HOIST_SHARED_PEERS_H
#define HOIST_SHARED_PEERS_H

#include "shared/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { PEERS_MAX = 64 };

struct peers {
    uid_t users[PEERS_MAX];
    size_t user_count;
    struct in6_addr addresses[PEERS_MAX]; /* IPv4 as ::ffff:a.b.c.d */
    size_t address_count;
};

/* Lists with commas.  web_servers empty: fallback (may be NULL) is one, too.
 * ERR_CONFIG: the text says which entry is no user of this machine, or no address. */
MUST_CHECK enum err_code peers_init(struct peers *ret, const char *users,
                                    const char *web_servers, const char *fallback,
                                    struct err *e);
/* The text of the lists alone, without a look at the machine. */
MUST_CHECK enum err_code peers_check_users(const char *users, struct err *e);
MUST_CHECK enum err_code peers_check_addresses(const char *web_servers, struct err *e);

/* "127.0.0.1", "::1": of IPv4 as ::ffff:a.b.c.d.  False: it is no address. */
bool peers_parse_address(const char *s, struct in6_addr *ret);
/* The same of a socket's AF_INET or AF_INET6 address. */
struct in6_addr peers_address_of(const struct sockaddr_storage *a);
/* 127.0.0.0/8 or ::1. */
bool peers_is_loopback(const struct in6_addr *address);

/* Whether who has connected by fd may. */
bool peers_may_connect(const struct peers *p, int fd);

#endif
