/*
 * handlers_internal: what handlers.c (the threads), handlers_reserve.c (the one for when all are busy), handlers_status.c
 * and handlers_figures.c (what is said of them) share.  Nobody else includes it.
 *
 * A struct handler's exchange belongs to its thread; the atomics are for everybody to read.
 */
#ifndef HOIST_FCGI_HANDLERS_INTERNAL_H
#define HOIST_FCGI_HANDLERS_INTERNAL_H

#include "fcgi-app/http/exchange.h"
#include "fcgi-app/fastcgi/handlers.h"
#include "fcgi-app/metrics/meter.h"

#include <pthread.h>
#include <stdatomic.h>

enum handler_state { HANDLER_NONE, HANDLER_RUNS, HANDLER_ENDED };

struct handler {
    struct handlers *all;
    struct exchange exchange;
    pthread_t thread;
    atomic_int state; /* enum handler_state; ENDED is to be joined */
    atomic_llong thread_id;
    atomic_llong started_ms; /* the thread; the clock is clock_mono_ms here and below */
    atomic_llong began_ms;   /* its request; 0: none is under way */
    atomic_llong served;
    struct meter *meter; /* its own, of all->meters */
};

struct reserve {
    struct handler handler;
    pthread_mutex_t lock; /* of wanted and ending */
    pthread_cond_t changed;
    bool wanted, ending, runs;
    struct aside *list; /* max_connections of them */
    size_t count;
};

struct handlers {
    struct app *app;
    size_t threads, max_threads;
    atomic_long surplus; /* so many threads may end */
    atomic_long readers; /* threads that may wait for a body */
    long max_readers;
    bool complained;      /* that max_threads are not enough */
    struct handler *list; /* max_threads of them */
    struct meter *meters; /* the same, and one of the reserve */
    struct reserve reserve;
    int64_t start_wall_ms, start_ms;
    atomic_llong slow, max_reached, max_active, max_queue;
    int64_t queue_looked_ms; /* the gate thread's */
};

/* Answer the request that h's exchange has been given; not may_read: its body is not waited for. */
void handlers_serve(struct handler *h, bool may_read);

MUST_CHECK enum err_code handlers_reserve_start(struct handlers *all, struct err *e);
/* From the gate thread: every thread is busy, and there may be no more. */
void handlers_reserve_call(struct handlers *all);
void handlers_reserve_join(struct handlers *all);

/* From the gate thread, at each tick: what /status tells of the most that was seen. */
void handlers_status_look(struct handlers *all, size_t active, int64_t now);
/* A request has taken so long: count and log it, if that is slow. */
void handlers_status_slow(struct handler *h, int64_t took_ms);
/* For its meter: the request that h has answered, or parked, took so long.  h's thread. */
void handlers_note(struct handler *h, int64_t took_us);

#endif
