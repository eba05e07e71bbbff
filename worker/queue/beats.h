/*
 * beats: keeps the leases of running jobs alive, and hears what happened to them.
 *
 * Every third of the lease, and at least every 2.5 s, one batched beat per queue (QUEUE_BATCH_MAX leases a call) renews
 * what is held and stores how many bytes have left.  LOST aborts the transfer, which then touches nothing; CANCELLED aborts it and
 * finishes it as cancelled.  Every quarter of that time, without a command: leases that could not be renewed in time
 * are given up (transfers_check_leases), reports that could not be told are told (transfers_resume).
 * With no job held nothing is sent.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_BEATS_H
#define HOIST_WORKER_BEATS_H

#include "worker/env.h"
#include "worker/transfer.h"

struct beats;

MUST_CHECK enum err_code beats_open(const struct worker_env *env,
                                    struct transfers *transfers, struct beats **ret,
                                    struct err *e);
/* Its timer closes on a later turn of the loop; the memory goes with it.  Replies may still come before. */
void beats_close(struct beats *b);

/* Beat now: the connection is ready again. */
void beats_now(struct beats *b);

#endif
