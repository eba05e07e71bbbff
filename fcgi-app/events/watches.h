/*
 * watches: the jobs that somebody waits for or listens to, each once, however many do.
 *
 *     job id --hash--> watch --> listener, listener ...          urgent: to be looked at now, in this order
 *
 * Pure but for memory; all belongs to one thread.
 */
#ifndef HOIST_FCGI_WATCHES_H
#define HOIST_FCGI_WATCHES_H

#include "fcgi-app/events/sse.h"
#include "shared/job.h"

#include <stdbool.h>

struct listener;

struct watch {
    struct job job;             /* as known last; owned */
    struct listener *listeners; /* linked by their watch_next */
    int64_t check_ms;           /* look at the record then, though nothing was told */
    bool is_urgent;
    struct watch *urgent_next;
    struct watch *bucket_next;
    size_t place; /* in list */
};

struct watches {
    struct watch **buckets;
    size_t bucket_count; /* a power of two */
    struct watch **list; /* max of them */
    size_t count, max;
    size_t running; /* of which so many were running when they were looked at last */
    struct watch *urgent_first, *urgent_last;
};

/* For max jobs.  False: no memory. */
bool watches_init(struct watches *w, size_t max);
void watches_release(struct watches *w); /* with all jobs; takes a zeroed one */

/* That of this job; a new one takes *job over and is urgent.  NULL: no memory, or there are max. */
struct watch *watches_get(struct watches *w, struct job *job);
/* NULL: nobody watches it. */
struct watch *watches_find(const struct watches *w, const char *queue,
                           const char *uuid);
/* Nobody does any more. */
void watches_remove(struct watches *w, struct watch *one);
/* The same job, in another state now; what it was is released. */
void watches_set_job(struct watches *w, struct watch *one, struct job *job);

void watches_hurry(struct watches *w, struct watch *one);
/* The next urgent one, urgent no longer; NULL: none. */
struct watch *watches_next(struct watches *w);

#endif
