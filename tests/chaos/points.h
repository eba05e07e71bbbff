/*
 * points: a power cut behind every single system call of an upload, one after the other.
 *
 *     point n of a raw upload, and of a form with two files:
 *       empty disk, a responder, one request; behind its nth call (trace.h) the power is cut (disk.h)
 *       202 read by then: its jobs must be there, whole; no 202: each is there whole, or not at all
 *     all that was there after the cuts is put into one spool; a worker that has nothing but that must deliver it
 *
 * The points end where the answer has been read before the nth call; it is cut there, too.
 */
#ifndef HOIST_TESTS_CHAOS_POINTS_H
#define HOIST_TESTS_CHAOS_POINTS_H

#include <stdbool.h>
#include <stdint.h>

struct points_options {
    const char *build;   /* where the programs are */
    const char *preload; /* of the responder; NULL: none */
    uint64_t seed;
    bool
        answered_only; /* only the instant behind the answer, not the points before it */
    bool verbose;      /* a line for each point */
};

/* Prints what was found.  True: every promise was kept. */
bool points_run(const struct points_options *o);

#endif
