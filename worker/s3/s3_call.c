#include "worker/s3/s3_call.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "worker/s3/dest_s3_internal.h"
#include "worker/s3/s3_error.h"

struct s3_call {
    struct dest_s3 *dest;
    struct s3_call_order order;
    struct flow_ticket ticket;
    struct credentials_wait wait;
    uint64_t generation; /* of the keys that it was signed with */
    bool refreshed, moved;
    struct http_call *http; /* NULL: it waits */
    int64_t began_ms;
    uv_timer_t later; /* tells what was known at once */
    bool over;
    char why[256]; /* nothing was sent */
    int64_t hold_ms;
};

static void with_keys(struct s3_call *c);
static void take_turn(struct s3_call *c);

/* --- the end --- */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void tell(struct s3_call *c, const struct http_result *http)
{
    struct s3_call_result r = {http, c->hold_ms};

    c->over = true;
    c->order.done(&r, c->order.ctx);
    uv_close((uv_handle_t *)&c->later, on_closed);
}

static void on_later(uv_timer_t *timer)
{
    struct s3_call *c = timer->data;
    struct http_response none;
    struct http_result http = {
        .net = RETRY_NET_ABORTED, .error = c->why, .response = &none};

    http_response_init(&none);
    tell(c, &http);
    http_response_release(&none);
}

/* Nothing was sent. */
static void give_up(struct s3_call *c, const char *why, int64_t hold_ms)
{
    size_t len = strnlen(why, sizeof c->why - 1);

    memcpy(c->why, why, len);
    c->why[len] = '\0';
    c->hold_ms = hold_ms;
    flow_leave(&c->ticket);
    (void)uv_timer_start(&c->later, on_later, 0, 0);
}

static void hold_for_keys(struct s3_call *c)
{
    struct credentials *keys = c->dest->credentials;
    int64_t ms = credentials_hold_ms(keys);

    ms = ms > 0 ? ms : 1;
    flow_pause(c->dest->base.flow, ms, credentials_error(keys));
    give_up(c, credentials_error(keys), ms);
}

/* --- the answer --- */

static struct flow_answer judge(const struct http_result *r)
{
    const struct buf *body = &r->response->body;
    struct s3_error error;

    (void)s3_error_parse(body->data, body->len, &error); /* no error is no code */
    struct retry_outcome o = {.net = r->net,
                              .body_sent = r->body_sent,
                              .status = r->response->status,
                              .code = error.code};
    return (struct flow_answer){.net = r->net,
                                .status = r->response->status,
                                .class = retry_classify(&o),
                                .retry_after_ms =
                                    http_response_retry_after_ms(r->response),
                                .error = r->net == RETRY_NET_OK ? NULL : r->error};
}

/* The store refuses the keys.  True: it is asked again with others. */
static bool refreshes(struct s3_call *c)
{
    struct credentials *keys = c->dest->credentials;

    if (!c->refreshed && credentials_refuse(keys, c->generation)) {
        c->refreshed = true;
        with_keys(c);
        return true;
    }
    if (credentials_pause(keys, c->generation, "the store refuses the keys"))
        c->hold_ms = credentials_hold_ms(keys);
    return false;
}

static void on_http(const struct http_result *result, void *ctx)
{
    struct s3_call *c = ctx;
    struct flow_answer a = judge(result);

    c->http = NULL;
    if (c->order.has_body)
        expect_told(&c->dest->base.expect, c->order.body.len, result->net,
                    result->response->status);
    if (result->net == RETRY_NET_ABORTED) { /* whatever of its answer had come */
        flow_leave(&c->ticket);
        tell(c, result);
        return;
    }
    flow_told(&c->ticket, &a);
    if (a.class == RETRY_REFRESH && refreshes(c))
        return;
    if (!c->moved && dest_s3_follow(c->dest, result->response)) {
        c->moved = true; /* the store has named its region */
        take_turn(c);
        return;
    }
    if (a.class == RETRY_NONE)
        credentials_accept(c->dest->credentials, c->generation);
    tell(c, result);
}

/* --- sending --- */

static bool send_signed(struct s3_call *c, const struct s3_request *signed_)
{
    const struct config_destination *config = c->dest->base.config;
    struct http_body none = {.fd = -1, .data = ""};
    bool posts = c->order.operation == S3_CREATE_PARTS; /* with a length, which is 0 */
    struct http_request r = {
        .method = s3_operation_method(c->order.operation),
        .url = signed_->url.data,
        .headers = signed_->headers,
        .header_count = signed_->header_count,
        .body = c->order.has_body ? &c->order.body
                : posts           ? &none
                                  : NULL,
        .expects = c->order.has_body &&
                   expect_wants(&c->dest->base.expect, c->order.body.len, false),
        .connect_ms = config->connect_timeout_seconds * 1000,
        .stall_ms = config->stall_timeout_seconds * 1000,
        .answer_ms = config->answer_timeout_seconds * 1000,
        .ca_file = config->ca_file,
        .done = on_http,
        .ctx = c};

    c->http = http_send(c->dest->http, &r);
    return c->http != NULL;
}

static void send_now(struct s3_call *c)
{
    struct s3_request request = S3_REQUEST_INIT;
    const struct s3_call_order *o = &c->order;
    struct s3_ask ask = dest_s3_ask_of(c->dest, o->operation, o->job);
    struct err e = ERR_INIT;

    if (o->config)
        ask.config = o->config;
    ask.upload_id = o->upload_id;
    ask.number = o->number;
    ask.conditional = o->conditional;
    ask.checksum = o->checksum;
    ask.sums = o->sums;
    ask.body_sha256 = o->body_sha256;
    c->generation = credentials_generation(c->dest->credentials);
    c->began_ms = clock_mono_ms();
    if (s3_request_make(&request, &ask, &e) != ERR_OK)
        give_up(c, e.text, 0);
    else if (!send_signed(c, &request))
        give_up(c, "no memory for a request", 0);
    s3_request_release(&request);
}

static void on_turn(enum flow_turn turn, void *ctx)
{
    struct s3_call *c = ctx;
    int64_t rest = flow_rest_ms(c->dest->base.flow);

    if (turn == FLOW_HOLD) {
        give_up(c, "the destination rests", rest > 0 ? rest : 1);
    } else if (credentials_hold_ms(c->dest->credentials) > 0) {
        flow_leave(&c->ticket); /* they ran out while it waited */
        with_keys(c);
    } else {
        send_now(c);
    }
}

static void take_turn(struct s3_call *c)
{
    bool begins =
        c->order.operation == S3_CREATE_PARTS || c->order.operation == S3_PUT_PART;

    c->ticket.on_turn = on_turn;
    c->ticket.ctx = c;
    enum flow_turn turn = flow_ask(c->dest->base.flow, &c->ticket, !begins);
    if (turn != FLOW_WAIT)
        on_turn(turn, c);
}

static void on_keys(void *ctx)
{
    struct s3_call *c = ctx;
    struct credentials *keys = c->dest->credentials;
    bool no_others = c->refreshed && c->generation == credentials_generation(keys);

    bool paused =
        no_others && credentials_pause(keys, c->generation, "the keys are refused");

    if (no_others && !paused)
        give_up(c, "the store refuses the keys", 0);
    else if (paused || credentials_hold_ms(keys) > 0)
        hold_for_keys(c);
    else
        take_turn(c);
}

static void with_keys(struct s3_call *c)
{
    struct credentials *keys = c->dest->credentials;

    if (!c->refreshed && credentials_hold_ms(keys) == 0) {
        take_turn(c);
        return;
    }
    c->wait.done = on_keys;
    c->wait.ctx = c;
    credentials_await(keys, &c->wait);
}

struct s3_call *s3_call_begin(struct dest_s3 *d, const struct s3_call_order *o)
{
    struct s3_call *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->dest = d;
    c->order = *o;
    c->later.data = c;
    (void)uv_timer_init(d->loop, &c->later); /* cannot fail */
    with_keys(c);
    return c;
}

void s3_call_cancel(struct s3_call *c)
{
    if (c->over)
        return;
    if (c->http) {
        http_cancel(c->http);
        return;
    }
    credentials_forget(&c->wait);
    if (!uv_is_active((uv_handle_t *)&c->later))
        give_up(c, "stopped", 0);
}

int64_t s3_call_sent(const struct s3_call *c)
{
    return c->http ? http_sent(c->http) : 0;
}

int64_t s3_call_began_ms(const struct s3_call *c)
{
    return c->http || c->over ? c->began_ms : 0;
}
