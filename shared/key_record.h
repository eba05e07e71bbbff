/*
 * key_record: what is kept of a request that had an idempotency key: what it was, and what it was answered.  Pure.
 *
 *     hoist-key 1
 *     created 1763821591123                  ms since the epoch
 *     print 2cf24dba…                        SHA-256 of what the request was (fcgi-app/upload/idempotency.h)
 *     ids 2                                  QUEUE.UUID of its jobs; of one that opened a batch: where that is kept, its uuid
 *     media.0193…
 *     media.0193…
 *     body 412                               of the answer, byte for byte
 *     {"batch":…
 *     seal 9f86d081…                         SHA-256 of all before this line
 *
 * What is not whole was never finished, since the promise is made after it (spool_keys.h): it reads as no record.
 */
#ifndef HOIST_SHARED_KEY_RECORD_H
#define HOIST_SHARED_KEY_RECORD_H

#include "shared/buf.h"
#include "shared/digest.h"
#include "shared/err.h"
#include "shared/id.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    KEY_RECORD_IDS_MAX = 10000, /* as many as a form may have parts */
    KEY_RECORD_BODY_MAX = 512 * 1024,
    KEY_RECORD_MAX = KEY_RECORD_BODY_MAX + KEY_RECORD_IDS_MAX * (ID_JOB_MAX + 1) + 512
};

struct key_record {
    int64_t created;                   /* ms; 0: there is no record */
    char print[DIGEST_SHA256_HEX + 1]; /* of the request */
    const char *ids;                   /* borrowed: lines */
    size_t id_count;                   /* at least 1 */
    const char *body;                  /* borrowed */
    size_t body_len;
};

/* Write created, print and body of r, with these ids; r->ids is not looked at.  ERR_NOMEM: it does not fit. */
MUST_CHECK enum err_code key_record_format(const struct key_record *r,
                                           const struct job_id *ids, struct buf *ret,
                                           struct err *e);
/* Read it; *ret points into text.  False: it is no whole record. */
bool key_record_parse(const char *text, size_t len, struct key_record *ret);
/* The next of its ids, of which *at keeps the place: 0 at first.  False: there are no more. */
bool key_record_next(const struct key_record *r, size_t *at, struct job_id *ret);

#endif
