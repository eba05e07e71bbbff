/*
 * credentials: the keys of one destination, where they are from, and what happens when there are none.
 *
 *     configuration, environment, file (read again when it has changed)  ---\
 *     IMDSv2, container endpoint, STS (asked again before keys expire)   ----+--> credentials_key --> sigv4
 *
 *     a request was signed with generation g, and refused:
 *         credentials_refuse(g) --> others may be had: credentials_await, sign once more
 *                              '--> there are no others: credentials_pause; give the job back for credentials_hold_ms
 *
 * Guarantees
 *   - One request for keys at a time, however many wait.  It is made on demand: from five minutes before they expire (half
 *     of their life, where that is less; a little earlier by chance, so that many workers do not ask at once), or
 *     when the store refused those there are.  Meanwhile the old ones go on being used as long as they are valid.
 *   - A source that fails is asked again after 1 s, then 2 s and so on up to 60 s.
 *   - A destination whose keys the store refuses rests for 1 s, then 2 s and so on up to 60 s, until it takes some.  Neither costs
 *     a job an attempt: see outcome.hold_ms.
 *   - A file that cannot be read any more, or is half written, leaves the keys that were read before.
 *   - Secrets are wiped when they are replaced and at the end, and never logged.
 *
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_CREDENTIALS_H
#define HOIST_WORKER_CREDENTIALS_H

#include "shared/config.h"
#include "shared/err.h"
#include "shared/sigv4.h"
#include "worker/http/http.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
    CREDENTIALS_AHEAD_MS = 5 * 60 * 1000, /* before keys expire */
    CREDENTIALS_PAUSE_MS = 1000,          /* the first pause, doubled up to */
    CREDENTIALS_PAUSE_MAX_MS = 60 * 1000
};

struct credentials;

struct credentials_options {
    uv_loop_t *loop;
    struct http *http;
    const struct config_destination *config;
    char *const *env; /* environ-like; NULL: none */
};

/* All of o outlives it.  Keys that cannot be had now are no error.  ERR_NOMEM. */
MUST_CHECK enum err_code credentials_open(const struct credentials_options *o,
                                          struct credentials **ret, struct err *e);
/* Nobody may wait.  A request under way is cancelled; what is left goes on later turns of the loop, before or when http is
 * closed.  Takes NULL. */
void credentials_close(struct credentials *c);

/* What to sign with now: valid until this returns to the loop.  NULL: there is nothing, see credentials_await. */
struct sigv4_key *credentials_key(struct credentials *c);
/* Changes whenever other keys have come. */
uint64_t credentials_generation(const struct credentials *c);

/* Somebody who waits; the storage is the caller's.  done and ctx are set by the caller, the rest is zeroed. */
struct credentials_wait {
    void (*done)(void *ctx);
    void *ctx;
    struct credentials_wait *next, **link; /* link is NULL when it does not wait */
};

/* Call done on a later turn of the loop, when there are keys, or it is known that there are none for now: credentials_key
 * tells. */
void credentials_await(struct credentials *c, struct credentials_wait *w);
/* done is not called any more.  Of one who does not wait: nothing happens. */
void credentials_forget(struct credentials_wait *w);

/* The store refused what was signed with that generation.  True: there are newer ones, or they are being asked for; await
 * them, then see whether the generation has changed. */
bool credentials_refuse(struct credentials *c, uint64_t generation);
/* The store refused the newest keys, too, which are those of that generation: nothing is to be sent for a while.  error: what
 * it said.  False: it is this request alone, since others signed with them were taken after a pause, a moment ago. */
bool credentials_pause(struct credentials *c, uint64_t generation, const char *error);
/* The store took what was signed with that generation. */
void credentials_accept(struct credentials *c, uint64_t generation);

/* How long nothing is to be sent; 0: it may be. */
int64_t credentials_hold_ms(struct credentials *c);
/* Why, for people. */
const char *credentials_error(const struct credentials *c);

#endif
