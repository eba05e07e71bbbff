/*
 * tally: what a worker has done since it began, in numbers: by destination, of leases, of reconcile.
 *
 *     report, transfer, maintenance, reconciler --tally_...--> numbers --metrics_text--> Prometheus
 *
 * A job's destination counts by its name where it is a configured one, as "several" where it has more than one, else as
 * "other": so clients cannot make up names here.  Belongs to the loop's thread.  All take a NULL tally: nobody counts.
 */
#ifndef HOIST_WORKER_TALLY_H
#define HOIST_WORKER_TALLY_H

#include "shared/config.h"
#include "shared/histogram.h"
#include "shared/reconcile.h"

enum { TALLY_SEVERAL = CONFIG_DESTINATIONS_MAX, TALLY_OTHER, TALLY_DESTINATIONS };

enum tally_result {
    TALLY_DONE,
    TALLY_FAILED, /* to be tried again */
    TALLY_DEAD,
    TALLY_CANCELLED,
    TALLY_RELEASED, /* given back, no attempt counted */
    TALLY_RESULTS
};

struct tally_destination {
    int64_t results[TALLY_RESULTS];
    struct histogram ms, bytes; /* of uploads that worked */
};

struct tally {
    const struct config *config;
    struct tally_destination destinations[TALLY_DESTINATIONS];
    int64_t leases_lost;   /* another worker had the job */
    int64_t leases_late;   /* not renewed in time: the upload was stopped */
    int64_t leases_reaped; /* of others, that ran out and were taken back */
    int64_t passes_done, passes_failed;
    int64_t pass_ms; /* wall clock: when the latest good pass ended; 0: none yet */
    struct reconcile_stats repairs, latest; /* of all passes; of that one */
};

void tally_init(struct tally *t, const struct config *config);
/* to: as in the job's record; NULL where it is not known. */
void tally_end(struct tally *t, const char *to, enum tally_result result);
void tally_upload(struct tally *t, const char *to, int64_t ms, int64_t bytes);
void tally_lost(struct tally *t);
void tally_late(struct tally *t);
void tally_reaped(struct tally *t);
/* A pass has ended; what it did counts even where it failed. */
void tally_pass(struct tally *t, bool is_done, const struct reconcile_stats *s,
                int64_t wall_ms);

#endif
