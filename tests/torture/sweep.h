/*
 * sweep: play the scenario once for each site of a plan, and count.
 *
 *     calls      rows of the table: the call made to fail
 *     sites      (call, n, phase) that were hit: a run that ends before the n-th call hits nothing
 *     places     different ways into the call, as the return addresses tell
 *
 * Every run that broke a rule is printed at once, with how to repeat it.
 */
#ifndef HOIST_TESTS_TORTURE_SWEEP_H
#define HOIST_TESTS_TORTURE_SWEEP_H

#include "tests/torture/plan.h"
#include "tests/torture/scenario.h"

struct sweep_options {
    enum program program;
    const char *kind; /* syscall or alloc */
    bool all;         /* in order; else a sample, shuffled by seed */
    unsigned seed;
    size_t from;       /* the first run of the plan, from 0 */
    size_t runs;       /* so many at most; 0: all */
    int seconds;       /* not longer than this; 0: no end */
    const char *only;  /* this call alone; NULL: all */
    const char *site;  /* one that plan_parse takes, once; NULL: those of the plan */
    const char *phase; /* "start" or "run" alone; NULL: both */
};

struct row {
    size_t sites, runs, crashes, quits, hangs, wrong, leaks, known, dead, refused;
};

struct sweep {
    struct rig *rig;
    const struct sweep_options *o;
    struct ledger ledger;
    struct plan plan;
    struct row rows[TORTURE_CALLS + 1];
    uint64_t *places; /* hashes, open addressing */
    size_t place_count;
    size_t descriptors, bad, next;
    int batch; /* runs since the last settling */
};

/* Run it; how many runs were bad, -1 when there is nothing to run. */
int sweep_run(struct rig *rig, const struct sweep_options *o);

#endif
