/*
 * redis_check: whether a server may be trusted with the queue, judged by what INFO says (which works where CONFIG is
 * barred).
 *
 *     INFO --redis_facts_read--> struct redis_facts --redis_check--> ERR_OK | ERR_CONFIG, what to change
 *
 *   | what INFO says                | verdict | why                                                                |
 *   | version before 6.2            | refused | the scripts use what 6.2 brought                                   |
 *   | maxmemory-policy allkeys-*    | refused | the server throws away what is old when memory is short: records   |
 *   |                               |         | of waiting jobs, and whole queues, which have no expiry            |
 *   | maxmemory-policy volatile-*   | warned  | only keys with an expiry are thrown away: records of ended jobs    |
 *   |                               |         | and of workers.  No unfinished job is concerned                    |
 *   | noeviction                    | fit     | when memory is full, jobs end and new ones wait in the spool       |
 *   | nothing (INFO is barred, or a | fit     | it cannot be known; uploads are safe in any case, since the spool  |
 *   | server without the field)     |         | is the truth and what Redis lost is made again from it             |
 *
 * maxmemory does not matter to the verdict: without one nothing is evicted today, but it can be set at any time; the text
 * says which it is.
 *
 * When it is looked at: by redis_check_start before a program does anything, then in the handshake of every connection (a
 * fail-over may lead to a server with other settings), and again on a connection that is used a minute later.  A server
 * that is refused gets no command but INFO: workers claim nothing, jobs of accepted uploads wait in the spool.  It is asked
 * again with every attempt to connect, so that nothing has to be restarted once it is mended.
 */
#ifndef HOIST_SHARED_REDIS_CHECK_H
#define HOIST_SHARED_REDIS_CHECK_H

#include "shared/redis.h"

enum { REDIS_CHECK_EVERY_MS = 60 * 1000 };

struct redis_facts {
    int major,
        minor; /* of the version; 0: not told.  Valkey's own where it is higher */
    int64_t maxmemory; /* bytes; 0: no limit; -1: not told */
    char policy[32];   /* maxmemory-policy; "": not told */
};

#define REDIS_FACTS_INIT                                                               \
    {                                                                                  \
        .maxmemory = -1                                                                \
    }

/* Pure.  Any bytes: what is no line of INFO is passed over, a value that is none counts as not told. */
void redis_facts_read(const char *info, size_t len, struct redis_facts *ret);

/* ERR_CONFIG: no server for us; the text names the setting, its value and what to set. */
MUST_CHECK enum err_code redis_check(const struct redis_facts *f, struct err *e);
/* Whether a person should be told that records of ended jobs may vanish early (volatile-*). */
bool redis_check_warns(const struct redis_facts *f);

/* For the start of a program: connect once and look.  ERR_CONFIG as above.  ERR_OK also where the server cannot be asked
 * (away, loading, wrong password): that may change, and is told by whoever needs it then.  Takes at most both time-outs of
 * the options.  ERR_NOMEM. */
MUST_CHECK enum err_code redis_check_start(const struct redis_options *o,
                                           struct err *e);

#endif
