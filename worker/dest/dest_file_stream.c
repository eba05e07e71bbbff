/*
 * A stream on its way into a file: read on the loop, written on the pool, one chunk at a time.
 *
 *     OPEN --pool--> take --SOME--> WRITE --pool--> take ... --END--> PUBLISH --pool--> done
 *                     | WAIT: on_ready, then again  '--FAILED, aborted--> DISCARD --pool--> done
 */
#include "worker/dest/dest_file_internal.h"

#include <stdlib.h>
#include <string.h>

enum step { STEP_OPEN, STEP_WRITE, STEP_PUBLISH, STEP_DISCARD };

struct dest_file_stream {
    struct destination_run *run;
    struct dest_file_copy copy;
    struct digest_sha256 digest;
    enum step step;
    bool busy;          /* a step is on the pool: all but this is its thread's */
    size_t len;         /* bytes in copy.chunk */
    bool there;         /* the object is */
    enum err_code code; /* of the first step that failed */
    struct err err;
};

static void take(struct dest_file_stream *s);

/* --- on the pool --- */

static enum err_code open_object(struct dest_file_stream *s, struct err *e)
{
    struct dest_file_copy *c = &s->copy;

    if (digest_sha256_init(&s->digest, e) != ERR_OK ||
        dest_file_open_root(c, e) != ERR_OK ||
        dest_file_find(c, &s->there, e) != ERR_OK)
        return e->code;
    return s->there ? ERR_OK : dest_file_open_output(c, e);
}

static enum err_code write_chunk(struct dest_file_stream *s, struct err *e)
{
    struct dest_file_copy *c = &s->copy;

    digest_sha256_update(&s->digest, c->chunk, s->len);
    c->size += (int64_t)s->len;
    return dest_file_write(c->out_fd, c->chunk, s->len, e);
}

static enum err_code publish(struct dest_file_stream *s, struct err *e)
{
    uint8_t sum[DIGEST_SHA256_BYTES];

    if (digest_sha256_final(&s->digest, sum, e) != ERR_OK)
        return e->code;
    digest_hex_encode(sum, sizeof sum, s->copy.sha256);
    if (dest_file_publish(&s->copy, e) != ERR_OK)
        return e->code;
    s->there = true;
    return ERR_OK;
}

static void step_on_pool(uv_work_t *request)
{
    struct destination_run *run = request->data;
    struct dest_file_stream *s = run->stream;

    switch (s->step) {
    case STEP_OPEN:
        s->code = open_object(s, &s->err);
        return;
    case STEP_WRITE:
        s->code = write_chunk(s, &s->err);
        return;
    case STEP_PUBLISH:
        s->code = publish(s, &s->err);
        dest_file_copy_release(&s->copy);
        return;
    case STEP_DISCARD:
        dest_file_copy_release(&s->copy);
        return;
    }
}

/* --- on the loop --- */

static void end(struct dest_file_stream *s)
{
    struct destination_run *run = s->run;

    if (!run->outcome.error_class) /* else it is the stream's failure */
        dest_file_conclude(&s->copy, s->there, s->code == ERR_OK ? NULL : &s->err);
    if (!run->outcome.done && dest_file_is_stopped(run))
        run->outcome.aborted = true;
    run->work.stream->on_ready = NULL;
    run->work.done(&run->outcome, run->work.ctx);
    outcome_release(&run->outcome);
    digest_sha256_release(&s->digest);
    free(s);
    free(run);
}

static void after_step(uv_work_t *request, int status);

static void begin(struct dest_file_stream *s, enum step step)
{
    s->step = step;
    s->busy = true;
    if (uv_queue_work(s->run->dest->loop, &s->run->request, step_on_pool, after_step) !=
        0)
        abort(); /* fails only where no function is given */
}

static void after_step(uv_work_t *request, int status)
{
    struct destination_run *run = request->data;
    struct dest_file_stream *s = run->stream;

    (void)status; /* steps are not cancelled */
    s->busy = false;
    if (s->step == STEP_PUBLISH || s->step == STEP_DISCARD) {
        end(s);
    } else if (s->there || s->code != ERR_OK) {
        stream_stop(run->work.stream);
        begin(s, STEP_DISCARD);
    } else {
        atomic_store_explicit(&run->sent, s->copy.size, memory_order_relaxed);
        take(s);
    }
}

static void take(struct dest_file_stream *s)
{
    struct destination_run *run = s->run;

    if (dest_file_is_stopped(run)) {
        stream_stop(run->work.stream);
        s->code = err_set(&s->err, ERR_RETRY, "aborted");
        begin(s, STEP_DISCARD);
        return;
    }
    switch (stream_read(run->work.stream, s->copy.chunk, DEST_FILE_CHUNK, &s->len)) {
    case STREAM_SOME:
        begin(s, STEP_WRITE);
        return;
    case STREAM_WAIT:
        return; /* on_ready */
    case STREAM_END:
        begin(s, STEP_PUBLISH);
        return;
    case STREAM_FAILED:
        stream_failure(run->work.stream, &run->outcome);
        begin(s, STEP_DISCARD);
        return;
    }
}

static void on_ready(void *ctx)
{
    struct dest_file_stream *s = ctx;

    if (!s->busy)
        take(s);
}

bool dest_file_stream_begin(struct destination_run *run)
{
    struct dest_file_stream *s = calloc(1, sizeof *s);

    if (!s)
        return false;
    s->run = run;
    s->digest = (struct digest_sha256)DIGEST_SHA256_INIT;
    s->err = (struct err)ERR_INIT;
    dest_file_copy_init(&s->copy, run);
    run->stream = s;
    run->work.stream->on_ready = on_ready;
    run->work.stream->ctx = s;
    begin(s, STEP_OPEN);
    return true;
}

void dest_file_stream_abort(struct destination_run *run)
{
    if (!run->stream->busy)
        take(run->stream); /* it sees the stop */
}
