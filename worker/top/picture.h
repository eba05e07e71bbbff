/*
 * picture: what hoist-worker --top shows of a moment, read from Redis.
 *
 *     picture_read  -- one pipeline of two commands a queue, one of one a worker -->  struct picture  -- draw.h -->  text
 *
 * Read only, and no more than PICTURE_WORKERS workers with PICTURE_JOBS jobs each.  What workers wrote is untrusted text: it is
 * kept without anything that would steer a terminal.
 */
#ifndef HOIST_WORKER_TOP_PICTURE_H
#define HOIST_WORKER_TOP_PICTURE_H

#include "shared/config.h"
#include "shared/queue.h"
#include "shared/queue_minutes.h"
#include "shared/redis.h"

#include <stdbool.h>
#include <stdint.h>

enum { PICTURE_WORKERS = 32, PICTURE_JOBS = 20, PICTURE_TEXT = 128 };

struct picture_queue {
    const char *name;    /* of the configuration */
    const char *trouble; /* what Redis said instead; "": nothing */
    char text[PICTURE_TEXT];
    struct queue_status status;
    struct queue_minutes minutes;
};

struct picture_job {
    char name[PICTURE_TEXT]; /* else its id */
    char phase[24];
    int64_t size, sent, rate; /* bytes; bytes a second */
    int parts, parts_done;    /* 0: it has none */
};

struct picture_worker {
    char id[PICTURE_TEXT];
    char paused[PICTURE_TEXT]; /* destinations that rest, and why; "": none */
    bool stuck;                /* it says itself that it does not get on */
    bool quiet;                /* it is to begin no more; quiet_ms: and does not */
    int64_t quiet_ms;          /* wall clock, since when; 0: it has not heard of it */
    int64_t slots, busy;
    int64_t seen_ms; /* wall clock */
    struct picture_job jobs[PICTURE_JOBS];
    size_t job_count;
};

struct picture {
    int64_t at_ms; /* wall clock */
    struct picture_queue queues[CONFIG_QUEUES_MAX];
    size_t queue_count;
    struct picture_worker workers[PICTURE_WORKERS];
    size_t worker_count;
    bool more_workers; /* than fit */
};

/* The queues of the configuration, and the workers heard of last.  ERR_RETRY: Redis is away or busy; ERR_CONFIG. */
MUST_CHECK enum err_code picture_read(struct redis *r, const struct config *config,
                                      struct picture *ret, struct err *e);

/* Copy text that may come from anywhere: control characters (C0, DEL, C1) and what is no UTF-8 become '?', what does not fit
 * is left out, whole characters at a time. */
void picture_text(const char *s, size_t len, char *ret, size_t size);

#endif
