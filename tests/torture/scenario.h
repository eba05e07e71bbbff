/*
 * scenario: one run of a program, from its start to its end, with one thing made to fail on the way.
 *
 *     start --ready--> armed --the work--> disarmed --does it still work?--> SIGTERM --ended--> looked at
 *                        |                                                                          |
 *                        '--- killed on purpose: a clean one takes over ----------------------------'
 *
 * The work of hoist-fcgi: a PUT, a form with two files, a PUT into a group, a GET of a job, a list, a DELETE.
 * The work of hoist-worker: three jobs, one whose first attempt fails, one that is cancelled.
 * What a run may not do is counted in struct verdict.  One thread at a time.
 */
#ifndef HOIST_TESTS_TORTURE_SCENARIO_H
#define HOIST_TESTS_TORTURE_SCENARIO_H

#include "tests/torture/ledger.h"
#include "tests/torture/rig.h"

enum program { PROGRAM_FCGI, PROGRAM_WORKER, PROGRAM_WORKER_S3, PROGRAMS };
extern const char *const program_names[PROGRAMS];

struct verdict {
    int crashed; /* ended by a signal that nobody sent, or a sanitizer spoke */
    int quit;    /* ended by itself, without being told to */
    int hung;    /* did not answer, end or recover in time */
    int wrong;   /* a rule of ledger.h is broken */
    int known; /* a library ended it, in a way that known_death lists: allowed, shown */
    int leaked;   /* descriptors, or LeakSanitizer found something */
    int dead;     /* jobs that ended dead, with their bytes kept: allowed, shown */
    int refused;  /* uploads that were answered with an error: allowed, shown */
    bool started; /* it became ready */
};
bool verdict_is_bad(const struct verdict *v);

/* Each may be NULL. */
struct run_hooks {
    void (*before)(struct spawn *s, void *ctx); /* it is ready */
    void (*meanwhile)(struct spawn *s,
                      void *ctx); /* by a thread, over and over while it works */
    void (*after)(struct spawn *s, void *ctx); /* nothing shall fail any more */
    void *ctx;
};

struct run {
    struct rig *rig;
    struct ledger *ledger; /* of the batch */
    enum program program;
    int number;
    bool from_start; /* armed before the start, until it is ready; else from then on */
    bool may_stall;  /* until hooks->after it need not answer, only live */
    bool may_die;    /* it is to be killed */
    bool may_abort;  /* a library has no other way: counted as known */
    size_t descriptors;   /* so many has a healthy one in the end; 0: not known yet */
    const char *log_path; /* see rig_start, with the three below */
    const char *const *prefix;
    int nofile;
    bool is_clean;                 /* without the preload */
    int repeat_ms;                 /* do the work again and again for so long */
    const struct run_hooks *hooks; /* NULL: none */
    size_t ret_descriptors;        /* how many it had */
};

/* Play it once; the order stands in the control page. */
struct verdict scenario_play(struct run *run);

/* The parts of one program. */
void fcgi_work(struct run *run, struct verdict *v);
bool fcgi_recovers(struct run *run);
void worker_prepare(struct run *run);
void worker_work(struct run *run, struct verdict *v, struct spawn *s);
bool worker_recovers(struct run *run);
/* All jobs of the spool have ended, whatever it takes; how many of them are dead. */
bool jobs_end(struct rig *rig, int deadline_ms, int *ret_dead);

/* A clean worker and a sweep: the end of a batch.  The ledger is emptied. */
struct verdict scenario_settle(struct rig *rig, struct ledger *l);

#endif
