/*
 * url: an http or https address that somebody else chose (RFC 3986, narrowed).  Pure.
 *
 *     https://host[:port]/path?query#fragment
 *     |       |     |    |
 *     scheme  host  port target                  all of it at most URL_MAX bytes
 *
 * What is refused, so that no two programs can read it differently:
 *   - other schemes; user and password; an empty host; a port that is no number from 1 to 65535
 *   - anything but graphic ASCII, and \ " < > ^ ` { | }, which a URL carries as %XX
 *   - hosts of other bytes than A-Z a-z 0-9 . - _ (%XX, zones of IPv6 addresses), labels that are empty or longer than 63
 *   - IPv4 addresses not written as four decimal numbers without leading zeroes: 127.1, 0x7f000001, 2130706433, 0177.0.0.1
 *
 * Whether it may be fetched is another matter: fetch_filter.h.
 */
#ifndef HOIST_SHARED_URL_H
#define HOIST_SHARED_URL_H

#include "shared/buf.h"
#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { URL_MAX = 2048, URL_HOST_MAX = 253 };

enum url_family { URL_NAME, URL_IPV4, URL_IPV6 };

struct url {
    bool is_https;
    char host[URL_HOST_MAX +
              1]; /* lower case, without brackets and without a dot at its end */
    enum url_family family; /* of host: a name, or an address */
    uint8_t address[16];    /* of IPV4 (4 bytes) and IPV6 */
    int port;               /* the scheme's where none is given */
    const char *target;     /* within the text: from the path on, may be "" */
    size_t target_len;
};

/* ERR_REJECT: says what is wrong.  *ret points into s. */
MUST_CHECK enum err_code url_parse(const char *s, size_t len, struct url *ret,
                                   struct err *e);
/* Whether it can be parsed. */
bool url_is_valid(const char *s, size_t len);

/* What a Location header (RFC 3986 section 4.2) of the answer to base means; both are parsed, the result is in ret, which is
 * emptied before, without a fragment.  ERR_REJECT, ERR_NOMEM. */
MUST_CHECK enum err_code url_resolve(const char *base, const char *location,
                                     struct buf *ret, struct err *e);

/* How much of it may be shown: all before the query and the fragment, in which signatures stand. */
size_t url_shown_len(const char *s);
/* The last segment of its path, as it stands there; *ret_len 0: the path ends in '/'. */
const char *url_file_name(const char *s, size_t *ret_len);
/* Undo %XX; to holds at least len bytes.  How long it is then. */
size_t url_unescape(const char *s, size_t len, char *to);

#endif
