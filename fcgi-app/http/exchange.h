/*
 * exchange: one request being answered: what a route's function is given.
 *
 * A handler thread has one of these and uses it again and again, with its buffers.  The function reads x->request (and
 * the body, through x->web), fills in x->response and returns; the handler sends it.  Only a parked request (parked
 * is true: listeners.h took conn over) is answered elsewhere.
 */
#ifndef HOIST_FCGI_EXCHANGE_H
#define HOIST_FCGI_EXCHANGE_H

#include "fcgi-app/auth/access.h"
#include "fcgi-app/app.h"
#include "fcgi-app/upload/batch.h"
#include "fcgi-app/fastcgi/fastcgi.h"
#include "fcgi-app/upload/idempotency.h"
#include "fcgi-app/http/prefer.h"
#include "fcgi-app/auth/quota.h"
#include "fcgi-app/http/request.h"
#include "fcgi-app/http/response.h"
#include "fcgi-app/jobs/waits.h"
#include "shared/digest.h"

#include <stdatomic.h>
#include <stdbool.h>

enum { EXCHANGE_CHUNK = 64 * 1024 };

struct route;

struct exchange {
    struct app *app;
    struct fastcgi *web;    /* owned; NULL before the first request */
    struct gate_conn *conn; /* of the request under way */
    struct request request;
    struct response response;
    struct access access; /* who asks; once access_identify has been called */
    struct digest_sha256 token_digest;
    struct policy policy; /* of access, where it has one */
    bool policy_noted;    /* Redis keeps that it is used (policy_uses.h) */
    struct quota_taken quota;
    struct batch batch;
    struct ingest whole;   /* of a body, by the digests of its request */
    struct redis *redis;   /* opened at first use */
    struct body_file body; /* of the upload under way, where it came as a file */
    char *chunk;           /* EXCHANGE_CHUNK bytes for bodies */
    bool may_wait;         /* for the body; else it is to be left unread */
    bool parked;
    bool hurry;      /* an upload: Redis is not waited for for long, nor twice */
    bool gave_up;    /* waiting for it, in a hurry */
    int retry_after; /* seconds, for a refusal; 0: as problem.h says */
    struct waits_answer waited; /* what the 202 of an upload says */
    struct idempotency idempotency;
    struct prefer prefer;
    bool has_request_id; /* the client gave it: its jobs keep it */
    char traceparent[JOB_TRACEPARENT_MAX + 1]; /* for the log; "": none */

    const struct route
        *_Atomic route;    /* of the request under way or the last one; NULL: none */
    atomic_llong since_ms; /* when the request under way began; 0: none (handlers.h) */
};

MUST_CHECK enum err_code exchange_init(struct exchange *x, struct app *app,
                                       struct err *e);
void exchange_release(struct exchange *x);

/* Send the response and give the connection back.  Also for requests that were parked. */
struct exchange_end {
    struct gate *gate;
    struct fastcgi *web;
    struct gate_conn *conn;
    struct response *response;
    bool head_only;     /* HEAD */
    bool drain;         /* what is left of the body is read first */
    int64_t body_bytes; /* as announced; -1: not */
};
void exchange_send(const struct exchange_end *end);

/* A request begins: forget what the last one left. */
void exchange_begin(struct exchange *x);
/* From now on it waits for others, so that its thread does not count (handlers.h). */
void exchange_hold(struct exchange *x);

/* Its head is known: take from it what concerns every answer (trace.h, prefer.h, etag.h). */
void exchange_read_head(struct exchange *x);
/* What answers, problems, logs and jobs call this request: what the client did in X-Request-Id, else a new uuid. */
const char *exchange_request_id(struct exchange *x);

/* Answer with a problem; e may be NULL. */
void exchange_refuse(struct exchange *x, enum problem p, const struct err *e);

/* Commands to Redis, through the breaker: count replies into ret_replies[0 ..
 * count), to be freed one by one.  ERR_RETRY: it is away (at once while that is known) or says so, as LOADING and READONLY
 * do.  It is waited for 500 ms; in a hurry 100 ms, and after that not again by the same request.  ERR_CONFIG: an operator must act.  Only errors about the question itself are given as replies. */
MUST_CHECK enum err_code exchange_ask(struct exchange *x, const struct redis_cmd *cmds,
                                      size_t count, struct redis_value **ret_replies,
                                      struct err *e);

#endif
