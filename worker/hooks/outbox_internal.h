/*
 * outbox_internal: one page of an outbox on its way, for outbox.c (reading, batches, life cycle) and outbox_tell.c (jobs,
 * manifests, enqueueing, taking out).
 */
#ifndef HOIST_WORKER_OUTBOX_INTERNAL_H
#define HOIST_WORKER_OUTBOX_INTERNAL_H

#include "shared/log_limit.h"
#include "worker/hooks/hook_event.h"
#include "worker/hooks/outbox.h"

enum { TARGETS_MAX = JOB_HOOKS_MAX + 1, JOBS_MAX = OUTBOX_PAGE * TARGETS_MAX };

struct outboxes {
    const struct worker_env *env;
    struct claimer *claimer;
    struct drain *first; /* those under way */
    struct log_limit said;
    bool closing;
};

/* One entry of a page. */
struct entry {
    struct drain *drain;
    char id[48]; /* in the stream */
    struct hook_event event;
    bool is_told; /* there is something to tell */
};

/* One queue whose outbox is being emptied. */
struct drain {
    struct outboxes *set;
    struct drain *next;
    char queue[ID_QUEUE_MAX + 1];
    bool again;   /* asked for meanwhile */
    size_t asks;  /* replies that are awaited */
    bool failed;  /* the page stays */
    bool is_full; /* there may be another one behind it */
    struct entry entries[OUTBOX_PAGE];
    size_t count;
    struct job jobs[JOBS_MAX];
    size_t job_count;
    uv_work_t work;
    enum err_code code; /* of the work */
    struct err err;
};

/* outbox.c */
void outbox_read_page(struct drain *d);
/* What the page held goes from memory. */
void outbox_clear_page(struct drain *d);
void outbox_end(struct drain *d);
/* It stays in the outbox; the queue says so again.  d goes. */
void outbox_give_up(struct drain *d, const char *text, const struct err *e);
/* An entry that can never be told. */
void outbox_leave_out(const struct entry *en, const struct err *e);

/* outbox_tell.c */
void outbox_tell_page(struct drain *d);

#endif
