/*
 * faults_internal: the rows of the table of faults, and what they are made of.
 *
 *     faults.c          the list: drawn, begun, ended, written down
 *     faults_table.c    the rows
 *     faults_process.c  signals, limits, clocks      faults_redis.c  what Redis can be told, older data
 *     faults_net.c      the proxies                  faults_disk.c   the spool's disk
 */
#ifndef HOIST_TESTS_CHAOS_FAULTS_INTERNAL_H
#define HOIST_TESTS_CHAOS_FAULTS_INTERNAL_H

#include "tests/chaos/faults.h"
#include "tests/chaos/schedule.h"
#include "tests/chaos/system.h"

#include <sys/resource.h>

/* One that has begun. */
struct fault {
    const struct fault_row *row;
    struct schedule_event event;
    int64_t until_ms;
    struct program *program; /* of process faults */
    pid_t pid; /* it was this one: what was started since is not ours to mend */
    struct rlimit limit; /* few-files: what it was */
    char target[32];     /* for the record: set by begin */
};

/* Of whom. */
enum fault_targets { TARGET_ONE, TARGET_RESPONDERS, TARGET_WORKERS };

struct fault_row {
    const char *name, *what;
    unsigned weight;
    enum fault_targets targets;
    int least_ms, most_ms; /* 0: an instant */
    int leases;            /* to most_ms are added so many percent of a lease */
    enum program_kind kind;
    int signal;
    bool back;                                        /* Redis forgets something */
    bool s3_only, private_only, store_proxy;          /* where it can be done */
    bool (*begin)(struct system *s, struct fault *f); /* false: not now */
    /* False: not now either, ask again.  NULL: it mends itself. */
    bool (*end)(struct system *s, struct fault *f);
};

extern const struct fault_row fault_rows[FAULTS_COUNT];

/* faults_process.c */
bool fault_kill(struct system *s, struct fault *f);
bool fault_kill_child(struct system *s, struct fault *f);
bool fault_signal(struct system *s, struct fault *f);
bool fault_signal_twice(struct system *s, struct fault *f);
bool fault_roll(struct system *s, struct fault *f);
bool fault_stop(struct system *s, struct fault *f);
bool fault_continue(struct system *s, struct fault *f);
bool fault_few_files(struct system *s, struct fault *f);
bool fault_files_again(struct system *s, struct fault *f);
bool fault_clock(struct system *s, struct fault *f);
bool fault_clock_right(struct system *s, struct fault *f);

/* faults_redis.c */
bool fault_flushall(struct system *s, struct fault *f);
bool fault_flush_scripts(struct system *s, struct fault *f);
bool fault_cut_clients(struct system *s, struct fault *f);
bool fault_full_redis(struct system *s, struct fault *f);
bool fault_redis_has_room(struct system *s, struct fault *f);
bool fault_readonly_redis(struct system *s, struct fault *f);
bool fault_writable_redis(struct system *s, struct fault *f);
bool fault_rollback(struct system *s, struct fault *f);
/* To be called every few seconds: what a rollback goes back to. */
void fault_save_redis(struct system *s);

/* faults_net.c: of the worker's proxy to Redis, or (row->store_proxy) of the one to the store */
bool fault_slow(struct system *s, struct fault *f);
bool fault_cut(struct system *s, struct fault *f);
bool fault_hold(struct system *s, struct fault *f);
bool fault_hole(struct system *s, struct fault *f);
bool fault_slice(struct system *s, struct fault *f);
bool fault_flip(struct system *s, struct fault *f);
bool fault_refuse(struct system *s, struct fault *f);
bool fault_reset(struct system *s, struct fault *f);
bool fault_net_heals(struct system *s, struct fault *f);
bool fault_sick(struct system *s, struct fault *f);
bool fault_healthy(struct system *s, struct fault *f);

/* faults_disk.c */
bool fault_full_spool(struct system *s, struct fault *f);
bool fault_spool_has_room(struct system *s, struct fault *f);
bool fault_readonly_spool(struct system *s, struct fault *f);
bool fault_writable_spool(struct system *s, struct fault *f);

#endif
