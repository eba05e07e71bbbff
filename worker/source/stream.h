/*
 * stream: bytes whose number nobody knows before they end: what a converter writes, what an HTTP server sends.
 *
 *     who makes them (pipeline, source_url)                     who takes them (a destination's run)
 *     -------------------------------------                     ------------------------------------
 *     bytes are there --on_ready--------------------------->    stream_read ... until STREAM_WAIT
 *     nothing is read any more: the maker is held up <------    (does not read)
 *     all have been read, and the maker says it ended well ->   STREAM_END: only now may they become an object
 *     the maker failed, was too late, wrote too much ------->   STREAM_FAILED: nothing becomes an object
 *     told to stop, soon <----------------------------------    stream_stop
 *
 * Guarantees of every implementation
 *   - STREAM_END comes only when the maker is known to have ended well: with status 0, with the announced length, and,
 *     where the bytes came from the spool, when those were found to be what the manifest says.  A destination that waits for it
 *     before it makes an object never stores half an output.
 *   - At most a pipe's or a window's worth of bytes is held here: who takes them holds up who makes them.
 *   - After STREAM_END or STREAM_FAILED nothing more comes.
 *   - on_ready is called on the loop, never from inside stream_read, stream_stop or the call that made the stream.
 *
 * The maker owns the stream and outlives the run that reads it.  Everything belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_STREAM_H
#define HOIST_WORKER_STREAM_H

#include "worker/dest/destination.h"

#include <stddef.h>

enum stream_state {
    STREAM_SOME,  /* *ret_len bytes, at least 1, were put into the buffer */
    STREAM_WAIT,  /* none now; on_ready tells when to look again */
    STREAM_END,   /* all have been read, and all is well */
    STREAM_FAILED /* *ret_failure of stream_failure tells why */
};

struct stream;

struct stream_ops {
    enum stream_state (*read)(struct stream *s, void *data, size_t room,
                              size_t *ret_len);
    void (*failure)(struct stream *s, struct outcome *ret);
    void (*stop)(struct stream *s);
};

/* The head of each implementation's own struct. */
struct stream {
    const struct stream_ops *ops;
    void (*on_ready)(void *ctx); /* set by who takes; NULL: nobody does yet */
    void *ctx;
};

/* Take what is there, at most room bytes; room > 0. */
enum stream_state stream_read(struct stream *s, void *data, size_t room,
                              size_t *ret_len);
/* After STREAM_FAILED: *ret, which is zeroed, becomes the failure (class, word, text, detail); its strings are the caller's. */
void stream_failure(struct stream *s, struct outcome *ret);
/* Make no more: the rest is not wanted (the run was aborted, or failed by itself).  Again: nothing happens. */
void stream_stop(struct stream *s);

#endif
