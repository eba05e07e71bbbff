/*
 * once: hoist-worker --once.  Works on what is ready now, shows how far it is, and asks the worker to stop when nothing is left.
 *
 *     jobs ready --claimed, uploaded--> none ready, none running: on_over --> worker drains and ends
 *
 *     on a terminal, on standard output, redrawn ten times a second      else: a line for each job that ended
 *       done       default.0192…  report.pdf  48.2 KiB  0.2 s
 *       photo.jpg                 uploading   [######......]  25 %  12.0 of 48.0 MiB  8.1 MiB/s
 *
 * Jobs that fall due later (delayed ones, retries of what failed) are not waited for: they are left in the queue and told in the
 * sum at the end.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_ONCE_H
#define HOIST_WORKER_ONCE_H

#include "worker/queue/claimer.h"
#include "worker/transfer.h"

#include <stdio.h>

struct once {
    struct transfers *transfers;
    struct claimer *claimer;
    FILE *out;
    bool is_terminal;
    int drawn; /* lines of bars on the terminal now */
    int quiet; /* ticks in a row without anything to do */
    uv_timer_t tick;
    void (*on_over)(void *ctx);
    void *ctx;
    size_t done, failed, dead, cancelled;
};

/* Initialise the timer; the storage is the caller's and must outlive its closing. */
void once_init(struct once *o, uv_loop_t *loop);
/* Begin to watch; on_over is called once, later, when nothing is left to do. */
void once_start(struct once *o, struct transfers *transfers, struct claimer *claimer,
                void (*on_over)(void *ctx), void *ctx);
void once_close(struct once *o);
/* After the end: print the sum.  Whether every job that was taken is done or cancelled. */
bool once_conclude(struct once *o);

#endif
