/*
 * batches: what became of several jobs together.
 *
 *     POST /v1/batches              201 {"batch":UUID,"url":…}; JSON {"queue":NAME} says where it is kept (default otherwise),
 *                                   {"callback":URL} who is told of its end (webhooks.h)
 *     POST /v1/batches/{id}/close   200 with the batch: no upload may name it any more; again: the same
 *     GET  /v1/batches/{id}         200 {"batch","open","total","waiting_or_running","done","dead","cancelled","state"
 *                                   and, where it has one, "callback", without its query}
 *
 * state: open; running; ended: closed, and all its jobs have ended.  Numbers are the sum over the configured queues: its
 * jobs may be in any of them.  A batch is forgotten a week after its end.
 *
 * The batch of a request that opened none is named by the uuid of its first job (batch.h), so that where Redis has no
 * such batch, a job of that uuid answers: of a request with one file, from its record; one that Redis does not know yet is
 * "accepted", and of a request with several files nothing but that is known then.  While Redis is away: the manifest, else
 * 503.  What was never a batch is 404.
 *
 * A callback stands in the queue that keeps the batch, and goes from there into each job that joins it, so that it is told
 * of the end in whichever queue that comes, and outlives a Redis that forgets.  Before a batch is closed Redis hears of all
 * that this responder has accepted for it.
 */
#ifndef HOIST_FCGI_BATCHES_H
#define HOIST_FCGI_BATCHES_H

#include "fcgi-app/http/exchange.h"
#include "shared/url.h"

#include <stdbool.h>
#include <stdint.h>

void batches_open(struct exchange *x);
void batches_close(struct exchange *x);
void batches_show(struct exchange *x);

/* Whether the client may see it: it opened the batch, which the key hoist:batch:UUID tells for BATCHES_KEEP_SECONDS after
 * its last use, or may see the job of that uuid.  PROBLEM_NO_BATCH: not, or nobody has it.  PROBLEM_UNAVAILABLE. */
enum { BATCHES_KEEP_SECONDS = 30 * 24 * 3600 };
enum problem batches_check_owner(struct exchange *x, const struct uuid *id,
                                 struct err *e);

struct batches_sum {
    bool is_known; /* some queue has it */
    bool open;
    int64_t total, done, dead, cancelled;
    char callback[URL_MAX + 1]; /* of its own; "": none */
};
/* ERR_RETRY: Redis cannot be asked. */
MUST_CHECK enum err_code batches_sum(struct exchange *x, const struct uuid *id,
                                     struct batches_sum *ret, struct err *e);

#endif
