/*
 * poller: a thread that asks for the status of jobs under way, and when the answer is `done` looks whether that is true at that
 * instant (I9).
 *
 *     clients_draw_job --id--> GET /v1/jobs/{id} --"done", key--> store_read_key: whole, and upload n's bytes
 *                                   | 404, 5xx, no answer: nothing learnt
 *
 * It remembers which jobs were done, and that one of them is no longer, until poller_forget: to be called at each rollback
 * of Redis (a restored dump, FLUSHALL, a kill without appendfsync always), before it and when it is over.
 * Thread rules: start, stop and free by one thread, the others by any.
 */
#ifndef HOIST_TESTS_CHAOS_POLLER_H
#define HOIST_TESTS_CHAOS_POLLER_H

#include "tests/chaos/clients.h"
#include "tests/chaos/store.h"

enum { POLLER_EXAMPLES = 5, POLLER_EXAMPLE_MAX = 160 };

struct poller_options {
    const char *address;     /* as of clients.h */
    struct clients *clients; /* whose jobs; outlives the poller */
    const struct store *store;
    struct body_plan plan;
    const char *key_prefix; /* of the destination, with its '/'; NULL: none */
    double rate;            /* questions a second; 0: 50 */
    int timeout_ms;         /* for an answer; 0: 2 s */
    int grace_ms; /* an object may be unreadable for so long while another worker writes the same one over it (stores that
                       write in place: s3rver); 0: not at all */
    const char *answers_path; /* as of clients.h */
};

struct poller_counts {
    int64_t asked, answered, done; /* done: looked at in the store */
    int64_t untrue;    /* done, and its object missing, partial or another's */
    int64_t backwards; /* was done, is no longer */
    char examples[POLLER_EXAMPLES][POLLER_EXAMPLE_MAX]; /* of the last two */
};

struct poller;

/* ERR_CONFIG, ERR_RETRY, ERR_NOMEM as of clients_start. */
MUST_CHECK enum err_code poller_start(const struct poller_options *o,
                                      struct poller **ret_poller, struct err *e);
void poller_stop(struct poller *p); /* twice is once */
void poller_free(struct poller *p); /* takes NULL */

void poller_forget(struct poller *p);
struct poller_counts poller_counts(struct poller *p);

#endif
