/*
 * clients_internal: what the files of clients share.
 *
 *     clients.c        options, threads, pace, counts
 *     clients_work.c   one request: numbers, ledger, connection, end
 *     clients_send.c   the bytes of a request, each kind
 */
#ifndef HOIST_TESTS_CHAOS_CLIENTS_INTERNAL_H
#define HOIST_TESTS_CHAOS_CLIENTS_INTERNAL_H

#include "tests/chaos/clients.h"
#include "tests/chaos/wire.h"

#include <pthread.h>

enum { FILES_MAX = 4, RECENT = 1024, SEND_CHUNK = 64 * 1024, BACKOFF_FIRST_MS = 20 };

struct recent {
    char id[ID_JOB_MAX + 1];
    int64_t n;
};

struct clients {
    struct clients_options options; /* defaults filled in; read only */
    struct wire_address address;
    int weight_sum;
    struct latency *latency;
    int answers_fd; /* -1: none */
    pthread_t *threads;
    int started;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stopping, paused, joined;
    int running;     /* threads that have not ended */
    int under_way;   /* requests */
    int64_t next_n;  /* the next number */
    int64_t slot_us; /* when the next request may begin (monotonic); 0: now */
    int64_t answers_bytes;
    struct clients_counts counts;
    struct err failed;
    struct recent recent[RECENT];
    size_t recent_count; /* ever */
    uint64_t draws;
};

/* One thread's. */
struct client {
    struct clients *clients;
    int fd; /* -1: not connected */
    int backoff_ms;
    uint64_t random; /* state */
    char *chunk;     /* SEND_CHUNK bytes */
    struct buf answer;
};

/* One request. */
struct work {
    enum clients_kind kind;
    struct body files[FILES_MAX];
    size_t count;
    char query[160];    /* "" or "?..." */
    uint64_t random;    /* for what this kind draws */
    int64_t started_us; /* first byte */
};

/* The next of a sequence. */
uint64_t clients_random(uint64_t *state);
/* Wait for so many ms; false when the clients were stopped meanwhile. */
bool clients_sleep(struct clients *c, int64_t ms);

/* One request from number to end in the ledger.  False: no more are to be made. */
bool clients_work(struct client *c);

/* Send it over c->fd.  WIRE_OK: all of it, as far as this kind sends. */
enum wire_result clients_send(struct client *c, struct work *w);

#endif
