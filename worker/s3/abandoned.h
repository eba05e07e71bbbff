/*
 * abandoned: uploads in parts that nobody will go on with, ended.
 *
 *     each journal in parts/ --> its job done, dead, cancelled, or gone with its manifest? --> s3_clear --> the journal goes
 *                                waiting, running: left alone
 *
 * A dead job keeps its bytes; its upload begins anew when it is retried.  One journal at a time.  Any number of workers may do it:
 * an upload that is aborted twice is aborted, and one that is aborted under a worker that has just begun with it is begun anew.
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_ABANDONED_H
#define HOIST_WORKER_ABANDONED_H

#include "worker/dest/destinations.h"
#include "worker/env.h"

enum { ABANDONED_MAX = 256 /* journals that are looked at in one go */ };

enum abandoned_result {
    ABANDONED_CLEARED, /* the store has confirmed; with dry_run: would be asked */
    ABANDONED_LEFT     /* why tells: another time */
};

struct abandoned_options {
    const struct worker_env *env;
    struct destinations *destinations;
    const struct job_id *only; /* of this job alone; copied; NULL: of all */
    bool dry_run;
    /* Told of each that is abandoned; name is that of its file; may be NULL. */
    void (*on_result)(const char *name, enum abandoned_result result, const char *why,
                      void *ctx);
    void (*on_done)(void *ctx); /* once, later; it is gone then */
    void *ctx;
};

struct abandoned;

/* NULL: no memory, nothing is called. */
struct abandoned *abandoned_begin(const struct abandoned_options *o);
/* Begin no more, stop what is under way.  on_done comes soon. */
void abandoned_stop(struct abandoned *a);

#endif
