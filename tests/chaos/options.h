/*
 * options: what can be said to `tests/chaos/run`, and what is meant where nothing is said.
 */
#ifndef HOIST_TESTS_CHAOS_OPTIONS_H
#define HOIST_TESTS_CHAOS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { OPTIONS_WORKERS_MAX = 8 };

/* Where the objects of a run go. */
enum options_store {
    OPTIONS_S3,   /* s3rver behind a signer, at the end of a proxy */
    OPTIONS_SINK, /* nginx with PUT: fast; it neither checks nor tells digests */
    OPTIONS_FILE  /* a directory */
};

struct options {
    /* The storm goes on until all three are reached; what is not within limit_seconds is a failure. */
    int seconds, jobs, kills, limit_seconds;
    double rate;   /* faults a second while they come */
    uint64_t seed; /* of the schedule, the bodies and the clients */
    const char *
        faults; /* "all", or names with commas between; "-name" leaves one out of all */
    enum options_store store;
    int workers, clients;
    int64_t lease_ms;
    bool spotless;     /* an upload that is not accepted is a failure, too */
    bool plan;         /* only say which faults there would be */
    bool keep;         /* the directory, when all was well, too */
    const char *build; /* where the programs are */
};

/* False: *ret_status is what to exit with, all has been said. */
bool options_parse(int argc, char **argv, struct options *ret, int *ret_status);

/* "s3", "sink" or "file". */
const char *options_store_name(enum options_store store);

#endif
