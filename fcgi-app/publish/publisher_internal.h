/*
 * publisher_internal: what the two files of the publisher share: its thread (publisher.c), and what handlers do with it
 * (publisher_push.c).
 */
#ifndef HOIST_FCGI_PUBLISHER_INTERNAL_H
#define HOIST_FCGI_PUBLISHER_INTERNAL_H

#include "fcgi-app/publish/publish_ring.h"
#include "fcgi-app/publish/publish_tickets.h"
#include "fcgi-app/publish/publisher.h"
#include "fcgi-app/thread.h"
#include "shared/log_limit.h"

#include <pthread.h>

struct publisher {
    const struct config *config;
    struct waits *waits;
    struct histogram *redis_us; /* may be NULL */
    struct redis *redis;        /* the thread's */
    struct redis_cmd call;      /* the thread's */
    pthread_t thread;
    struct log_limit said; /* the thread's */
    bool is_away;          /* the thread's: it has complained of Redis */
    int64_t sent_us;       /* the thread's: when it last sent */

    pthread_mutex_t lock; /* for everything below */
    pthread_cond_t changed, answered;
    struct publish_ring ring;
    struct publish_tickets tickets; /* on the stacks of handlers */
    int64_t pushed, sent;           /* jobs, ever */
    bool idle;                      /* the thread waits for work */
    bool stopping;
    int64_t stop_ms; /* then: not longer than this */
    int64_t published, dropped, refused;
    struct err trouble; /* with Redis, now; ERR_OK: none */
};

#endif
