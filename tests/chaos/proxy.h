/*
 * proxy: stands between a program and a server, TCP or unix, and breaks what goes through it.
 *
 *     worker --- link ---> [ proxy ] --- link ---> Redis, or the object store
 *                  PROXY_UP  -->                    what the program sends
 *                  <-- PROXY_DOWN                    what the server answers
 *
 * One thread (epoll), up to PROXY_LINKS_MAX links.  Without a fault bytes go on as they come; the end of one direction is passed on
 * (half-close), a reset is passed on as a reset.  At most 256 KiB wait in a direction; then its sender has to.
 *
 * Faults are set for a direction at any time, and hold for all links, those to come too, until the next set or proxy_heal:
 *
 *   delay_ms     each byte arrives so much later
 *   rate         bytes a second of each link
 *   slice        one byte a write
 *   hold         nothing moves; all is there when it heals (a partition)
 *   swallow      bytes are taken and thrown away (a black hole).  What has swallowed cannot be mended: such a link is reset at the
 *                next set or heal
 *   cut_at       both ends of the link are reset once n more bytes have gone through since the fault was set (0: at the first byte)
 *   flip_at      the byte with this number since then has one bit flipped, and goes on
 *   times        so many links are cut or flipped, then these two are over; 0: all
 *
 * and for the whole proxy: proxy_refuse (connections are reset as soon as they come), proxy_reset (all links, now).
 *
 * Thread rules: open and close by one thread, the others by any.  A change holds when its call returns.
 */
#ifndef HOIST_TESTS_CHAOS_PROXY_H
#define HOIST_TESTS_CHAOS_PROXY_H

#include "shared/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROXY_LINKS_MAX = 1024, PROXY_ADDRESS_MAX = 127 };

enum proxy_direction { PROXY_UP, PROXY_DOWN };

struct proxy_fault {
    int delay_ms; /* 0 .. 60,000 */
    int64_t rate; /* bytes a second; 0: no limit */
    bool slice, hold, swallow;
    bool cut, flip; /* whether the next two count */
    int64_t cut_at, flip_at;
    int flip_bit; /* 0 .. 7 */
    int times;
};

struct proxy_counts {
    int64_t accepted; /* connections */
    int64_t
        refused; /* by a fault, or because the server could not be connected to, or there were too many */
    int64_t cut, flipped, swallowed_bytes;
    int64_t bytes[2]; /* passed on, by direction */
    int64_t links;    /* now */
};

struct proxy;

/*
 * listen and target: "127.0.0.1:6379" (port 0: the kernel's choice) or "unix:/path".  A unix path that is there is removed first.
 * ERR_CONFIG: cannot be parsed or listened on; ERR_RETRY: no thread or descriptors; ERR_NOMEM.
 */
MUST_CHECK enum err_code proxy_open(const char *listen, const char *target,
                                    struct proxy **ret_proxy, struct err *e);
void proxy_close(struct proxy *p); /* all links are reset; takes NULL */

/* Where it listens, in the form of proxy_open, and the port (0 for unix). */
const char *proxy_address(const struct proxy *p);
int proxy_port(const struct proxy *p);

void proxy_set(struct proxy *p, enum proxy_direction d, const struct proxy_fault *f);
void proxy_refuse(struct proxy *p, bool refuse);
void proxy_reset(struct proxy *p);
/* No fault in either direction, and connections are taken. */
void proxy_heal(struct proxy *p);

struct proxy_counts proxy_counts(struct proxy *p);

#endif
