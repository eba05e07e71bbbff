/*
 * cluster_load: producers and workers on several queues of a Redis Cluster, and what became of each job.
 *
 *     2 producers: enqueue (some twice, delayed, in a group or a batch,      3 workers: claim or wait, promote, reap,
 *     unique, behind another), cancel, retry the dead; until                 start, beat, finish, fail, release,
 *     load_stop_producers, at most LOAD_OUTSTANDING jobs ahead               crash, finish late
 *
 * Each is a thread with its own client and its own random numbers from one seed.  They assert nothing: what goes wrong
 * is read after load_stop_workers.
 */
#ifndef HOIST_TESTS_INTEGRATION_CLUSTER_LOAD_H
#define HOIST_TESTS_INTEGRATION_CLUSTER_LOAD_H

#include "tests/integration/cluster_ops.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    LOAD_QUEUES = 3,
    LOAD_PRODUCERS = 2,
    LOAD_WORKERS = 3,
    LOAD_THREADS = LOAD_PRODUCERS + LOAD_WORKERS,
    LOAD_JOBS_MAX = 4000,
    LOAD_OUTSTANDING = 150
};

struct load_job {
    struct job_id id;
    atomic_bool known; /* id is set */
    atomic_int ended;  /* how often a call answered that it is done or cancelled now */
};

struct load_thread {
    struct load *load;
    struct ops ops;
    pthread_t thread;
    uint64_t random;
    struct uuid batch;   /* of a producer: some of its jobs join it */
    struct ops_run late; /* of a worker: finished some jobs later; token 0: none */
    char name[16];
};

struct load {
    const char *queues[LOAD_QUEUES];
    struct load_job *jobs; /* LOAD_JOBS_MAX */
    atomic_size_t count;   /* of jobs begun */
    atomic_size_t gone;    /* ended, or dead once: what lets producers go on */
    atomic_size_t calls[LOAD_QUEUES];
    atomic_bool producers_stop, workers_stop;
    struct load_thread threads[LOAD_THREADS]; /* producers first */
};

/* port: of any node.  Aborts when threads cannot be had. */
void load_start(struct load *l, const char *const queues[static LOAD_QUEUES], int port,
                uint64_t seed);
void load_stop_producers(struct load *l); /* waits for them */
void load_stop_workers(struct load *l);   /* waits for them */
void load_release(struct load *l);

/* A job of this queue that asks for little. */
struct job load_new_job(const char *queue);

#endif
