/*
 * responder_worker: what a worker would do to the jobs of a responder under test, one call at a time, so that tests say
 * when a job is running, done or dead.
 *
 *     struct queue_lease l = worker_take("default");      claimed and begun: running
 *     worker_done(&l);  worker_bury(&l);                  done; dead
 */
#ifndef HOIST_TESTS_INTEGRATION_RESPONDER_WORKER_H
#define HOIST_TESTS_INTEGRATION_RESPONDER_WORKER_H

#include "shared/queue.h"

/* The next job of the queue, which must have one within 5 s. */
struct queue_lease worker_take(const char *queue);
/* Its beat, with so many bytes sent. */
void worker_beat(const struct queue_lease *l, int64_t sent);
void worker_done(const struct queue_lease *l);
void worker_bury(const struct queue_lease *l);
/* Promote whatever is due: children whose parent has ended. */
void worker_promote(const char *queue);

#endif
