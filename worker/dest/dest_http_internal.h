/*
 * dest_http_internal: one delivery over HTTP, shared by the two files that do it.
 *
 *     dest_http.c       the destination; PUT, POST, HEAD and what their answers lead to
 *     dest_http_run.c   what all of these do: wait for their turn, send a request, deliver the outcome
 */
#ifndef HOIST_WORKER_DEST_HTTP_INTERNAL_H
#define HOIST_WORKER_DEST_HTTP_INTERNAL_H

#include "worker/dest/dest_http.h"
#include "worker/dest/dest_http_answer.h"
#include "worker/source/spool_hash.h"

struct dest_http {
    struct destination base;
    uv_loop_t *loop;
    struct http *http;
};

struct destination_run {
    struct dest_http *dest;
    struct destination_work work;
    struct flow_ticket ticket;
    void (*send)(struct destination_run *run); /* when it is its turn */
    struct http_call *call;                    /* under way; NULL between */
    bool sending;                              /* it is the PUT or POST */
    struct spool_hash hash;
    bool aborting;
    char why_look[256]; /* what made HEAD necessary */
    bool was_refused;   /* by 409 or 412 */
    int64_t sent;
    uv_timer_t later; /* for an outcome known before begin returned */
    struct outcome outcome;
};

bool dest_http_is_post(const struct destination_run *run);

/* Hand the outcome over; the run ends.  later: on the next turn of the loop, because begin may not have returned yet. */
void dest_http_deliver(struct destination_run *run);
void dest_http_deliver_later(struct destination_run *run);
void dest_http_deliver_done(struct destination_run *run, const char *etag);
void dest_http_deliver_source_failure(struct destination_run *run);
void dest_http_fail(struct destination_run *run, enum retry_class class,
                    const char *text);

/* Call send when it is this run's turn (flow.h), or hold the job back.  first: flow_ask's. */
void dest_http_send_in_turn(struct destination_run *run,
                            void (*send)(struct destination_run *run), bool first);
void dest_http_tell_flow(struct destination_run *run, const struct http_result *result,
                         const struct dest_http_answer *a);

/* Send the PUT, POST or HEAD; run->call is set. */
MUST_CHECK enum err_code dest_http_send(struct destination_run *run, bool is_head,
                                        http_done_fn *done, struct err *e);

#endif
