/*
 * pipeline: programs one after the other, joined by pipes, and what the last one writes as a stream.
 *
 *     stdin_fd --> [converter a] --> [converter b] --> a pipe of ours --> struct stream (stream.h)
 *                        \___ standard error, kept ___/
 *
 * What reaches the first one is the caller's business: a file of the spool as it stands (nothing is copied), the output of a
 * program, a pipe that somebody feeds.  Whether that was right is said by pipeline_source_ended, before which the stream does
 * not end.
 *
 * Guarantees
 *   - STREAM_END only when all of them have ended with status 0, at least one byte was written, no limit was passed, and the
 *     source was right.  One that was killed by SIGPIPE, since a later one ended without reading all, counts as ended well.
 *   - Each runs as child.h says, with the environment of convert_env.h, in the sandbox and under the limits of its section.  All
 *     are killed, with their groups, when one of them is too slow, when too much was written, and by pipeline_stop.
 *   - time_limit counts only while the stream's reader waits for them, not while they wait for it.
 *   - max_bytes is looked at where the bytes leave: that of the last one counts.
 *   - Failures are of class transient and the word "converter", with the name of the one that failed first and what it wrote last
 *     on its standard error, up to 4 KiB as harmless text; one that cannot be run at all is of class config.
 *
 * At most a pipe's worth of bytes (256 KiB) is between two of them.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_PIPELINE_H
#define HOIST_WORKER_PIPELINE_H

#include "shared/convert.h"
#include "worker/convert/sandbox.h"
#include "worker/source/stream.h"

struct pipeline;

struct pipeline_options {
    uv_loop_t *loop;
    const struct job *job;         /* for the environment */
    const struct convert *convert; /* count > 0; its sections outlive the pipeline */
    int stdin_fd;                  /* stays the caller's */
    void (*on_idle)(void *ctx);    /* see below */
    void *ctx;
};

/*
 * Start them.  That one cannot be started shows as STREAM_FAILED.  on_idle is called once, never from inside a call of this
 * module, when no process is left: in it, or later, it may be freed.  NULL: no memory, nothing was started.
 */
struct pipeline *pipeline_open(const struct pipeline_options *o);
/* on_idle has been called, or will not be: no process may be left.  Takes NULL. */
void pipeline_free(struct pipeline *p);

struct stream *pipeline_stream(struct pipeline *p);
/* End them all, soon.  The stream fails.  Again: nothing happens. */
void pipeline_stop(struct pipeline *p);
/* The source is over: it was right (NULL), or what is wrong with it, whose strings are taken; then nothing becomes an object. */
void pipeline_source_ended(struct pipeline *p, struct outcome *failure);

/* The parts of the sandbox that held each of them, in words; "": none was started. */
void pipeline_format_sandbox(const struct pipeline *p,
                             char ret[static SANDBOX_TEXT_SIZE]);

#endif
