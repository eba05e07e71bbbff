/*
 * tracer: tells a collector of traces what becomes of jobs (span.h), where `[worker] otlp_url` names one.
 *
 *     tracer_begin --> the job's traceparent is this attempt's from now on, so that the destination carries the trace on
 *     tracer_end   --> gathered --> POST every TRACER_EVERY_MS, or TRACER_BATCH attempts at once, one request at a time
 *                          |            |-- 2xx: told
 *                          |            |-- 429, 502, 503, 504, no answer: again, TRACER_TRIES in all
 *                          '-- more than TRACER_BYTES: not told, counted, said in the log
 *
 * Uploads never wait for it, and nothing is kept on disk.  What is not sampled (the last bit of the traceparent's flags) is
 * passed on and not told.  Without otlp_url nothing is made, and the traceparent goes on as it came.
 *
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_TRACE_TRACER_H
#define HOIST_WORKER_TRACE_TRACER_H

#include "worker/env.h"
#include "worker/trace/span.h"

enum {
    TRACER_EVERY_MS = 2000,
    TRACER_BATCH = 64,
    TRACER_TRIES = 3,
    TRACER_BYTES = 512 * 1024
};

struct tracer;

/* An attempt under way.  All zero: none that is told. */
struct tracer_attempt {
    struct span_context context;
    char id[SPAN_ID_HEX + 1];
    int64_t start_ms;
};

/* *ret is NULL without otlp_url; all others take that.  ERR_NOMEM. */
MUST_CHECK enum err_code tracer_open(const struct worker_env *env, struct tracer **ret,
                                     struct err *e);
/* Send what is gathered, and call done when there is no more to be sent, at the latest after TRACER_CLOSE_MS; perhaps at once. */
enum { TRACER_CLOSE_MS = 500 };
void tracer_flush(struct tracer *t, void (*done)(void *ctx), void *ctx);
/* Stop whatever is under way.  Handles close on later turns of the loop, t goes with the last. */
void tracer_close(struct tracer *t);

/* The bytes of a job are about to leave. */
void tracer_begin(struct tracer *t, struct job *j, struct tracer_attempt *ret);
/* They have, or have not: error_class and error are NULL unless it failed.  *a is all zero then. */
struct tracer_end {
    const struct job *job;
    int64_t bytes;
    const char *error_class, *error;
};
void tracer_end(struct tracer *t, struct tracer_attempt *a,
                const struct tracer_end *end);

#endif
