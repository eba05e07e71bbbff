/*
 * fetch: the bytes at a URL that somebody else chose, as a stream.
 *
 *     begin --GET--> 200: on_head --> bytes into the window, out of the stream --> STREAM_END
 *       ^    |        |                    '--breaks off--> GET with Range, If-Range --206--'   at most RESUMES_MAX times
 *       |    |        '--anything else: on_failed, or STREAM_FAILED after on_head
 *       '-- 3xx: checked like the first, at most redirects_max; never from https to http
 *
 * Guarantees
 *   - Only what [fetch] allows is connected to: fetch_filter.h, asked about each URL and each address.
 *   - STREAM_END comes only after exactly as many bytes as Content-Length said (one more, seen within GRACE_MS behind the
 *     last, is a failure), or after the last chunk.  What was told twice and differently, is encoded, or has no end that can be
 *     told, fails (fetch_answer.h).
 *   - It ends within time_limit, and with at most max_bytes; a server that says nothing for STALL_MS is given up.
 *   - A resumption continues the same bytes: the server was asked by a strong ETag or Last-Modified, and its answer begins
 *     where the other broke off and ends where that would have.
 *   - At most a window of 128 KiB is held.
 *
 * What is told to who takes (on_head, on_failed, on_ready) is told on turns of the loop of its own.  The loop's thread's.
 */
#ifndef HOIST_WORKER_FETCH_H
#define HOIST_WORKER_FETCH_H

#include "worker/http/http.h"
#include "worker/source/stream.h"

struct fetch_head {
    int64_t length;   /* -1: not known */
    const char *type; /* Content-Type as it came; "" */
};

struct fetch_options {
    uv_loop_t *loop;
    struct http *http;
    const struct config_fetch *config;                         /* outlives the fetch */
    const char *url;                                           /* copied */
    int64_t max_bytes;                                         /* besides config's */
    void (*on_head)(const struct fetch_head *head, void *ctx); /* bytes come now */
    void (*on_failed)(void *ctx); /* none will: fetch_failure; never after on_head */
    void *ctx;
};

struct fetch;

/* What is wrong with the URL is told by on_failed.  NULL: no memory. */
struct fetch *fetch_begin(const struct fetch_options *o);
/* From on_head to close. */
struct stream *fetch_stream(struct fetch *f);
/* After on_failed, as stream_failure; the word for the class is "fetch". */
void fetch_failure(const struct fetch *f, struct outcome *ret);
/* Stop, whatever it does, and go; on_closed is called on a later turn, and nothing else any more. */
void fetch_close(struct fetch *f, void (*on_closed)(void *ctx));

#endif
