/*
 * dest_hook: delivers webhooks: jobs of source "hook" (shared/job.h), whose payload is POSTed and not stored anywhere.
 *
 *     POST <url>                                  of [webhook NAME], or the job's callback
 *     Content-Type: application/json
 *     Hoist-Event: done                           done, dead, cancelled, batch
 *     Hoist-Delivery: hooks.<uuid>                the job that delivers: the same in each of its attempts
 *     Hoist-Signature: t=…,v1=…                   hook_sign.h; made anew for each attempt
 *     traceparent, tracestate                     those of the request that made the job
 *
 *   2xx                       done; the answer's body is not read
 *   410                       dead at once, class "gone": the receiver does not want this one.  Nothing is switched off
 *   refused address or URL    dead at once, class "refused"
 *   429, 503                  again, Retry-After heeded; anything else, no answer in time: again, until max_attempts
 *
 * Guarantees
 *   - Only what the webhook's lists allow is connected to (fetch_filter.h), decided by the address of the socket; no redirect
 *     is followed; a connection is used once.
 *   - A request ends within the webhook's timeout, whatever the receiver does.
 *
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_DEST_HOOK_H
#define HOIST_WORKER_DEST_HOOK_H

#include "worker/dest/destination.h"
#include "worker/env.h"
#include "worker/http/http.h"

MUST_CHECK enum err_code dest_hook_open(const struct worker_env *env, struct http *http,
                                        struct destination **ret, struct err *e);

#endif
