#include "worker/convert/pipeline_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "worker/source/source_command_errors.h"

enum { WATCH_MS = 100, LIMIT_KILL_MS = 5000 };

/* --- failing --- */

static void kill_all(struct pipeline *p, int64_t kill_ms)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->stages[i].child)
            child_stop(p->stages[i].child, kill_ms);
}

/* The first reason stays. */
static void fail(struct pipeline *p, const struct pipeline_stage *s, const char *why)
{
    char text[192];

    if (p->failed)
        return;
    p->failed = true;
    (void)snprintf(text, sizeof text, "%s %s", s->config->name, why);
    p->failure.detail =
        source_command_detail(text, s->errors ? s->errors : "", s->errors_len);
    outcome_fail(&p->failure, RETRY_TRANSIENT, "%s",
                 p->failure.detail ? p->failure.detail : text);
    p->failure.error_class = "converter";
}

void pipeline_fail_start(struct pipeline *p, const struct pipeline_stage *s,
                         const struct err *e)
{
    struct err named = *e;

    p->failed = true;
    (void)err_prefix(&named, "%s", s->config->name);
    outcome_fail_err(&p->failure, &named);
    if (e->code != ERR_CONFIG)
        p->failure.error_class = "converter";
    kill_all(p, PIPELINE_STOP_KILL_MS);
}

/* What is wrong with how it ended, for people; false: nothing. */
static bool has_ended_badly(const struct pipeline_stage *s, char *ret, size_t size)
{
    if (s->signal == SIGXCPU)
        (void)snprintf(ret, size, "used more than its cpu_limit of %" PRId64 " s",
                       s->config->cpu_seconds);
    else if (s->signal != 0)
        (void)snprintf(ret, size, "was ended by signal %d (%s)", s->signal,
                       strsignal(s->signal));
    else if (s->status != 0)
        (void)snprintf(ret, size, "ended with status %d", s->status);
    else
        return false;
    return true;
}

/* All have ended: whether all ended well.  Whom a later one left alone with its pipe is not to blame. */
static void judge(struct pipeline *p)
{
    const struct pipeline_stage *last = &p->stages[p->count - 1], *bad = NULL;
    char why[128];

    for (size_t i = 0; i < p->count && !bad; i++)
        if (p->stages[i].signal != SIGPIPE &&
            has_ended_badly(&p->stages[i], why, sizeof why))
            bad = &p->stages[i];
    if (!bad && has_ended_badly(last, why, sizeof why))
        bad = last;
    if (bad)
        fail(p, bad, why);
    else if (p->bytes == 0)
        fail(p, last, "ended with status 0 and wrote nothing");
}

/* --- the reader --- */

static void tell(struct pipeline *p)
{
    if (!p->asked)
        return;
    p->asked = false;
    p->waited_ms += clock_mono_ms() - p->waits_ms;
    if (p->stream.on_ready)
        p->stream.on_ready(p->stream.ctx);
}

static enum stream_state wait_for_more(struct pipeline *p)
{
    if (!p->asked) {
        p->asked = true;
        p->waits_ms = clock_mono_ms();
    }
    return STREAM_WAIT;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct pipeline *p = poll->data;

    (void)status; /* read tells */
    (void)events;
    (void)uv_poll_stop(poll); /* until it is asked for again: who reads sets the pace */
    tell(p);
}

static void watch_output(struct pipeline *p)
{
    if (uv_poll_start(&p->poll, UV_READABLE, on_readable) != 0)
        abort(); /* does not fail for a handle that was made and is not closing */
}

/* Everything was read. */
static enum stream_state conclude(struct pipeline *p)
{
    if (p->running > 0 || !p->source_ended)
        return wait_for_more(p);
    judge(p);
    return p->failed ? STREAM_FAILED : STREAM_END;
}

static enum stream_state stream_take(struct stream *s, void *data, size_t room,
                                     size_t *ret_len)
{
    struct pipeline *p = (struct pipeline *)s;
    const struct pipeline_stage *last = &p->stages[p->count - 1];
    ssize_t n;

    if (p->failed)
        return STREAM_FAILED;
    if (p->is_over)
        return conclude(p);
    do
        n = read(p->out_fd, data, room);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) {
        watch_output(p);
        return wait_for_more(p);
    }
    if (n <= 0) {
        p->is_over = true;
        return conclude(p);
    }
    p->bytes += n;
    if (p->bytes > last->config->max_bytes) {
        char why[64];
        (void)snprintf(why, sizeof why, "wrote more than its max_bytes, %" PRId64,
                       last->config->max_bytes);
        fail(p, last, why);
        kill_all(p, PIPELINE_STOP_KILL_MS);
        return STREAM_FAILED;
    }
    *ret_len = (size_t)n;
    return STREAM_SOME;
}

static void stream_tell_failure(struct stream *s, struct outcome *ret)
{
    struct pipeline *p = (struct pipeline *)s;

    *ret = p->failure;
    if (p->failure.detail)
        ret->detail = strdup(p->failure.detail); /* without it, error is all */
}

static void stream_end(struct stream *s)
{
    pipeline_stop((struct pipeline *)s);
}

/* --- the programs --- */

static void tell_idle(struct pipeline *p)
{
    if (p->running > 0 || p->idle_told)
        return;
    p->idle_told = true;
    (void)uv_timer_stop(&p->timer);
    p->on_idle(p->ctx); /* it may be gone now */
}

void pipeline_on_stage_end(const struct child_end *end, void *ctx)
{
    struct pipeline_stage *s = ctx;
    struct pipeline *p = s->pipeline;

    s->child = NULL;
    s->status = end->status;
    s->signal = end->signal;
    s->errors = end->errors_len > 0 ? malloc(end->errors_len) : NULL;
    s->errors_len = s->errors ? end->errors_len : 0;
    if (s->errors)
        memcpy(s->errors, end->errors, end->errors_len);
    if (--p->running > 0)
        return;
    tell(p); /* the end of the pipe may have been read already */
    tell_idle(p);
}

static void on_watch(uv_timer_t *timer)
{
    struct pipeline *p = timer->data;
    int64_t waited = p->waited_ms + (p->asked ? clock_mono_ms() - p->waits_ms : 0);

    for (size_t i = 0; i < p->count && p->running > 0; i++) {
        struct pipeline_stage *s = &p->stages[i];
        char why[80];
        if (!s->child || waited < s->config->time_limit_ms || p->failed)
            continue;
        (void)snprintf(why, sizeof why,
                       "ran longer than its time_limit of %" PRId64 " ms",
                       s->config->time_limit_ms);
        fail(p, s, why);
        kill_all(p, LIMIT_KILL_MS);
        tell(p);
        return;
    }
    tell_idle(p);
}

struct pipeline *pipeline_open(const struct pipeline_options *o)
{
    static const struct stream_ops ops = {stream_take, stream_tell_failure, stream_end};
    struct pipeline *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->stream.ops = &ops;
    p->loop = o->loop;
    p->count = o->convert->count;
    p->out_fd = -1;
    p->on_idle = o->on_idle;
    p->ctx = o->ctx;
    p->parts = SANDBOX_LANDLOCK | SANDBOX_SECCOMP | SANDBOX_USERNS;
    for (size_t i = 0; i < p->count; i++)
        p->stages[i] =
            (struct pipeline_stage){.pipeline = p, .config = o->convert->items[i]};
    (void)uv_timer_init(p->loop, &p->timer); /* cannot fail */
    p->timer.data = p->poll.data = p;
    pipeline_start(p, o);
    if (p->out_fd >= 0 && (fcntl(p->out_fd, F_SETFL, O_NONBLOCK) < 0 ||
                           uv_poll_init(p->loop, &p->poll, p->out_fd) != 0)) {
        struct err e = ERR_INIT;
        err_set(&e, ERR_NOMEM, "cannot be watched");
        pipeline_fail_start(p, &p->stages[p->count - 1], &e);
    } else {
        p->has_poll = p->out_fd >= 0;
    }
    (void)uv_timer_start(&p->timer, on_watch, p->running > 0 ? WATCH_MS : 0, WATCH_MS);
    return p;
}

static void on_closed(uv_handle_t *handle)
{
    struct pipeline *p = handle->data;

    if (--p->closing > 0)
        return;
    if (p->out_fd >= 0)
        (void)close(p->out_fd); /* nobody writes any more */
    for (size_t i = 0; i < p->count; i++)
        free(p->stages[i].errors);
    outcome_release(&p->failure);
    free(p);
}

void pipeline_free(struct pipeline *p)
{
    if (!p)
        return;
    p->closing = p->has_poll ? 2 : 1;
    uv_close((uv_handle_t *)&p->timer, on_closed);
    if (p->has_poll)
        uv_close((uv_handle_t *)&p->poll, on_closed);
}

struct stream *pipeline_stream(struct pipeline *p)
{
    return &p->stream;
}

void pipeline_stop(struct pipeline *p)
{
    if (p->stopped)
        return;
    p->stopped = true;
    if (!p->failed) {
        p->failed = true;
        outcome_fail(&p->failure, RETRY_TRANSIENT, "stopped");
    }
    kill_all(p, PIPELINE_STOP_KILL_MS);
}

void pipeline_source_ended(struct pipeline *p, struct outcome *failure)
{
    p->source_ended = true;
    if (failure && !p->stopped) {
        outcome_release(&p->failure); /* worse than anything that came of it */
        p->failure = *failure;
        *failure = (struct outcome){0};
        p->failed = true;
        kill_all(p, PIPELINE_STOP_KILL_MS);
    }
    tell(p);
}

void pipeline_format_sandbox(const struct pipeline *p,
                             char ret[static SANDBOX_TEXT_SIZE])
{
    if (p->has_started)
        sandbox_format(p->parts, ret);
    else
        *ret = '\0';
}
