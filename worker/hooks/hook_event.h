/*
 * hook_event: what a webhook tells, from an entry of a queue's outbox to the jobs that deliver it.  Pure; the entry is
 * untrusted.
 *
 *     outbox  event done|dead|cancelled  id <uuid>  and the fields of its record, as they were then
 *             event batch                id <uuid>  hooks <names, or ->  callback <url, or ->
 *         |
 *         v   hook_event_parse
 *     struct hook_event                                              hook_event_wanted: which webhooks want it
 *         |   hook_event_make_job, for each of these
 *         v
 *     job of source "hook" in the webhook's queue: payload, callback, hook (the event), to (the webhook), name (the job told of)
 *
 * Its id is made of the job's id, the event, when the job ended (but for done: a job that is found done once more is told
 * of once) and the webhook, so that whoever makes it makes the same one: enqueued twice it is there once.  So is the event's
 * id in the payload, without the webhook.  Its group is that of the job and webhook: events of one job go one after the other.
 *
 * The payload is an object:
 *     {"event":"done","event_id":"<uuid>","at":"<RFC 3339>","job":{as GET /v1/jobs/{id} shows it},"meta":{"NAME":"VALUE"}}
 *     {"event":"batch","event_id":"<uuid>","at":"<RFC 3339>","batch":{"id":"<uuid>","total":N,"done":N,"dead":N,"cancelled":N}}
 * of at most JOB_PAYLOAD_MAX bytes; of a job with more than fits its results, then its error, meta and addresses, and at last all
 * that is long but its name and key are cut.
 */
#ifndef HOIST_WORKER_HOOK_EVENT_H
#define HOIST_WORKER_HOOK_EVENT_H

#include "shared/config.h"
#include "shared/job.h"
#include "shared/redis.h"

struct hook_event {
    enum config_event kind;
    char word[16]; /* of kind */
    struct job
        job; /* of a job's end: its record; of a batch: hooks and callback alone */
    struct uuid uuid; /* of the job or batch */
    int64_t at_ms;    /* when it happened */
    /* Of a batch, in all queues together; filled in by the caller. */
    int64_t total, done, dead, cancelled;
};

void hook_event_release(struct hook_event *v); /* leaves all zero */

/* entry: [id, [name, value ...]] as XRANGE gives it.  ERR_REJECT says what is impossible in it. */
MUST_CHECK enum err_code hook_event_parse(const struct redis_value *entry,
                                          const char *queue, struct hook_event *ret,
                                          struct err *e);

/* Walk the webhooks that want v: *at is 0 at first.  NULL: there are no more.  Names that are not configured (any more) are
 * passed over. */
const struct config_webhook *hook_event_wanted(const struct hook_event *v,
                                               const struct config *c, size_t *at);

/* The job that tells w of v; *ret is JOB_INIT.  ERR_REJECT, ERR_NOMEM. */
MUST_CHECK enum err_code hook_event_make_job(const struct hook_event *v,
                                             const struct config *c,
                                             const struct config_webhook *w,
                                             struct job *ret, struct err *e);

#endif
