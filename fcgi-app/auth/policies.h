/*
 * policies: requests that come with a signed policy (policy.h), and where one is made.
 *
 *     ?policy=v1.…   X-Hoist-Policy: v1.…     access_identify --> policies_verify --> x->access, x->policy
 *     a form's first field, policy            options.h, find_policy --> policies_take --> the same
 *
 *     POST /v1/policies {"to":"s3","max_bytes":1048576,"expires_in":600,"once":true}
 *         201 {"policy":"v1.…","expires":1796000600}
 *
 * The body of that has the members of a policy, and instead of `expires` may have `expires_in` (seconds; 3600 if neither is
 * there), and `once` (true: a nonce is added).  Who asks must have the scope upload and a policy key in its section, and can
 * allow nothing that it may not do: queue and destination are looked at here, and again when the policy is used, with all
 * other limits of the section, whose quotas count.
 *
 * With a policy one may upload, and look at the jobs that were made with it; as long as it has not expired.
 */
#ifndef HOIST_FCGI_POLICIES_H
#define HOIST_FCGI_POLICIES_H

#include "fcgi-app/http/exchange.h"

/* The policy in query or headers; ret->s is NULL where there is none.  PROBLEM_BAD_REQUEST: there are several. */
enum problem policies_find(const struct request *r, struct request_text *ret,
                           struct err *e);

bool policies_has_key(const struct config_auth *a);

/* Whether the request is a form that may bring one: a POST of multipart/form-data, and a section has a key. */
bool policies_may_come(const struct exchange *x);

/* Fill in x->policy, x->access and what the batch has of it.  PROBLEM_POLICY, PROBLEM_POLICY_USED, PROBLEM_INTERNAL. */
enum problem policies_verify(struct exchange *x, const struct request_text *text,
                             struct err *e);

/* The same for options.h: ctx is the exchange. */
enum problem policies_take(void *ctx, const struct request_text *text,
                           const struct policy **ret, struct err *e);

/* POST /v1/policies */
void policies_make(struct exchange *x);

#endif
