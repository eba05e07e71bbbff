/*
 * trouble_internal: what the parts of trouble.c share: the counts of a kind of runs, and how one is played.
 */
#ifndef HOIST_TESTS_TORTURE_TROUBLE_INTERNAL_H
#define HOIST_TESTS_TORTURE_TROUBLE_INTERNAL_H

#include "tests/torture/trouble.h"

struct trouble {
    struct rig *rig;
    const struct sweep_options *o;
    struct ledger ledger;
    int runs, started, crashes, quits, hangs, wrong, leaks, bad;
};

/* Fill in the rest of run, play it, settle, and say what was wrong.  1 when something was. */
int trouble_play(struct trouble *t, struct run *run, const char *what);

/* The sample under strace: o->runs of them (40). */
void trouble_strace(struct trouble *t);

#endif
