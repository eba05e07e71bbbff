/*
 * stream_convert: a stream through converters: what comes out is a stream again.
 *
 *     stream --read--> a pipe --stdin--> [converters] --pipeline.h--> struct stream
 *
 *   - What comes out ends well only when what went in did, and the converters did (pipeline.h).
 *   - Who reads slowly holds up the converters, they this, and this the stream that it reads.
 *   - A converter that reads no more does not stop the stream: the rest is read, and thrown away, for it must have ended well.
 *
 * The stream that is read outlives it.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_STREAM_CONVERT_H
#define HOIST_WORKER_STREAM_CONVERT_H

#include "worker/convert/pipeline.h"

struct stream_convert;

struct stream_convert_options {
    uv_loop_t *loop;
    struct stream *from;
    const struct job *job;         /* for the environment; outlives it */
    const struct convert *convert; /* count > 0; its sections outlive it */
};

/* ERR_NOMEM, ERR_RETRY: nothing was begun. */
MUST_CHECK enum err_code stream_convert_open(const struct stream_convert_options *o,
                                             struct stream_convert **ret,
                                             struct err *e);
struct stream *stream_convert_stream(struct stream_convert *c);
void stream_convert_format_sandbox(const struct stream_convert *c,
                                   char ret[static SANDBOX_TEXT_SIZE]);
/* Nobody reads what comes out any more: end it.  on_closed is called, on a later turn, when no process is left; it has gone
 * then. */
void stream_convert_close(struct stream_convert *c, void (*on_closed)(void *ctx),
                          void *ctx);

#endif
