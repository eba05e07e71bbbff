/*
 * flow: how much is sent to each destination, and when nothing is.  One struct flow per destination; those with the same
 * endpoint share what is known of it.
 *
 *     who sends requests (a destination's run)                flow                          who begins jobs
 *     ----------------------------------------                ----                          ---------------
 *     flow_ask -- GO: send it now                  endpoint: limit of requests (aimd.h)     flow_job_begin -- 0: begin
 *              -- WAIT: on_turn comes later,                 FIFO of those that wait                |-- ms: hold it back
 *              |        GO or HOLD                           retry budget (retry_budget.h)          '-- the probe
 *              '- HOLD: it rests; end the run                Retry-After                    flow_job_end
 *                       with outcome.hold_ms      destination: circuit (circuit.h), pause   flow_gate: claim from its
 *     flow_told after each answer, or flow_leave                                            queue? (claimer.h)
 *
 * Guarantees
 *   - Never more requests of an endpoint are under way than its limit, which is at most the smallest max_requests of its
 *     destinations.  (After it was halved those that are under way may be more for a while.)  Who waits gets his turn in the
 *     order of asking, `first` ones before the others.
 *   - A destination rests, and all that wait are told so, when its circuit is open (breaker_failures requests in a row
 *     failed), when the store named a time (Retry-After with 429 or 503: at most 5 minutes), or when it was paused
 *     (flow_pause).  When the circuit's delay is over one job at a time probes; one answer closes it.
 *   - on_turn and the listener are called on the loop, never from inside a function of this module.
 *   - Nothing of a single object counts against a destination: see flow_verdict.
 *
 * All functions take a NULL flow: everything may go.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_FLOW_H
#define HOIST_WORKER_FLOW_H

#include "shared/buf.h"
#include "shared/config.h"
#include "shared/err.h"
#include "worker/flow/retry.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { FLOW_RETRY_AFTER_MAX_MS = 5 * 60 * 1000 };

struct flows; /* all of a worker */
struct flow;  /* one destination's; lives as long as its flows */

/* --- one request --- */

enum flow_turn {
    FLOW_GO,   /* send it now, and then flow_told or flow_leave */
    FLOW_WAIT, /* on_turn tells when; flow_leave to give up */
    FLOW_HOLD  /* the destination rests: not now; the ticket is free */
};

/* The storage is the caller's and stays where it is until it was told, has left, or was held.  Zeroed at first, then
 * used again and again.  on_turn and ctx are set by the caller. */
struct flow_ticket {
    void (*on_turn)(enum flow_turn turn, void *ctx); /* GO or HOLD */
    void *ctx;
    struct flow *flow; /* the rest is flow.c's */
    struct flow_ticket *previous, *next;
    enum { FLOW_TICKET_FREE, FLOW_TICKET_WAITS, FLOW_TICKET_GOES } state;
    int64_t began_ms;
};

/* first: it belongs to what has begun (a HEAD after a PUT whose answer was lost), and goes before what has not. */
enum flow_turn flow_ask(struct flow *f, struct flow_ticket *t, bool first);

/* How a request ended. */
struct flow_answer {
    enum retry_net net;
    int status; /* 0: no answer came */
    enum retry_class class
        ; /* as retry_classify sees it, or the meaning that a protocol gives it */
    int64_t retry_after_ms; /* 0: none */
    const char *error;      /* for people; NULL for none */
};

/* It has ended. */
void flow_told(struct flow_ticket *t, const struct flow_answer *a);
/* It waits no more, or has ended in a way that says nothing (aborted).  Of a free ticket: nothing happens. */
void flow_leave(struct flow_ticket *t);
/* Whether its turn has not come yet. */
bool flow_is_waiting(const struct flow_ticket *t);

/* May a request that failed be sent again within the run (a part, a PUT)?  It is paid for with true. */
bool flow_may_retry(struct flow *f);

/* What an answer says of the endpoint.  Pure. */
enum flow_verdict {
    FLOW_NOTHING,  /* we ended it ourselves */
    FLOW_ANSWERED, /* it works, whatever it thought of this request */
    FLOW_THROTTLED,
    FLOW_BROKEN /* no address, connection, TLS or answer in time; or it says that it cannot (5xx but 501 and 505) */
};
enum flow_verdict flow_verdict(const struct flow_answer *a);

/* --- one job --- */

struct flow_job {
    struct flow *flow;
    bool probes; /* it is the probe of a half-open circuit */
};

/* 0: begin it (j is set).  Else: give it back, for so many ms. */
int64_t flow_job_begin(struct flow *f, struct flow_job *j);
/* Its run has ended.  Again, or of a zeroed one: nothing happens. */
void flow_job_end(struct flow_job *j);
/*
 * A job failed, with this class.  More than 0: that may be its destination's fault, which is in trouble (circuit not
 * closed, or paused): give it back for so many ms rather than count an attempt.  Before flow_job_end: a probe is given back for
 * longer, so that another job is the next one where there is one.
 */
int64_t flow_job_excused_ms(const struct flow_job *j, enum retry_class class);

/* --- one destination --- */

enum flow_gate {
    FLOW_RUNS,
    FLOW_PROBES, /* one job may try */
    FLOW_RESTS   /* none may, or one is trying */
};
enum flow_gate flow_gate(const struct flow *f);
/* Until the gate is another; 0 where only an answer tells. */
int64_t flow_rest_ms(const struct flow *f);

/* Nothing is sent, and no job begun, for so long from now: why, for people (copied).  Ends an earlier pause; 0 ends it now. */
void flow_pause(struct flow *f, int64_t ms, const char *why);

/* --- all of them --- */

MUST_CHECK enum err_code flows_open(uv_loop_t *loop, struct flows **ret, struct err *e);
/* The flow of a destination, made at the first call for it; config outlives it.  url: names its endpoint by what
 * stands before the path ("https://host:port").  NULL: no flows, or no memory: nothing holds it up. */
struct flow *flows_add(struct flows *s, const struct config_destination *config,
                       const char *url);
/* Called whenever the gate of a destination has changed. */
void flows_listen(struct flows *s, void (*on_change)(void *ctx), void *ctx);
/* The names of those that do not run, each with why: "s3 (connection refused), b2 (no credentials)"; "" for none. */
void flows_describe(const struct flows *s, struct buf *b);
/* Requests of this destination's endpoint under way, those that wait, and the limit: for logs and tests. */
struct flow_figures {
    size_t under_way, waiting, limit;
};
struct flow_figures flow_figures(const struct flow *f);
/* No ticket may wait or go.  Its timer closes on a later turn of the loop.  Takes NULL. */
void flows_close(struct flows *s);

#endif
