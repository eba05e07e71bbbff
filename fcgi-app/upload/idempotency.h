/*
 * idempotency: a request with an Idempotency-Key makes its jobs once, however often it is sent.
 *
 *     idempotency_begin --> new    --> idempotency_note ..., idempotency_store (within the commit) --> answered
 *         |                                 '--> refused: idempotency_drop; the key is free again
 *         |-> known  --> idempotency_note ..., idempotency_compare --> answered as the first one was (replay), or 422
 *         '-> busy   --> 409, Retry-After: another one is under way
 *
 * Scope: the owner of the request (who is authorised), so that keys of different clients never meet.  What is compared is
 * the method, the path up to a file name, options (query, X-Hoist- headers, form fields, members of JSON) in their order,
 * and of each file its name, type, size and SHA-256; not the boundary of a form, nor other headers.  So it is known only
 * after the body: of a known request it is read and digested, and not stored.
 *
 * Only a request that made something keeps its key (spool_keys.h): one that was refused may be sent again with it.
 *
 * What is promised: one set of jobs for each key, through all responders that share the spool, whatever of them, Redis or
 * the machine fails when; in flight means that a living request holds the key.  A spool on another host has keys of its own:
 * where several hosts take uploads, the balancer must send what has the same key to the same host, or they are two.
 * The record lives while any of its jobs is known, and at least [http] idempotency_keep_seconds.
 *
 * A struct idempotency belongs to its exchange.
 */
#ifndef HOIST_FCGI_IDEMPOTENCY_H
#define HOIST_FCGI_IDEMPOTENCY_H

#include "fcgi-app/http/problem.h"
#include "shared/spool_keys.h"

#include <stdbool.h>

struct exchange;

struct idempotency {
    bool is_given; /* there is a key, and this request has it */
    bool is_known; /* another request had it, and was answered */
    struct spool_key key;
    struct digest_sha256 digest; /* of what the request is; kept for reuse */
    struct buf text;             /* a record */
    struct key_record record;    /* of text, is_known */
};

void idempotency_init(struct idempotency *i);
void idempotency_release(struct idempotency *i); /* its key must have been given back */

/* Take the key of the request, if it has one.
 * PROBLEM_BAD_REQUEST    it is none, or given twice
 * PROBLEM_KEY_IN_FLIGHT  PROBLEM_UNAVAILABLE  PROBLEM_FULL  PROBLEM_INTERNAL: as the spool says */
enum problem idempotency_begin(struct exchange *x, struct err *e);
/* One more thing that the request is, of any bytes; nothing happens where there is no key. */
void idempotency_note(struct idempotency *i, const char *what, const void *data,
                      size_t len);
/* Of a known one, when all is noted.  PROBLEM_KEY_REUSED: it is another request. */
enum problem idempotency_compare(struct exchange *x, struct err *e);
/* Of a new one, when all is noted: its jobs and the body of its answer.  ERR_RETRY and others as of the spool. */
MUST_CHECK enum err_code idempotency_store(struct exchange *x, const struct job_id *ids,
                                           size_t count, const struct buf *body,
                                           struct err *e);
/* What it made is about to be taken back. */
void idempotency_drop(struct exchange *x);
/* The request has been answered, or refused. */
void idempotency_end(struct exchange *x);

#endif
