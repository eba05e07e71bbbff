#include "worker/dest/dest_whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/convert.h"
#include "worker/source/stream.h"

enum { CHUNK = 256 * 1024 };

struct dest_whole {
    struct destination base;
    uv_loop_t *loop;
    struct spool *spool;
    struct destination *to;
};

struct destination_run {
    struct dest_whole *dest;
    struct destination_work work;
    bool aborting;
    uv_timer_t turn; /* begins to read, or delivers, on a turn of its own */

    /* Of a stream. */
    struct job job; /* with size and sha256 of what came */
    int fd;         /* the file */
    uv_work_t writing;
    bool is_writing; /* chunk and digest are the pool's */
    struct digest_sha256 digest;
    char *chunk;
    size_t filled;
    enum stream_state state; /* the latest */
    enum err_code code;
    struct err err;

    struct destination_run *inner; /* of dest->to, while that has the bytes */
    struct outcome outcome;
};

/* --- the end of a run --- */

static void on_run_closed(uv_handle_t *handle)
{
    struct destination_run *run = handle->data;

    fd_close(&run->fd);
    digest_sha256_release(&run->digest);
    free(run->chunk);
    job_release(&run->job);
    outcome_release(&run->outcome);
    free(run);
}

static void deliver(struct destination_run *run)
{
    if (run->work.stream)
        run->work.stream->on_ready = NULL; /* the stream may have more to say */
    run->work.done(&run->outcome, run->work.ctx);
    uv_close((uv_handle_t *)&run->turn, on_run_closed);
}

static void fail(struct destination_run *run, const struct err *e)
{
    outcome_fail_err(&run->outcome, e);
    run->outcome.aborted = run->aborting;
    deliver(run);
}

/* --- the destination has the bytes --- */

static void on_inner_done(struct outcome *o, void *ctx)
{
    struct destination_run *run = ctx;

    run->inner = NULL;
    run->outcome = *o;
    memset(o, 0, sizeof *o); /* its strings are ours now */
    if (run->outcome.done && run->work.stream && !run->outcome.earlier) {
        memcpy(run->outcome.sha256, run->job.sha256, sizeof run->outcome.sha256);
        run->outcome.sent = run->job.size;
    }
    deliver(run);
}

/* Begin there; false: no memory. */
static bool begin_inner(struct destination_run *run, const struct job *job, int fd)
{
    struct destination_work w = run->work;

    w.job = job;
    w.fd = fd;
    w.stream = NULL;
    w.remade = w.remade || (run->work.stream && convert_owns_key(job));
    w.done = on_inner_done;
    w.ctx = run;
    run->inner = destination_begin(run->dest->to, &w);
    return run->inner != NULL;
}

/* --- the stream --- */

static void take(struct destination_run *run);

static enum err_code write_all(int fd, const char *data, size_t len, struct err *e)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, ERR_RETRY, "keep what comes");
        data += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

static void write_on_pool(uv_work_t *request)
{
    struct destination_run *run = request->data;

    digest_sha256_update(&run->digest, run->chunk, run->filled);
    run->code = write_all(run->fd, run->chunk, run->filled, &run->err);
}

static void after_writing(uv_work_t *request, int status)
{
    struct destination_run *run = request->data;

    run->is_writing = false;
    if (status != 0 || run->aborting) {
        (void)err_set(&run->err, ERR_RETRY, "stopped");
        fail(run, &run->err);
        return;
    }
    if (run->code != ERR_OK) {
        stream_stop(run->work.stream);
        fail(run, &run->err);
        return;
    }
    run->job.size += (int64_t)run->filled;
    run->filled = 0;
    take(run);
}

/* All of it is in the file. */
static void pass_on(struct destination_run *run)
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    struct err e = ERR_INIT;

    free(run->job.crc32c); /* that of what the job began with */
    run->job.crc32c = NULL;
    free(run->job.sha256);
    run->job.sha256 = calloc(1, DIGEST_SHA256_HEX + 1);
    enum err_code code = run->job.sha256
                             ? digest_sha256_final(&run->digest, sum, &e)
                             : err_set(&e, ERR_NOMEM, "no memory for a digest");
    if (code == ERR_OK) {
        digest_hex_encode(sum, sizeof sum, run->job.sha256);
        if (begin_inner(run, &run->job, run->fd)) {
            run->fd = -1; /* its from now on */
            return;
        }
        (void)err_set(&e, ERR_NOMEM, "no memory to begin the upload");
    }
    fail(run, &e);
}

/* Take what is there; write when the chunk is full, or the stream waits or ends. */
static void take(struct destination_run *run)
{
    struct stream *s = run->work.stream;
    size_t n = 0;

    while (run->filled < CHUNK) {
        run->state = stream_read(s, run->chunk + run->filled, CHUNK - run->filled, &n);
        if (run->state != STREAM_SOME)
            break;
        run->filled += n;
    }
    if (run->state == STREAM_FAILED) {
        stream_failure(s, &run->outcome);
        run->outcome.aborted = run->aborting;
        deliver(run);
    } else if (run->filled > 0) {
        run->is_writing = true;
        run->writing.data = run;
        if (uv_queue_work(run->dest->loop, &run->writing, write_on_pool,
                          after_writing) != 0)
            abort(); /* it fails for a NULL callback alone */
    } else if (run->state == STREAM_END) {
        pass_on(run);
    }
}

static void on_ready(void *ctx)
{
    struct destination_run *run = ctx;

    if (!run->is_writing && !run->inner && !run->aborting && run->fd >= 0)
        take(run);
}

/* --- the interface --- */

static void on_turn(uv_timer_t *timer)
{
    struct destination_run *run = timer->data;

    if (run->aborting)
        (void)err_set(&run->err, ERR_RETRY, "stopped");
    if (run->err.code == ERR_OK)
        take(run);
    else
        fail(run, &run->err);
}

static enum err_code prepare(struct destination_run *run, struct err *e)
{
    if (job_copy(run->work.job, &run->job, e) != ERR_OK)
        return e->code;
    run->job.size = 0;
    run->chunk = malloc(CHUNK);
    if (!run->chunk)
        return err_set(e, ERR_NOMEM, "no memory to keep what comes");
    if (digest_sha256_init(&run->digest, e) != ERR_OK)
        return e->code;
    return spool_open_unnamed(run->dest->spool, &run->fd, e);
}

static struct destination_run *whole_begin(struct destination *d,
                                           const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->dest = (struct dest_whole *)d;
    run->work = *w;
    run->fd = -1;
    run->job = (struct job)JOB_INIT;
    run->digest = (struct digest_sha256)DIGEST_SHA256_INIT;
    run->err = (struct err)ERR_INIT;
    if (!w->stream) {
        if (!begin_inner(run, w->job, w->fd)) {
            free(run);
            return NULL;
        }
    } else {
        (void)prepare(run, &run->err); /* on_turn tells of it */
        w->stream->on_ready = on_ready;
        w->stream->ctx = run;
    }
    run->turn.data = run;
    (void)uv_timer_init(run->dest->loop, &run->turn); /* cannot fail */
    if (w->stream)
        (void)uv_timer_start(&run->turn, on_turn, 0, 0);
    return run;
}

static void whole_abort(struct destination_run *run)
{
    bool waits = run->work.stream && !run->inner && !run->is_writing;

    if (run->inner)
        destination_abort(run->dest->to, run->inner);
    else if (run->work.stream && !run->aborting)
        stream_stop(run->work.stream);
    run->aborting = true;
    if (waits) /* nothing is under way that would end */
        (void)uv_timer_start(&run->turn, on_turn, 0, 0);
}

static void whole_progress(const struct destination_run *run,
                           struct destination_progress *ret)
{
    ret->phase = DESTINATION_READING;
    if (run->inner)
        *ret = destination_progress(run->dest->to, run->inner);
}

static void whole_release(struct destination *d)
{
    destination_release(((struct dest_whole *)d)->to);
    free(d);
}

enum err_code dest_whole_open(uv_loop_t *loop, struct spool *spool,
                              struct destination *inner, struct destination **ret,
                              struct err *e)
{
    static const struct destination_ops ops = {whole_begin, whole_abort, whole_progress,
                                               whole_release};
    struct dest_whole *d = calloc(1, sizeof *d);

    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for a destination");
    d->base =
        (struct destination){.ops = &ops, .config = inner->config, .flow = inner->flow};
    d->loop = loop;
    d->spool = spool;
    d->to = inner;
    *ret = &d->base;
    return ERR_OK;
}
