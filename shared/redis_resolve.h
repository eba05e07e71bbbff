/*
 * redis_resolve: host names with a deadline, which getaddrinfo(3) does not have.  For redis.c only (the asynchronous
 * connection asks libuv).
 *
 * A look-up that misses its deadline goes on in the C library's thread; the next call for the same target waits
 * for the same one, so that a dead name server holds one thread and not one for each try.
 */
#ifndef HOIST_SHARED_REDIS_RESOLVE_H
#define HOIST_SHARED_REDIS_RESOLVE_H

#include "shared/redis.h"

struct addrinfo;
struct redis_lookup;

/* The addresses of t->host (caller: freeaddrinfo).  *lookup is NULL at the first call and keeps what is under way
 * between calls; deadline_ms as of clock_mono_ms.  ERR_RETRY: not found, or not in time. */
MUST_CHECK enum err_code redis_resolve(const struct redis_target *t,
                                       struct redis_lookup **lookup,
                                       int64_t deadline_ms, struct addrinfo **ret,
                                       struct err *e);
void redis_lookup_free(struct redis_lookup *l); /* takes NULL */

#endif
