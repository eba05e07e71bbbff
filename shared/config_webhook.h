/*
 * config_webhook: [webhook NAME], a part of config.h.
 */
#ifndef HOIST_SHARED_CONFIG_WEBHOOK_H
#define HOIST_SHARED_CONFIG_WEBHOOK_H

#include "shared/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is told of a job; bits.  Of config_webhook, and shared/webhooks.h. */
enum config_event {
    CONFIG_EVENT_DONE = 1,
    CONFIG_EVENT_DEAD = 2,
    CONFIG_EVENT_CANCELLED = 4,
    CONFIG_EVENT_BATCH = 8
};

/* Who is told of the end of jobs: shared/webhooks.h, worker/hooks/. */
struct config_webhook {
    char name[ID_QUEUE_MAX + 1]; /* "callback": of the option of that name */
    char *url;                   /* empty: of callback */
    char *secret, *secret_file;  /* as secret_key and its file */
    char *second_secret, *second_secret_file;
    char *events;                /* a list of words */
    char *queues, *destinations; /* lists, or "*" */
    char *queue;                 /* hooks: of the jobs that deliver it */
    char *allow, *deny;          /* lists (fetch_filter.h) */
    bool only_allowed;           /* no */
    bool http;                   /* no: a callback may be http:// */
    int64_t timeout_ms;          /* setting timeout, 10s */
    char *ca_file;               /* PEM; empty: the system's */

    /* Derived at load. */
    unsigned event_bits; /* enum config_event */
};

struct config;
const struct config_webhook *config_find_webhook(const struct config *c,
                                                 const char *name, size_t len);

#endif
