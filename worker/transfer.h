/*
 * transfer: one job in this worker, from its lease to its end.
 *
 *   add --> STARTING --record--> RUNNING --outcome--> REPORTING --OK--> REMOVING --> gone
 *              |        |  ^       |  ^ abort             |  ^             (spool files of a done or cancelled job)
 *              |        v  |       v  |                   v  |
 *              |       READY     REPORTING             PARKED: Redis is away; told again when it is back
 *              '--- nothing to --> REPORTING
 *                   upload
 *
 * READY: claimed ahead (ahead.h), and as many run as may run at once; the first that was claimed runs next.
 *
 * All that one reply brought is begun by one start script (begin.c).  Ends, done or cancelled, go through the turns of their
 * queue (turns.h), many in one call; fail and release go alone, pipelined, and are parked when no answer comes.
 *
 * Guarantees
 *   - Spool files are removed only after Redis answered OK to the finish of this very lease, and within a lease from when it
 *     was asked.  A worker that was stopped for longer leaves them to reconcile, which looks at the object first: Redis may
 *     have been rolled back meanwhile, and another worker may be reading them.
 *   - A lost lease ends a transfer without a word to Redis and without touching a file.
 *   - A lease that could not be renewed in time (Redis away) is treated as lost for the upload, which stops before
 *     another worker can begin; the job is then offered back (release), which the token decides.  A worker that was stopped
 *     itself looks at its clock before an upload begins.
 *   - A job whose bytes are not in the spool, or not of their size, is done when its object is there with the right bytes
 *     (Redis was restored from an older dump), dead when it is not, and tried again when that cannot be told now, or the
 *     spool is not where it was.
 *   - What became of a job is kept until Redis knows it, as long as this process lives.
 *
 * The set holds at most `capacity` transfers; those that occupy a slot (all but REPORTING) are counted for the claimer, which
 * claims as many as may run at once, and those ahead.
 * A struct transfer is addressed over time by (index, serial): serial is never used twice, so an answer that comes
 * after its transfer has gone finds nothing.  Everything belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_TRANSFER_H
#define HOIST_WORKER_TRANSFER_H

#include "shared/log_limit.h"
#include "worker/dest/destinations.h"
#include "worker/env.h"
#include "worker/flow/flow.h"
#include "worker/progress.h"
#include "worker/queue/ahead.h"
#include "worker/trace/tracer.h"

enum transfer_state {
    TRANSFER_STARTING,  /* start was sent */
    TRANSFER_READY,     /* its turn has not come */
    TRANSFER_RUNNING,   /* a destination has the bytes */
    TRANSFER_REPORTING, /* finish, fail or release was sent, or waits for its turn */
    TRANSFER_PARKED,    /* fail or release could not be sent, or no answer came */
    TRANSFER_REMOVING   /* the spool files go */
};

/* What Redis is to be told. */
enum transfer_report {
    REPORT_DONE,         /* finish as done */
    REPORT_CANCELLED,    /* finish as cancelled */
    REPORT_FAIL,         /* fail, with outcome */
    REPORT_RELEASE,      /* give it back: drain, or the lease could not be kept */
    REPORT_RELEASE_LATER /* give it back, not to be claimed again at once */
};

/* Why a running transfer was stopped.  The first reason stays, but for ABORT_LOST, which takes the place of any. */
enum transfer_abort {
    ABORT_NONE,
    ABORT_LOST,    /* the lease is another worker's */
    ABORT_CANCEL,  /* somebody asked to cancel the job */
    ABORT_DRAIN,   /* this worker stops */
    ABORT_DEADLINE /* the lease could not be renewed */
};

/* How a job has ended, for this worker, once Redis has taken it. */
enum transfer_end {
    TRANSFER_END_DONE,
    TRANSFER_END_CANCELLED,
    TRANSFER_END_FAILED, /* to be tried again later */
    TRANSFER_END_DEAD
};

struct transfer {
    struct transfers *set;
    size_t index;
    uint64_t serial;
    struct queue_lease lease;
    _Atomic int64_t
        lease_end_ms;          /* boot time: from here on another worker may have it */
    struct job job;            /* JOB_INIT until started */
    char name[ID_JOB_MAX + 1]; /* the id, for logs */
    enum transfer_state state;
    enum transfer_abort abort;
    enum transfer_report report;
    struct destination *destination;
    struct destination_run *run; /* set while RUNNING */
    struct flow_job flow;        /* while it runs */
    bool
        looking; /* its bytes are not in the spool: run only looks whether the object is there */
    struct outcome outcome;
    int64_t retry_ms;            /* of a failure; -1: dead */
    int64_t hold_ms;             /* of RELEASE_LATER: not claimed again before */
    int64_t began_ms;            /* monotonic */
    int64_t ready_us;            /* monotonic: its record was here */
    int64_t run_us;              /* monotonic: a destination had the bytes */
    struct tracer_attempt trace; /* while it runs */
    struct progress_meter meter;
    enum queue_answer mark;    /* what start said, while its record is on its way */
    struct transfer *next_end; /* behind it among the ends of its queue */
    uint64_t beat;             /* the latest round of beats it had part in */
};

struct transfers {
    const struct worker_env *env;
    struct destinations *destinations;
    struct claimer *claimer; /* told of ends, and when slots are free */
    struct beats *beats;     /* asked for more when leases are not fresh */
    struct tracer *tracer;   /* told of attempts; NULL: nobody is */
    /* Told of each end, may be NULL. */
    void (*on_end)(const struct transfer *t, enum transfer_end end, void *ctx);
    void *on_end_ctx;
    void (*on_empty)(void *ctx); /* draining, and none is left (may be called again) */
    void *ctx;
    struct transfer **slots; /* capacity pointers, NULL where free */
    size_t capacity;
    size_t count;    /* transfers alive */
    size_t occupied; /* those that the claimer counts */
    size_t running;  /* TRANSFER_RUNNING: at most concurrency */
    size_t ready;    /* TRANSFER_READY */
    struct ahead ahead;
    size_t latest; /* the slot that was taken last */
    uint64_t next_serial;
    bool draining, quiet;
    struct log_limit said; /* of what goes wrong with all of them at once */
};

/* --- the set (transfers.c) --- */

MUST_CHECK enum err_code transfers_init(struct transfers *s,
                                        const struct worker_env *env,
                                        struct destinations *destinations,
                                        struct err *e);
void transfers_release(struct transfers *s); /* must be empty */

/* count, at most QUEUE_BATCH_MAX, leases of one queue that were claimed by a command sent at sent_ms (boot time): start
 * them, or give them back when draining or quiet.  For those there is no room for the lease runs out. */
void transfers_add(struct transfers *s, const struct queue_lease *leases, size_t count,
                   int64_t sent_ms);
/* NULL when it has gone. */
struct transfer *transfers_find(const struct transfers *s, size_t index,
                                uint64_t serial);
/* How many more may be begun. */
size_t transfers_free(const struct transfers *s);

/* Redis is (again) ready, or some time has passed: tell it what could not be told. */
void transfers_resume(struct transfers *s);
/* As many of those that are READY as may run now, in the order they were claimed. */
void transfers_run_ready(struct transfers *s);
/* Abort whoever has not renewed its lease in time, and give back what waits for its turn for too long. */
void transfers_check_leases(struct transfers *s);
/* Begin no more; what is claimed from now on is given back.  on_empty is called when nothing is left, perhaps at once. */
void transfers_drain(struct transfers *s);
/* Quiet: what is READY, or would become so, and what is claimed from now on is given back; what runs goes on.  Not quiet: as
 * before. */
void transfers_quiet(struct transfers *s, bool quiet);
/* Call on_empty if draining and empty. */
void transfers_check_empty(struct transfers *s);
/* Stop the running ones too, and give them back. */
void transfers_abort_all(struct transfers *s);
/* Name the jobs that could not be given back, whose leases will run out.  How many they are. */
size_t transfers_log_left(const struct transfers *s);

/* --- beginning (begin.c) --- */

/* Send start for count, 1 .. QUEUE_BATCH_MAX, new transfers of one queue. */
void transfer_begin(struct transfer *const *new, size_t count);
/* The job's turn has come, its record is here: let the bytes go, or report why not. */
void transfer_go(struct transfer *t);

/* --- one transfer (transfer.c) --- */

/* Let the bytes go, or report why not. */
void transfer_run(struct transfer *t);
/* It fails without a byte having been sent. */
void transfer_fail_early(struct transfer *t, enum retry_class class, const char *text);
/* Report an upload that was stopped, for the reason it was stopped for. */
void transfer_report_aborted(struct transfer *t);
/* Stop its upload, if one runs, for this reason. */
void transfer_abort(struct transfer *t, enum transfer_abort why);
/* The lease was renewed by a command sent at sent_ms (boot time). */
void transfer_renewed(struct transfer *t, int64_t sent_ms);
/* How far it is; a transfer that does not run is `queued`, or has sent what it has sent. */
struct destination_progress transfer_progress(const struct transfer *t);
/* Its lease was not renewed in time: another worker may have it.  Says so, once. */
bool transfer_is_late(struct transfer *t);
/* It holds a lease that must be kept alive. */
bool transfer_holds_lease(const struct transfer *t);

/* --- telling Redis (report.c) --- */

/* Tell Redis what became of it: t->report says what, t->outcome how. */
void transfer_report(struct transfer *t, enum transfer_report report);

/* For turns.c.  What is to be told of an end; its strings are t's. */
void transfer_describe_end(const struct transfer *t, struct queue_end *ret_end);
/* What Redis said of it: OK or LOST; it was asked at sent_ms (boot time).  t goes. */
void transfer_ended(struct transfer *t, enum queue_answer answer, int64_t sent_ms);
/* Redis does not take it.  t goes, its lease runs out. */
void transfer_end_refused(struct transfer *t, const struct err *e);

/* --- for begin.c, transfer.c, report.c and transfers.c --- */

/* How long after the renewing command was sent a lease is relied upon. */
int64_t transfer_lease_span_ms(const struct worker_env *env);
void transfer_set_state(struct transfer *t, enum transfer_state state);
/* The lease is another's, or the job has gone: log it and forget t, without a word to Redis. */
void transfer_drop_lost(struct transfer *t);
/* Forget it: frees t and tells the claimer that a slot is free. */
void transfer_free(struct transfer *t);

#endif
