#include "worker/source/fetch_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLES = 3 };

/* --- telling --- */

static void on_turn(uv_timer_t *timer)
{
    struct fetch *f = timer->data;
    bool over = f->state != FETCH_ASKING && f->state != FETCH_RECEIVING &&
                f->state != FETCH_BROKEN;

    if (over) {
        (void)uv_timer_stop(&f->limit);
        (void)uv_timer_stop(&f->pause);
        if (f->call)
            http_cancel(f->call);
    }
    if (!f->head_told && f->state == FETCH_FAILED) {
        if (!f->failure_told) {
            f->failure_told = true;
            f->options.on_failed(f->options.ctx);
        }
    } else if (!f->head_told && f->state != FETCH_ASKING && f->state != FETCH_STOPPED) {
        struct fetch_head head = {.length = f->length, .type = f->type};
        f->head_told = true;
        f->options.on_head(&head, f->options.ctx);
    } else if (f->base.on_ready) {
        f->base.on_ready(f->base.ctx);
    }
}

void fetch_wake(struct fetch *f)
{
    if (!f->on_closed)
        (void)uv_timer_start(&f->turn, on_turn, 0, 0);
}

/* --- the stream --- */

static enum stream_state on_stream_read(struct stream *s, void *data, size_t room,
                                        size_t *ret_len)
{
    struct fetch *f = (struct fetch *)s;
    size_t len = FETCH_WINDOW - f->first;

    if (f->state == FETCH_FAILED || f->state == FETCH_STOPPED)
        return STREAM_FAILED;
    if (f->held == 0)
        return f->state == FETCH_ENDED ? STREAM_END : STREAM_WAIT;
    len = len < f->held ? len : f->held;
    len = len < room ? len : room;
    memcpy(data, f->window + f->first, len);
    f->first = (f->first + len) % FETCH_WINDOW;
    f->held -= len;
    if (f->has_piece && f->call && f->held <= FETCH_WINDOW / 2) {
        f->has_piece = false;
        http_intake_more(f->call);
    }
    *ret_len = len;
    return STREAM_SOME;
}

void fetch_failure(const struct fetch *f, struct outcome *ret)
{
    if (f->state == FETCH_FAILED) {
        *ret = f->failure; /* it has no strings of its own */
    } else {
        outcome_fail(ret, RETRY_TRANSIENT, "stopped");
        ret->aborted = true;
    }
    /* Whether it is told by the stream, whose taker has begun, or by on_failed. */
    ret->error_class = "fetch";
}

static void on_stream_failure(struct stream *s, struct outcome *ret)
{
    fetch_failure((struct fetch *)s, ret);
}

static void on_stream_stop(struct stream *s)
{
    struct fetch *f = (struct fetch *)s;

    if (f->state == FETCH_FAILED || f->state == FETCH_ENDED ||
        f->state == FETCH_STOPPED)
        return;
    f->state = FETCH_STOPPED;
    fetch_wake(f);
}

struct stream *fetch_stream(struct fetch *f)
{
    return &f->base;
}

/* --- life --- */

static void on_limit(uv_timer_t *timer)
{
    fetch_fail(timer->data, RETRY_TRANSIENT, "it took longer than [fetch] time_limit");
}

struct fetch *fetch_begin(const struct fetch_options *o)
{
    static const struct stream_ops ops = {on_stream_read, on_stream_failure,
                                          on_stream_stop};
    struct fetch *f = calloc(1, sizeof *f);
    char *window = malloc(FETCH_WINDOW);

    if (!f || !window) {
        free(f);
        free(window);
        return NULL;
    }
    f->base.ops = &ops;
    f->options = *o;
    f->window = window;
    f->length = -1;
    f->refusal = (struct err)ERR_INIT;
    uv_timer_t *timers[HANDLES] = {&f->limit, &f->turn, &f->pause};
    for (size_t i = 0; i < HANDLES; i++) {
        (void)uv_timer_init(o->loop, timers[i]); /* cannot fail */
        timers[i]->data = f;
        f->open_handles++;
    }
    (void)uv_timer_start(&f->limit, on_limit, (uint64_t)o->config->time_limit_ms, 0);
    (void)snprintf(f->url, sizeof f->url, "%s", o->url); /* no job has a longer one */
    if (fetch_check(f))
        fetch_send(f);
    return f;
}

void fetch_closed_one(struct fetch *f)
{
    void (*on_closed)(void *) = f->on_closed;
    void *ctx = f->options.ctx;

    if (f->open_handles > 0 || f->call)
        return;
    outcome_release(&f->failure);
    free(f->window);
    free(f);
    on_closed(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct fetch *f = handle->data;

    f->open_handles--;
    fetch_closed_one(f);
}

void fetch_close(struct fetch *f, void (*on_closed)(void *ctx))
{
    f->on_closed = on_closed;
    if (f->call)
        http_cancel(f->call);
    uv_close((uv_handle_t *)&f->limit, on_handle_closed);
    uv_close((uv_handle_t *)&f->turn, on_handle_closed);
    uv_close((uv_handle_t *)&f->pause, on_handle_closed);
}
