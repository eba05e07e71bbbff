/*
 * hook_answer: what a receiver's answer to a webhook means.  Pure; the answer is untrusted.  The table is in dest_hook.h.
 */
#ifndef HOIST_WORKER_HOOK_ANSWER_H
#define HOIST_WORKER_HOOK_ANSWER_H

#include "worker/dest/destination.h"
#include "worker/http/http.h"

/* Fill in done, or the failure.  A whole head of a final answer has come. */
void hook_answer_judge(const struct http_response *r, struct outcome *ret);

#endif
