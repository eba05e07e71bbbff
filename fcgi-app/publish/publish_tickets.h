/*
 * publish_tickets: the handlers that wait for what Redis says of their jobs.  Pure; the caller (publisher.c) has the lock, and
 * wakes them when something was told.
 *
 *     add --answer: Redis' word on a job with a unique key--> (over, or still to learn of the replicas)
 *         --replicas: asked after its last job was sent--> over        --dismiss: Redis is away--> over
 *
 * Jobs are numbered from 1 in the order in which they came into the ring, and are sent in that order.  A ticket is the
 * caller's; it is in the list until it is over.
 */
#ifndef HOIST_FCGI_PUBLISH_TICKETS_H
#define HOIST_FCGI_PUBLISH_TICKETS_H

#include "fcgi-app/jobs/waits.h"
#include "shared/queue.h"

#include <stdbool.h>
#include <stdint.h>

struct publish_answer {
    bool is_known; /* what follows is Redis' word on the one job, which is unique */
    enum queue_answer answer;
    char other[QUEUE_STATE_SIZE]; /* DUPLICATE: uuid of who has its key */
    struct waits_answer waited;   /* 0, false unless Redis said more */
};

struct publish_ticket {
    int64_t first, last; /* of its jobs */
    bool wants_answer;   /* it has one job then */
    bool wants_replicas;
    bool is_over;
    struct publish_answer answer;
    struct publish_ticket *next;
};

struct publish_tickets { /* all zero: none */
    struct publish_ticket *list;
    int64_t refused_last; /* the latest job that Redis did not take */
};

void publish_tickets_add(struct publish_tickets *all, struct publish_ticket *t);
/* It is over. */
void publish_tickets_remove(struct publish_tickets *all, struct publish_ticket *t);
/* Whether somebody waits for an answer, sent or not. */
bool publish_tickets_hurry(const struct publish_tickets *all);
/* Whether somebody waits for the replicas of jobs up to this one, all sent. */
bool publish_tickets_wait(const struct publish_tickets *all, int64_t sent);

/* What Redis said of a job; false: nobody wanted to know. */
bool publish_tickets_answer(struct publish_tickets *all, int64_t number,
                            enum queue_answer answer, const char *other);
/* It did not take this one.  Who waits for the replicas of it, among others, learns of none. */
void publish_tickets_refuse(struct publish_tickets *all, int64_t number);
/* For all whose last job is not behind this one. */
void publish_tickets_replicas(struct publish_tickets *all, int64_t sent,
                              const struct waits_answer *a);
void publish_tickets_dismiss(struct publish_tickets *all);

#endif
