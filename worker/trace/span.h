/*
 * span: what tracing systems are told of one attempt at a job, as OpenTelemetry's OTLP/HTTP takes it in JSON.  Pure.
 *
 *     traceparent of the upload   00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *                                    trace                            parent           flags
 *     trace
 *       '- parent, the client's own
 *            |- "wait QUEUE"      INTERNAL   from when the job was made to its first attempt
 *            '- "process QUEUE"   CONSUMER   one attempt, from its first byte to its outcome; its id goes on to the destination
 *
 * A job without a traceparent is a trace of its own, whose id is that of the job without its dashes.
 *
 * Sources: W3C Trace Context, section 3.2; OpenTelemetry protocol 1.x, "OTLP/HTTP" and "JSON Protobuf Encoding" (ids in hex,
 * 64-bit numbers as decimal strings, enumerations as numbers); semantic conventions for messaging spans.
 */
#ifndef HOIST_WORKER_TRACE_SPAN_H
#define HOIST_WORKER_TRACE_SPAN_H

#include "shared/buf.h"
#include "shared/job.h"

#include <stdbool.h>
#include <stdint.h>

enum { SPAN_TRACE_HEX = 32, SPAN_ID_HEX = 16 };

/* Where a span belongs. */
struct span_context {
    char trace[SPAN_TRACE_HEX + 1];
    char parent[SPAN_ID_HEX + 1]; /* "": it is the first of its trace */
    bool sampled;                 /* whoever began the trace wants it kept */
};

/* Of a job: by its traceparent, else (none, or not of that form) a trace of its own, which is sampled. */
void span_context_of(const struct job *j, struct span_context *ret);
/* "00-trace-id-flags", with its NUL. */
enum { SPAN_TRACEPARENT_SIZE = 3 + SPAN_TRACE_HEX + 1 + SPAN_ID_HEX + 1 + 2 + 1 };
void span_format_traceparent(const struct span_context *c, const char *id,
                             char ret[static SPAN_TRACEPARENT_SIZE]);
/* 16 hex digits of 8 bytes; not all of them zero. */
void span_format_id(const uint8_t bytes[static 8], char ret[static SPAN_ID_HEX + 1]);

/* One attempt.  Strings are the caller's; NULL and "" are left out. */
struct span_attempt {
    struct span_context context;
    char id[SPAN_ID_HEX + 1];
    char wait_id[SPAN_ID_HEX + 1]; /* of the span in front of it; "": there is none */
    const char *job, *queue, *destination;
    int64_t attempt;                      /* from 1 */
    int64_t created_ms, start_ms, end_ms; /* wall clock */
    int64_t bytes;                        /* that left */
    const char *error_class, *error;      /* of one that failed */
};

/* Append {"resourceSpans":[… up to where spans begin. */
void span_begin_request(struct buf *b, const char *worker);
/* Append its one or two spans; is_first: none stands before it. */
void span_add(struct buf *b, const struct span_attempt *a, bool is_first);
/* Append the end. */
void span_end_request(struct buf *b);

#endif
