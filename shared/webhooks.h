/*
 * webhooks: which webhooks a job has, and what they may call.  Pure.
 *
 *     [webhook NAME] url     jobs of its queues and destinations: their NAMEs stand in the job (field hooks)
 *     [webhook callback]     jobs that name a URL themselves (option and field callback)
 *
 *     job ends --the end's script--> outbox of its queue (with its record as it is then)
 *              --a worker (worker/hooks/outbox.h)--> a job in the webhook's own queue, one for each that wants this event
 *              --a worker (worker/hooks/dest_hook.h)--> POST
 *
 * What stands in a job was decided when it was made; a webhook that is configured later is not told of it.
 */
#ifndef HOIST_SHARED_WEBHOOKS_H
#define HOIST_SHARED_WEBHOOKS_H

#include "shared/config.h"
#include "shared/job.h"

#define WEBHOOKS_CALLBACK "callback"

/* Set j->hooks to the names of those that are told of it; its queue and destinations are known.  ERR_NOMEM. */
MUST_CHECK enum err_code webhooks_assign(const struct config *c, struct job *j,
                                         struct err *e);

/* Whether a client may have this URL called.  ERR_CONFIG: there is no [webhook callback]; ERR_REJECT: says why not. */
MUST_CHECK enum err_code webhooks_check_callback(const struct config *c,
                                                 const char *url, size_t len,
                                                 struct err *e);

/* What may be connected to for it: its lists, and what its own url names.  ERR_REJECT: they are no lists. */
MUST_CHECK enum err_code webhooks_rules(const struct config_webhook *w,
                                        struct fetch_rules *ret, struct err *e);

/* "done", "dead", "cancelled", "batch"; 0: none of them. */
enum config_event webhooks_event(const char *word, size_t len);

#endif
