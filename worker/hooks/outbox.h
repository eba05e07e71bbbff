/*
 * outbox: empties the outboxes of queues into the queues of webhooks.
 *
 *     XRANGE outbox --> hook_event --> jobs: manifests in the spool --> enqueued in {hooks} --> XDEL of what was read
 *                          |                 (on the thread pool)
 *                          '-- of a batch: HMGET in every configured queue, since it may be in several; told when all have ended
 *
 * A webhook's queue is another hash tag than the job's, so the two cannot change in one script.  What is to be told therefore
 * stands in the job's own queue from the very moment it ended, and leaves it after all that tells it is on disk and in
 * Redis.  A worker that dies in between has it done again by the next one: the ids of the jobs are made of what they tell, so
 * that nothing is there twice.  Any number of workers may do it at the same time.
 *
 *   - An outbox is read from its beginning, a page at a time, in order; each page is settled before the next one is read.
 *   - What fails for a while (Redis away or at maxmemory, a full queue or spool) is left there; the queue's scripts ask again
 *     within 5 s.  What can never be told (a record that is impossible) is logged and taken out.
 *   - The manifest makes a webhook outlive a Redis that forgets everything, as any job; nothing else of it is on disk.
 *
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_OUTBOX_H
#define HOIST_WORKER_OUTBOX_H

#include "worker/env.h"

enum { OUTBOX_PAGE = 8 };

struct claimer;
struct outboxes;

/* claimer is told of the jobs that queues of webhooks have got. */
MUST_CHECK enum err_code outboxes_open(const struct worker_env *env,
                                       struct claimer *claimer, struct outboxes **ret,
                                       struct err *e);
/* Something is in the outbox of this queue.  o may be NULL. */
void outboxes_empty(struct outboxes *o, const char *queue);
/* None is being emptied.  o may be NULL. */
bool outboxes_are_idle(const struct outboxes *o);
/* Begin nothing more.  o goes with the last that is under way.  Takes NULL. */
void outboxes_close(struct outboxes *o);

#endif
