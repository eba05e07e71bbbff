/*
 * trace: a program that is stopped behind its Nth system call, whichever of its threads makes it.
 *
 *     struct trace t;
 *     trace_attach(&t, pid, others, &e)              all its threads stand still
 *     ... send it something ...
 *     trace_run(&t, n, has_answered, ctx, 5000)     it runs until n calls have returned: TRACE_REACHED, or it has answered
 *     ... cut the power ...
 *     trace_kill(&t)
 *
 * Calls are counted from the attach on, when they return, but for those that can change neither a disk nor what
 * a peer sees (waiting, reading, memory, the clock): an instant behind one of these is the one before it.  Nor do those of
 * threads that go about something else, so that the Nth is the same in every run.  At the Nth
 * its thread stands still, and so does each other thread at its next call.
 *
 * ptrace: Linux 5.3 or later, x86-64 or whatever the system headers were made for.  One thread, the one that attached; SIGALRM
 * is used.
 */
#ifndef HOIST_TESTS_CHAOS_TRACE_H
#define HOIST_TESTS_CHAOS_TRACE_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TRACE_THREADS_MAX = 128 };

struct trace_thread {
    pid_t tid;
    int64_t call; /* number of the call it is in; -1: in none */
    bool stopped; /* at the attach */
};

struct trace {
    pid_t pid;
    struct trace_thread threads[TRACE_THREADS_MAX];
    size_t thread_count;
    const char *const
        *others;   /* names of threads whose calls do not count, up to NULL */
    int64_t calls; /* that counted */
    char last[64]; /* the latest of them: its name and its thread's */
};

enum trace_end {
    TRACE_REACHED, /* behind call n */
    TRACE_DONE,    /* done(ctx) said true first */
    TRACE_LATE,    /* neither by the deadline */
    TRACE_DIED
};

/* ERR_CONFIG: it cannot be traced; ERR_RETRY: it has gone, or does not stop. */
MUST_CHECK enum err_code trace_attach(struct trace *t, pid_t pid,
                                      const char *const *others, struct err *e);
/* done is asked whenever a call has returned.  Once for each attach. */
enum trace_end trace_run(struct trace *t, int64_t n, bool (*done)(void *ctx), void *ctx,
                         int deadline_ms);
/* kill -9; its threads have ended when this returns, the process itself is its parent's to wait for. */
void trace_kill(struct trace *t);

#endif
