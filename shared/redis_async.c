#include "shared/redis_async_internal.h"

#include "shared/clock.h"

#include <stdlib.h>

/* --- Delivering --- */

static void on_turn(uv_idle_t *h);

void redis_async_deliver_soon(struct redis_async *r)
{
    (void)uv_idle_start(&r->turn, on_turn); /* fails only without a callback */
}

static void end_request(struct redis_async *r, struct request *q, const struct err *why)
{
    if (q->kind != REQUEST_USER) {
        request_free(r, q);
        return;
    }
    if (why) {
        q->code = why->code;
        q->e = *why;
    }
    request_push(&r->ended, q);
    redis_async_deliver_soon(r);
}

static void end_all(struct redis_async *r, const struct err *why)
{
    struct request *q;

    while ((q = request_pop(&r->pending)))
        end_request(r, q, why);
}

static void deliver(struct redis_async *r, struct request *q)
{
    r->unanswered--;
    q->fn(q->code, q->code == ERR_OK ? q->reply : NULL, &q->e, q->ctx);
    request_free(r, q);
}

static void flush(struct redis_async *r)
{
    struct err e = ERR_INIT;

    if (r->state < LINK_HANDSHAKE || !redis_link_has_out(&r->link))
        return;
    if (redis_link_write(&r->link, &e) != ERR_OK)
        redis_async_lose(r, &e);
    else
        redis_async_watch(r, UV_READABLE |
                                 (redis_link_has_out(&r->link) ? UV_WRITABLE : 0));
}

void redis_async_handle_ended(struct redis_async *r)
{
    if (--r->handles > 0 || !r->closing)
        return;
    void (*on_closed)(void *ctx) = r->on_closed;
    void *ctx = r->closed_ctx;
    redis_target_release(&r->target);
    request_spare_release(r);
    free(r);
    if (on_closed)
        on_closed(ctx);
}

static void on_handle_closed(uv_handle_t *h)
{
    redis_async_handle_ended(h->data);
}

/* What is put into `ended` by the callbacks called here waits for the next turn: nobody starves the loop. */
static void on_turn(uv_idle_t *h)
{
    struct redis_async *r = h->data;
    struct request_list now = r->ended;
    struct request *q;

    r->ended = (struct request_list){0};
    while ((q = request_pop(&now)))
        deliver(r, q);
    if (r->tell_lost) {
        struct err why = r->lost;
        r->tell_lost = false;
        if (!r->closing && r->options.on_lost)
            r->options.on_lost(&why, r->options.ctx);
    }
    if (r->tell_ready) {
        r->tell_ready = false;
        if (!r->closing && r->options.on_ready)
            r->options.on_ready(r->options.ctx);
    }
    flush(r);
    if (r->ended.count > 0 || r->tell_lost)
        return;
    (void)uv_idle_stop(h); /* cannot fail */
    if (!r->closing || r->is_looking_up)
        return;
    uv_close((uv_handle_t *)&r->timer, on_handle_closed);
    uv_close((uv_handle_t *)h, on_handle_closed);
}

/* --- The link --- */

void redis_async_lose(struct redis_async *r, const struct err *why)
{
    struct err retry = *why;

    retry.code = ERR_RETRY;
    if (r->state == LINK_READY && clock_mono_ms() - r->ready_ms >= REDIS_STABLE_MS)
        r->attempts = 0; /* one that ends as soon as it stands is no success */
    redis_async_drop_link(r);
    end_all(r, &retry);
    r->lost = *why;
    r->tell_lost = true;
    r->tell_ready = false;
    redis_async_deliver_soon(r);
    redis_async_attempt_later(r);
}

static void wait_for_first(struct redis_async *r);

static void on_deadline(uv_timer_t *t)
{
    struct redis_async *r = t->data;
    struct err e = ERR_INIT;

    if (!r->pending.head || r->state != LINK_READY)
        return;
    if (clock_mono_ms() < r->pending.head->deadline_ms) {
        wait_for_first(r);
        return;
    }
    (void)err_set(&e, ERR_RETRY, "redis: no answer in time");
    redis_async_lose(r, &e);
}

/* The deadlines in pending never fall, so the first one is enough. */
static void wait_for_first(struct redis_async *r)
{
    int64_t left = r->pending.head->deadline_ms - clock_mono_ms();

    (void)uv_timer_start(&r->timer, on_deadline, left > 0 ? (uint64_t)left : 0, 0);
}

enum err_code redis_async_push(struct redis_async *r, enum request_kind kind,
                               const struct redis_cmd *c, struct err *e)
{
    enum err_code rc = redis_link_queue(&r->link, c, e);

    if (rc != ERR_OK)
        return rc;
    struct request *q = request_new(r, kind);
    q->deadline_ms = clock_mono_ms() + r->options.timeout_ms;
    if (r->pending.tail && r->pending.tail->deadline_ms > q->deadline_ms)
        q->deadline_ms = r->pending.tail->deadline_ms;
    request_push(&r->pending, q);
    redis_async_deliver_soon(r);
    return ERR_OK;
}

/* The server has forgotten the script: load it, ask again.  Once: q->again is gone then. */
static enum err_code send_again(struct redis_async *r, struct request *q, struct err *e)
{
    struct redis_cmd load;

    redis_cmd_init(&load);
    redis_cmd_load(&load, q->again.script, r->link.is_7);
    enum err_code rc = redis_async_push(r, REQUEST_LOAD, &load, e);
    redis_cmd_release(&load);
    if (rc == ERR_OK)
        rc = redis_link_queue(&r->link, &q->again, e);
    redis_cmd_release(&q->again);
    if (rc != ERR_OK)
        return rc;
    if (q->deadline_ms < r->pending.tail->deadline_ms)
        q->deadline_ms = r->pending.tail->deadline_ms;
    request_push(&r->pending, q);
    return ERR_OK;
}

static enum err_code take_user_reply(struct redis_async *r, struct request *q,
                                     struct redis_value *v, struct err *e)
{
    struct err why = ERR_INIT;
    enum err_code rc = ERR_OK;

    if (q->again.count > 0 && redis_value_is_error(v, "NOSCRIPT")) {
        redis_reply_free(v);
        rc = send_again(r, q, e);
        if (rc != ERR_OK)
            end_request(r, q, e);
        return rc;
    }
    if (redis_value_is_closing(v)) /* connect anew, and look the name up again */
        rc = redis_value_error(v, e);
    if (q->sent_us)
        histogram_note(&r->round_trips_us, &histogram_redis_us,
                       clock_mono_us() - q->sent_us);
    q->reply = v;
    end_request(r, q, redis_value_error(v, &why) == ERR_OK ? NULL : &why);
    return rc;
}

static enum err_code take_reply(struct redis_async *r, struct redis_value *v,
                                struct err *e)
{
    struct request *q = request_pop(&r->pending);
    enum err_code rc;

    if (!q) {
        redis_reply_free(v);
        return err_set(e, ERR_RETRY, "redis: a reply to nothing");
    }
    if (q->kind == REQUEST_USER)
        return take_user_reply(r, q, v, e);
    rc = redis_async_own_reply(r, q->kind, v, e);
    redis_reply_free(v);
    request_free(r, q);
    return rc;
}

static enum err_code take_replies(struct redis_async *r, struct err *e)
{
    struct redis_value *v = NULL;
    enum err_code rc = redis_link_read(&r->link, e);

    while (rc == ERR_OK) {
        rc = redis_link_next(&r->link, &v, e);
        if (rc != ERR_OK || !v)
            return rc;
        rc = take_reply(r, v, e);
    }
    return rc;
}

void redis_async_on_poll(uv_poll_t *p, int status, int events)
{
    struct redis_async *r = p->data;
    struct err e = ERR_INIT;
    enum err_code rc = ERR_OK;

    if (r->poll != p)
        return;
    if (r->state == LINK_CONNECTING) {
        redis_async_connected(r);
        return;
    }
    if (status < 0)
        rc = err_set(&e, ERR_RETRY, "redis: poll: %s", uv_strerror(status));
    if (rc == ERR_OK && (events & UV_READABLE))
        rc = take_replies(r, &e);
    if (rc != ERR_OK)
        redis_async_lose(r, &e);
    else if (events & UV_WRITABLE)
        flush(r);
}

void redis_async_watch(struct redis_async *r, int events)
{
    struct err e = ERR_INIT;

    if (r->poll_events == events)
        return;
    int rc = uv_poll_start(r->poll, events, redis_async_on_poll);
    if (rc < 0) {
        (void)err_set(&e, ERR_RETRY, "redis: poll: %s", uv_strerror(rc));
        redis_async_lose(r, &e);
        return;
    }
    r->poll_events = events;
}

/* --- The interface --- */

enum err_code redis_async_open(uv_loop_t *loop, const struct redis_async_options *o,
                               struct redis_async **ret_redis, struct err *e)
{
    struct redis_async *r = calloc(1, sizeof *r);

    if (!r || !request_spare(r) || !redis_target_copy(&o->target, &r->target)) {
        if (r)
            request_spare_release(r);
        free(r);
        return err_set(e, ERR_NOMEM, "redis: no memory for a connection");
    }
    r->loop = loop;
    r->options = *o;
    r->options.target = (struct redis_target)REDIS_TARGET_INIT;
    r->facts = (struct redis_facts)REDIS_FACTS_INIT;
    redis_link_init(&r->link);
    (void)uv_timer_init(loop, &r->timer); /* neither can fail */
    (void)uv_idle_init(loop, &r->turn);
    r->timer.data = r;
    r->turn.data = r;
    r->lookup.data = r;
    r->handles = 2;
    redis_async_attempt(r);
    *ret_redis = r;
    return ERR_OK;
}

void redis_async_close(struct redis_async *r, void (*on_closed)(void *ctx), void *ctx)
{
    struct err why = ERR_INIT;

    r->closing = true;
    r->on_closed = on_closed;
    r->closed_ctx = ctx;
    (void)err_set(&why, ERR_RETRY, "redis: the connection is being closed");
    redis_async_drop_link(r);
    (void)uv_timer_stop(&r->timer); /* cannot fail */
    end_all(r, &why);
    if (r->is_looking_up)
        (void)uv_cancel((uv_req_t *)&r->lookup); /* its callback comes in any case */
    redis_async_deliver_soon(r);
}

bool redis_async_is_ready(const struct redis_async *r)
{
    return r->state == LINK_READY && !r->closing;
}

size_t redis_async_pending(const struct redis_async *r)
{
    return r->unanswered;
}

const struct histogram *redis_async_round_trips(const struct redis_async *r)
{
    return &r->round_trips_us;
}

const struct redis_facts *redis_async_facts(const struct redis_async *r)
{
    return &r->facts;
}

static enum err_code try_send(struct redis_async *r, const struct redis_cmd *c,
                              struct request *q, struct err *e)
{
    if (c->failed || c->count == 0)
        return err_set(e, ERR_NOMEM, "redis: the command does not fit");
    if (!redis_async_is_ready(r))
        return err_set(e, ERR_RETRY, "redis: not connected");
    if (r->pending.count >= REDIS_ASYNC_PENDING_MAX)
        return err_set(e, ERR_RETRY, "redis: too many commands without an answer");
    if (c->script && !redis_cmd_copy(c, &q->again))
        return err_set(e, ERR_NOMEM, "redis: no memory for a command");
    if (redis_link_queue(&r->link, c, e) != ERR_OK)
        return err_set(e, ERR_RETRY, "redis: too much is waiting to be written");
    return ERR_OK;
}

/* Settings can be changed while a connection stands: ask again once in a while, behind a command. */
static void look_again(struct redis_async *r)
{
    struct err ignored = ERR_INIT; /* no room now: the next command tries again */
    int64_t now_ms = clock_mono_ms();
    struct redis_cmd info;

    if (now_ms - r->facts_ms < REDIS_CHECK_EVERY_MS)
        return;
    redis_info_cmd(&info);
    if (redis_async_push(r, REQUEST_INFO, &info, &ignored) == ERR_OK)
        r->facts_ms = now_ms;
    redis_cmd_release(&info);
}

void redis_async_send(struct redis_async *r, const struct redis_cmd *c, int wait_ms,
                      redis_async_fn *fn, void *ctx)
{
    struct request *q = request_new(r, REQUEST_USER);
    struct err e = ERR_INIT;

    q->fn = fn;
    q->ctx = ctx;
    r->unanswered++;
    if (try_send(r, c, q, &e) != ERR_OK) {
        end_request(r, q, &e);
        return;
    }
    int64_t now_us = clock_mono_us();
    q->sent_us = wait_ms == 0 ? now_us : 0;
    q->deadline_ms = now_us / 1000 + r->options.timeout_ms + wait_ms;
    if (r->pending.tail && r->pending.tail->deadline_ms > q->deadline_ms)
        q->deadline_ms = r->pending.tail->deadline_ms;
    request_push(&r->pending, q);
    redis_async_deliver_soon(r);
    look_again(r);
    if (!uv_is_active((uv_handle_t *)&r->timer))
        wait_for_first(r);
}
