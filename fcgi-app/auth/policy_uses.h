/*
 * policy_uses: a policy with a nonce is good for one upload.
 *
 *     policy_uses_look    before the body is read: has it been used?
 *     policy_uses_take    right before the promise (accept.h): from now on it has
 *     policy_uses_drop    the promise was not made, or is taken back: it has not
 *
 * Two places remember it until it has expired: a file in the spool (policy_marks.h), and hoist:policy:<id> in Redis, SET NX,
 * whose value is the uuid of the first job.
 *
 * What is promised: of all uploads with one such policy, however many come at the same time, at most one is answered 202
 *     through responders that share a spool: always, whatever Redis says, a FLUSHALL included
 *     through all responders of one Redis:   while it can be asked and keeps what it was told
 * The others are answered 409.  While Redis is away uploads are taken all the same, as ever.  A responder that dies between
 * take and promise has used up the policy for nothing: its client, who got no answer, needs another one.  With an
 * Idempotency-Key a repeated upload is answered as the first one was, and uses nothing (idempotency.h).
 */
#ifndef HOIST_FCGI_POLICY_USES_H
#define HOIST_FCGI_POLICY_USES_H

#include "fcgi-app/http/exchange.h"

/* All do nothing where x has no policy with a nonce.
 * PROBLEM_POLICY_USED; take also PROBLEM_UNAVAILABLE, PROBLEM_FULL, PROBLEM_INTERNAL: the spool cannot keep it */
enum problem policy_uses_look(struct exchange *x, struct err *e);
enum problem policy_uses_take(struct exchange *x, struct err *e);
void policy_uses_drop(struct exchange *x);

#endif
