#include "worker/trace/tracer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/log_limit.h"
#include "worker/http/http.h"

enum { CONNECT_MS = 2000, STALL_MS = 5000, ANSWER_MS = 5000, SPAN_BYTES = 16 * 1024 };

struct tracer {
    const struct worker_env *env;
    struct http *http;
    uv_timer_t timer;
    struct buf gathered; /* spans, with commas between */
    size_t count;        /* attempts in it */
    struct buf body;     /* of the request, until it was told or given up */
    size_t body_count;
    int tries; /* of body; 0: there is none */
    bool under_way;
    int64_t lost; /* attempts that were not told, since it was last said */
    struct log_limit said;
    void (*flushed)(void *ctx);
    void *ctx;
    int64_t flush_end_ms; /* monotonic */
    bool closing;
};

/* --- sending --- */

static void complain(struct tracer *t, const char *why)
{
    int64_t held;

    if (log_limit_passes(&t->said, why, clock_mono_ms(), &held))
        log_line(LOG_WARN, "trace", "traces are not taken", LOG_STR("why", why),
                 LOG_INT("lost", t->lost), log_limit_held(held), LOG_END);
    t->lost = 0;
}

static bool may_come_right(const struct http_result *r)
{
    int status = r->response ? r->response->status : 0;

    return r->net != RETRY_NET_OK || status == 429 || (status >= 502 && status <= 504);
}

static void drop_body(struct tracer *t)
{
    buf_clear(&t->body);
    t->tries = 0;
}

static void check_flushed(struct tracer *t)
{
    void (*flushed)(void *ctx) = t->flushed;

    if (!flushed || (!t->closing && clock_mono_ms() < t->flush_end_ms &&
                     (t->under_way || t->tries > 0 || t->count > 0)))
        return;
    t->flushed = NULL;
    flushed(t->ctx);
}

static void send_more(struct tracer *t);

static void on_answer(const struct http_result *r, void *ctx)
{
    struct tracer *t = ctx;
    bool is_told = r->net == RETRY_NET_OK && r->response->status / 100 == 2;
    char status[32];

    t->under_way = false;
    if (is_told) {
        drop_body(t);
    } else if (!may_come_right(r) || t->tries >= TRACER_TRIES || t->flushed) {
        (void)snprintf(status, sizeof status, "status %d",
                       r->response ? r->response->status : 0); /* fits */
        t->lost += (int64_t)t->body_count;
        drop_body(t);
        complain(t, r->net != RETRY_NET_OK ? r->error : status);
    }
    if (!t->closing && is_told && (t->count >= TRACER_BATCH || t->flushed))
        send_more(t);
    check_flushed(t);
}

/* "Name: value" of otlp_header as a header; false: there is none. */
static bool read_header(const char *line, char *name, size_t size,
                        struct http_header *ret)
{
    size_t len = strcspn(line, ":");

    if (line[len] != ':' || len == 0 || len >= size)
        return false;
    memcpy(name, line, len);
    name[len] = '\0';
    line += len + 1;
    *ret = (struct http_header){name, line + strspn(line, " ")};
    return true;
}

static void post(struct tracer *t)
{
    const struct config_worker *w = &t->env->config->worker;
    char name[64];
    struct http_header headers[2] = {{"Content-Type", "application/json"}};
    struct http_body body = {
        .fd = -1, .data = t->body.data, .len = (int64_t)t->body.len};
    struct http_request r = {
        .method = "POST",
        .url = w->otlp_url,
        .headers = headers,
        .header_count =
            read_header(w->otlp_header, name, sizeof name, &headers[1]) ? 2 : 1,
        .body = &body,
        .connect_ms = CONNECT_MS,
        .stall_ms = STALL_MS,
        .answer_ms = ANSWER_MS,
        .done = on_answer,
        .ctx = t};

    t->tries++;
    t->under_way =
        http_send(t->http, &r) != NULL; /* without memory: at the next tick */
}

static void send_more(struct tracer *t)
{
    if (t->under_way || (t->tries == 0 && t->count == 0))
        return;
    if (t->tries == 0) {
        span_begin_request(&t->body, t->env->self.id);
        buf_add(&t->body, t->gathered.data, t->gathered.len);
        span_end_request(&t->body);
        buf_clear(&t->gathered);
        t->body_count = t->count;
        t->count = 0;
    }
    post(t);
}

static void on_tick(uv_timer_t *timer)
{
    struct tracer *t = timer->data;

    send_more(t);
    check_flushed(t);
}

/* --- attempts --- */

static void make_id(char ret[static SPAN_ID_HEX + 1])
{
    uint8_t bytes[8] = {0};
    int64_t now = clock_mono_us();

    if (getrandom(bytes, sizeof bytes, GRND_NONBLOCK) != (ssize_t)sizeof bytes)
        memcpy(bytes, &now, sizeof bytes); /* it need not be secret */
    span_format_id(bytes, ret);
}

void tracer_begin(struct tracer *t, struct job *j, struct tracer_attempt *ret)
{
    char text[SPAN_TRACEPARENT_SIZE];

    *ret = (struct tracer_attempt){.start_ms = 0};
    if (!t)
        return;
    span_context_of(j, &ret->context);
    make_id(ret->id);
    ret->start_ms = clock_wall_ms();
    span_format_traceparent(&ret->context, ret->id, text);
    char *own = strdup(text);
    if (!own)
        return; /* the trace goes on, without us in between */
    free(j->traceparent);
    j->traceparent = own;
}

void tracer_end(struct tracer *t, struct tracer_attempt *a,
                const struct tracer_end *end)
{
    const struct job *j = end->job;
    CLEANUP(buf_release) struct buf span = BUF_INIT(SPAN_BYTES);
    char id[ID_JOB_MAX + 1];
    struct span_attempt s = {.context = a->context,
                             .job = id,
                             .queue = j->id.queue,
                             .destination = j->to,
                             .attempt = j->attempts > 0 ? j->attempts : 1,
                             .created_ms = j->created,
                             .start_ms = a->start_ms,
                             .end_ms = clock_wall_ms(),
                             .bytes = end->bytes,
                             .error_class = end->error_class,
                             .error = end->error};
    bool is_wanted = t && a->start_ms > 0 && a->context.sampled;

    memcpy(s.id, a->id, sizeof s.id);
    *a = (struct tracer_attempt){.start_ms = 0};
    if (!is_wanted)
        return;
    id_format_job(&j->id, id);
    if (s.attempt == 1 && s.created_ms > 0)
        make_id(s.wait_id);
    span_add(&span, &s, t->count == 0);
    if (span.failed || t->gathered.len + span.len > TRACER_BYTES) {
        t->lost++;
        complain(t, "too many at once");
        return;
    }
    buf_add(&t->gathered, span.data, span.len);
    t->count++;
    if (t->count >= TRACER_BATCH && t->tries == 0)
        send_more(t);
}

/* --- life cycle --- */

enum err_code tracer_open(const struct worker_env *env, struct tracer **ret,
                          struct err *e)
{
    *ret = NULL;
    if (!*env->config->worker.otlp_url)
        return ERR_OK;
    struct tracer *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(e, ERR_NOMEM, "no memory for a tracer");
    if (http_open(env->loop, &t->http, e) != ERR_OK) {
        free(t);
        return e->code;
    }
    t->env = env;
    buf_init(&t->gathered, 2 * TRACER_BYTES);
    buf_init(&t->body, 4 * TRACER_BYTES);
    t->timer.data = t;
    (void)uv_timer_init(env->loop, &t->timer); /* neither can fail */
    (void)uv_timer_start(&t->timer, on_tick, TRACER_EVERY_MS, TRACER_EVERY_MS);
    *ret = t;
    return ERR_OK;
}

void tracer_flush(struct tracer *t, void (*done)(void *ctx), void *ctx)
{
    if (!t) {
        done(ctx);
        return;
    }
    t->flushed = done;
    t->ctx = ctx;
    t->flush_end_ms = clock_mono_ms() + TRACER_CLOSE_MS;
    (void)uv_timer_start(&t->timer, on_tick, TRACER_CLOSE_MS, TRACER_CLOSE_MS);
    send_more(t);
    check_flushed(t);
}

static void on_closed(uv_handle_t *handle)
{
    struct tracer *t = handle->data;

    buf_release(&t->gathered);
    buf_release(&t->body);
    free(t);
}

void tracer_close(struct tracer *t)
{
    if (!t)
        return;
    t->closing = true;
    t->flushed = NULL;
    http_close(t->http);
    uv_close((uv_handle_t *)&t->timer, on_closed);
}
