/*
 * cuts: the power cut under load, at random instants, again and again.
 *
 *     clients -> nginx -> hoist-fcgi -> spool   .--- on one disk (disk.h), with Redis' append-only file, which is synced
 *                              Redis <- hoist-worker -> objects        every second; the objects outside of it, or on it
 *
 *     load for a random time -> cut -> everything killed -> the disk as it was at the cut -> Redis, responder, worker
 *     -> all jobs have ended -> the verdict (check.h) on what clients were told since the load began -> load again
 *
 * Every third load has no worker, so that all of it is in the spool at the cut.  The programs live on from cut to cut; ledger and objects begin anew with each.
 */
#ifndef HOIST_TESTS_CHAOS_CUTS_H
#define HOIST_TESTS_CHAOS_CUTS_H

#include <stdbool.h>
#include <stdint.h>

struct cuts_options {
    const char *build; /* where the programs are */
    int cuts;
    double seconds; /* of load before a cut: 0.2 to so many, drawn */
    uint64_t seed;
    bool inside; /* the objects are on the disk, too */
    bool keep;   /* the directory, also when all was well */
};

/* What was seen. */
struct cuts_sum {
    int64_t cuts; /* that were judged */
    int64_t accepted, unknown;
    int64_t forgotten; /* jobs in the spool that Redis had no record of after a cut */
    int64_t
        aof_repairs; /* cuts after which Redis did not start without redis-check-aof */
    int64_t lost, partial, duplicates, orphans;
};

/* Prints a line for each cut, and adds to the sum.  False: a promise was broken; the cuts end there, the directory
 * stays and is named. */
bool cuts_run(const struct cuts_options *o, struct cuts_sum *sum);

#endif
