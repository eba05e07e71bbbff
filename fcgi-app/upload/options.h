/*
 * options: how an upload is to be treated: the same names as query parameter, X-Hoist-... header and form field.
 * Pure.
 *
 *     queue       a configured queue                        default
 *     priority    0 first .. 9                              the queue's
 *     delay       seconds, up to a year                     none
 *     at          RFC 3339, up to a year ahead; the past is now
 *     to          a configured destination                  the queue's
 *     convert     configured converters, "a, b"             the queue's; empty: none
 *     key         object key (job_key_is_safe)              the destination's template, <uuid>.<extension>
 *     name        file name of a raw body
 *     sha256      of the bytes of the next file, 64 hex digits: verified
 *     meta.NAME   user metadata (header X-Hoist-Meta-NAME); for s3://, as much as fits into its headers (s3_meta.h)
 *     callback    URL that is told of the job's end (webhooks.h); empty: nobody
 *     group, after, after_failure, unique, unique_until, unique_window, batch: see options_ties.h
 *
 *     policy      a signed policy (policy.h); one that is a form's first field is found by find_policy
 *
 * Where there is a policy, what it says of these holds, and the client may only set what it leaves to it.
 *
 * Query and headers together may give an option once, and delay or at, not both.  A form field overrides what was there, for the files after it.
 * Nothing is silently left out.
 */
#ifndef HOIST_FCGI_OPTIONS_H
#define HOIST_FCGI_OPTIONS_H

#include "fcgi-app/auth/policy.h"
#include "fcgi-app/http/problem.h"
#include "fcgi-app/http/request.h"
#include "shared/config.h"
#include "shared/http_digest.h"
#include "shared/job.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_AHEAD_MAX_MS (INT64_C(365) * 24 * 3600 * 1000)

/* Verify the policy that a form brings. */
typedef enum problem options_policy_fn(void *ctx, const struct request_text *text,
                                       const struct policy **ret, struct err *e);
struct idempotency;

struct options {
    /* Set before options_init. */
    const struct policy *policy;    /* that of query or headers, verified; NULL: none */
    options_policy_fn *find_policy; /* a form must bring one; NULL: it need not */
    void *find_ctx;

    const struct config *config;
    int64_t now_ms;                   /* wall clock when the request began */
    const struct config_queue *queue; /* never NULL after options_init succeeded */
    struct job job; /* a template: due, to, key, name, meta, ties; owned */
    char after_queue[ID_QUEUE_MAX + 1]; /* the queue of job.after */
    bool convert_given;                 /* job.convert counts, and NULL there is none */
    bool after_failure_given, unique_until_given;
    int64_t priority; /* -1: the queue's */
    unsigned seen;    /* options given by query or headers */
    bool in_form;
    struct http_digest digest;       /* option sha256: of the next file */
    struct idempotency *idempotency; /* fields are noted for it; NULL: not */
};

/* Start with the defaults and what the policy says, then the query and headers of r.
 * PROBLEM_POLICY: the policy does not allow it; PROBLEM_UNAUTHORIZED: the policy that must come has not come yet. */
enum problem options_init(struct options *o, const struct config *config,
                          const struct request *r, int64_t now_ms, struct err *e);
void options_release(struct options *o);

/* The defaults, and what the policy says, alone. */
enum problem options_begin(struct options *o, const struct config *config,
                           int64_t now_ms, struct err *e);

/* From now on options are form fields. */
void options_enter_form(struct options *o);
/* One option; name and value are any bytes. */
enum problem options_set(struct options *o, const struct request_text *name,
                         const struct request_text *value, struct err *e);

/* Add what the option sha256 said to the digests of the file that begins now; it does not count for the next one. */
void options_take_digest(struct options *o, struct http_digest *d);

/* The same, whatever a policy says. */
enum problem options_put(struct options *o, const struct request_text *name,
                         const struct request_text *value, struct err *e);
/* What the policy says, as if the client had said it. */
enum problem options_apply_policy(struct options *o, struct err *e);

/* Fill *ret (JOB_INIT) with what the options say, but for id.uuid, size and sha256.  PROBLEM_BAD_VALUE: they do not go
 * together; PROBLEM_BAD_OPTION: the destination cannot take so much metadata; PROBLEM_INTERNAL: no memory. */
enum problem options_make_job(const struct options *o, struct job *ret, struct err *e);

#endif
