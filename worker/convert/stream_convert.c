#include "worker/convert/stream_convert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/cleanup.h"

enum { CHUNK = 64 * 1024 };

struct stream_convert {
    struct stream *from;
    struct pipeline *pipeline;
    bool idle;    /* no process is left */
    bool ended;   /* the pipeline knows how `from` ended */
    bool closing; /* on_closed is to be called */
    int fd;       /* the pipe's end to write to; -1: nobody reads any more */
    uv_poll_t poll;
    uv_timer_t
        last; /* is closed last of all: what is told then is told on a turn of its own */
    int open_handles;
    size_t at, len; /* in chunk: what is to be written */
    void (*on_closed)(void *ctx);
    void *ctx;
    char chunk[CHUNK];
};

/* --- the end --- */

static void free_if_over(struct stream_convert *c)
{
    if (!c->closing || !c->idle || c->open_handles > 0)
        return;
    void (*on_closed)(void *) = c->on_closed;
    void *ctx = c->ctx;
    pipeline_free(c->pipeline);
    free(c);
    on_closed(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct stream_convert *c = handle->data;

    c->open_handles--;
    free_if_over(c);
}

/* The converters' input ends. */
static void close_pipe(struct stream_convert *c)
{
    if (c->fd < 0)
        return;
    uv_close((uv_handle_t *)&c->poll, on_handle_closed);
    (void)close(TAKE_FD(c->fd)); /* a pipe: what was written is there */
}

static void on_idle(void *ctx)
{
    struct stream_convert *c = ctx;

    c->idle = true;
    free_if_over(c);
}

/* --- from the stream into the pipe --- */

static void pump(struct stream_convert *c);

static void on_writable(uv_poll_t *poll, int status, int events)
{
    (void)status; /* a write tells what is wrong */
    (void)events;
    (void)uv_poll_stop(poll);
    pump(poll->data);
}

static void on_ready(void *ctx)
{
    struct stream_convert *c = ctx;

    if (c->at == c->len)
        pump(c); /* else it waits for the pipe */
}

/* False: the pipe is full. */
static bool write_chunk(struct stream_convert *c)
{
    while (c->fd >= 0 && c->at < c->len) {
        ssize_t n = write(c->fd, c->chunk + c->at, c->len - c->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN &&
            uv_poll_start(&c->poll, UV_WRITABLE | UV_DISCONNECT, on_writable) == 0)
            return false;
        if (n < 0)
            close_pipe(c); /* they read no more */
        else
            c->at += (size_t)n;
    }
    c->at = c->len;
    return true;
}

static void finish(struct stream_convert *c, enum stream_state state)
{
    struct outcome failure = {0};

    c->ended = true;
    close_pipe(c);
    if (state == STREAM_FAILED)
        stream_failure(c->from, &failure);
    pipeline_source_ended(c->pipeline, state == STREAM_FAILED ? &failure : NULL);
}

static void pump(struct stream_convert *c)
{
    while (!c->ended && !c->closing && write_chunk(c)) {
        c->at = c->len = 0;
        enum stream_state state = stream_read(c->from, c->chunk, CHUNK, &c->len);
        if (state == STREAM_WAIT)
            return;
        if (state != STREAM_SOME)
            finish(c, state);
    }
}

/* --- life --- */

static enum err_code open_pipe(uv_loop_t *loop, struct stream_convert *c, int *ret_read,
                               struct err *e)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(e, ERR_RETRY, "no pipe to a converter");
    *ret_read = fds[0];
    c->fd = fds[1];
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0)
        return err_errno(e, ERR_RETRY, "no pipe to a converter");
    c->poll.data = c->last.data = c;
    if (uv_poll_init(loop, &c->poll, c->fd) != 0)
        return err_set(e, ERR_RETRY, "no pipe to a converter");
    (void)uv_timer_init(loop, &c->last); /* cannot fail */
    c->open_handles = 2;
    return ERR_OK;
}

static void on_given_up(uv_handle_t *handle)
{
    struct stream_convert *c = handle->data;

    if (--c->open_handles == 0)
        free(c);
}

enum err_code stream_convert_open(const struct stream_convert_options *o,
                                  struct stream_convert **ret, struct err *e)
{
    struct stream_convert *c = calloc(1, sizeof *c);
    CLEANUP(fd_close) int read_fd = -1;

    if (!c)
        return err_set(e, ERR_NOMEM, "no memory for converters");
    c->fd = -1;
    c->from = o->from;
    if (open_pipe(o->loop, c, &read_fd, e) != ERR_OK) {
        fd_close(&c->fd);
        free(c);
        return e->code;
    }
    struct pipeline_options p = {.loop = o->loop,
                                 .job = o->job,
                                 .convert = o->convert,
                                 .stdin_fd = read_fd,
                                 .on_idle = on_idle,
                                 .ctx = c};
    c->pipeline = pipeline_open(&p);
    if (!c->pipeline) {
        uv_close((uv_handle_t *)&c->poll, on_given_up);
        uv_close((uv_handle_t *)&c->last, on_given_up);
        fd_close(&c->fd);
        return err_set(e, ERR_NOMEM, "no memory for converters");
    }
    c->from->on_ready = on_ready;
    c->from->ctx = c;
    *ret = c;
    pump(c);
    return ERR_OK;
}

struct stream *stream_convert_stream(struct stream_convert *c)
{
    return pipeline_stream(c->pipeline);
}

void stream_convert_format_sandbox(const struct stream_convert *c,
                                   char ret[static SANDBOX_TEXT_SIZE])
{
    pipeline_format_sandbox(c->pipeline, ret);
}

void stream_convert_close(struct stream_convert *c, void (*on_closed)(void *ctx),
                          void *ctx)
{
    c->closing = true;
    c->on_closed = on_closed;
    c->ctx = ctx;
    c->from->on_ready = NULL;
    stream_stop(c->from);
    pipeline_stop(c->pipeline);
    close_pipe(c);
    uv_close((uv_handle_t *)&c->last, on_handle_closed);
}
