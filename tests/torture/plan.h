/*
 * plan: which runs there are: one for each (call, way to fail, n), n going up to how often the call was made in runs
 * without a failure.  Kinds:
 *
 *     syscall   every wrapped call but allocations: its fitting errors, one byte instead of many, a kill before it; and
 *               EINTR, EAGAIN or short on every k-th call that reads or writes
 *     alloc     the n-th allocation, alone and with all of the nine after it
 *
 * each of them counted from the start of the program until it is ready (phase start), and from then on (phase run).
 */
#ifndef HOIST_TESTS_TORTURE_PLAN_H
#define HOIST_TESTS_TORTURE_PLAN_H

#include "tests/torture/control.h"

#include <stdbool.h>
#include <stddef.h>

struct site {
    enum torture_call call; /* TORTURE_CALLS: all that read and write */
    enum torture_action action;
    int error;
    int64_t n, many, every;
    bool from_start;
};

struct plan {
    struct site *sites; /* owned */
    size_t count, capacity;
};

/* What one phase of a run without a failure has called. */
struct plan_counts {
    int64_t seen[TORTURE_CALLS];
};

void plan_add_syscalls(struct plan *p, const struct plan_counts *c, bool from_start);
void plan_add_allocs(struct plan *p, const struct plan_counts *c, bool from_start);
/* In an order that depends on seed alone. */
void plan_shuffle(struct plan *p, unsigned seed);
void plan_release(struct plan *p);

const char *plan_call_name(enum torture_call call);
/* A site as a word, "fsync:EIO:3:1:0:run": call, how (or short, kill), n, many, every, phase. */
void plan_format(const struct site *s, char *ret, size_t size);
/* The plan is that one site; false, with a message: it is none. */
bool plan_parse(struct plan *p, const char *text);
/* Write the order into the control page, which must not be armed. */
void plan_order(const struct site *s, struct torture_control *c);

#endif
