/*
 * origin: which web pages may use the service from a browser, and by which names it may be called.  Pure.
 *
 *     Origin: https://app.example:8443     [http] cors_origins = https://app.example:8443, https://up.example
 *             scheme  host        port     [http] hosts = upload.example, *.c.example
 *
 * An origin (RFC 6454, section 7) is http or https, a host and a port; nothing stands behind it, not even '/'.  The port
 * of the scheme may be left out.  Letters are equal in either case, no other two texts are: "null", what a page without an
 * origin sends, is none and is never listed.  "*." in front of a listed host stands for one or more labels: *.b.example is
 * a.b.example, not b.example.  What follows it has a dot, so that nobody lists a whole top-level domain.
 *
 * Hosts are names of letters, digits, '-', '_' and '.', IPv4 addresses, or IPv6 addresses in brackets.
 */
#ifndef HOIST_SHARED_ORIGIN_H
#define HOIST_SHARED_ORIGIN_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ORIGIN_MAX = 300, /* bytes of one */
    ORIGIN_LIST_MAX = 64
};

struct origin {
    const char *host; /* within the text; an IPv6 address with its brackets */
    size_t host_len;
    int port; /* 1 .. 65535 */
    bool is_https;
};

/* False: the text is no origin. */
bool origin_parse(const char *s, size_t len, struct origin *ret);

/* A list of origins, with commas: *ret of ORIGIN_LIST_MAX at most.  ERR_CONFIG: an entry that is none, too many. */
MUST_CHECK enum err_code origin_check_list(const char *list, struct err *e);
/* The same for hosts, without scheme and port. */
MUST_CHECK enum err_code origin_check_hosts(const char *list, struct err *e);

/* Whether one of the list's entries is this origin; list has been checked. */
bool origin_is_listed(const char *list, const char *origin);

/* Whether a page of this origin was served under the name that the request calls the service by: host is the value of
 * Host, "name" or "name:port".  over_https: the request is known to have come that way; then a page of http is another. */
bool origin_is_own(const char *origin, const char *host, bool over_https);

/* Of a value of Host, without its port.  is_literal: an address, "localhost", or a name below it: what no name server
 * can be made to say. */
bool origin_host_is_literal(const char *host);
bool origin_host_is_listed(const char *list, const char *host);

#endif
