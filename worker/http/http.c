#include "worker/http/http_internal.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"

enum { TICK_MS = 1000, CONNECTIONS_MAX = 256, LINE_MAX_BYTES = 16 * 1024 };

/* --- ending --- */

static void update_sent(struct http_call *call)
{
    curl_off_t sent = 0;

    if (!call->easy)
        return;
    if (curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &sent) == CURLE_OK &&
        sent != call->sent) {
        call->sent = sent;
        call->quiet_ms = clock_mono_ms();
    }
}

static void detach_easy(struct http_call *call)
{
    struct http *h = call->http;

    update_sent(call);
    http_limit_forget(call);
    (void)curl_multi_remove_handle(h->multi, call->easy); /* it is in there */
    if (h->pooled < HTTP_POOL_MAX) {
        curl_easy_reset(call->easy);
        h->pool[h->pooled++] = call->easy;
    } else {
        curl_easy_cleanup(call->easy);
    }
    call->easy = NULL;
}

static void unlink_call(struct http_call *call)
{
    struct http *h = call->http;

    *(call->previous ? &call->previous->next : &h->calls) = call->next;
    if (call->next)
        call->next->previous = call->previous;
    if (--h->count == 0)
        (void)uv_timer_stop(&h->tick);
}

static void free_call(struct http_call *call)
{
    curl_slist_free_all(call->headers);
    free(call->small);
    http_response_release(&call->response);
    free(call);
}

static void end_call(struct http_call *call, enum retry_net net, const char *why)
{
    if (call->easy)
        detach_easy(call);
    unlink_call(call);
    if (call->unwanted)
        net = RETRY_NET_ABORTED;
    struct http_result result = {
        .net = net,
        .refused = call->refused && net == RETRY_NET_CONNECT,
        .body_sent = call->sent >= call->body.len &&
                     (net != RETRY_NET_RESOLVE && net != RETRY_NET_CONNECT),
        .source_failed = call->source_failed,
        .sent = call->sent,
        .error = why,
        .response = &call->response};
    call->done(&result, call->ctx);
    free_call(call);
}

/* The store has answered, and the body could not, or was not to, leave any more. */
static bool is_early_answer(const struct http_call *call, CURLcode code)
{
    return !call->source_failed && http_easy_refused_early(call) &&
           (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
            code == CURLE_PARTIAL_FILE || code == CURLE_ABORTED_BY_CALLBACK);
}

/* Hand out what libcurl has finished. */
void http_reap(struct http *h)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(h->multi, &left))) {
        struct http_call *call = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        if (is_early_answer(call, code))
            code = CURLE_OK;
        if (code == CURLE_OK && !call->response.has_whole_head) {
            /* The connection has ended within it, which is all the same to libcurl. */
            end_call(call, RETRY_NET_RECEIVE, "the answer ended in its head");
            continue;
        }
        end_call(call, http_easy_net(code),
                 call->head_bytes > HTTP_HEAD_MAX ? "the head of the answer is too long"
                 : call->error[0]                 ? call->error
                                                  : curl_easy_strerror(code));
    }
}

/* --- our own deadlines --- */

/* NULL while the call is in time. */
static const char *overdue(struct http_call *call, int64_t now)
{
    update_sent(call);
    if (call->paused || call->held)
        call->quiet_ms = now; /* it is we who do not send, or take */
    if (call->head_told)
        return now - call->quiet_ms >= call->stall_ms ? "time-out: the answer stalled"
                                                      : NULL;
    if (call->sent < call->body.len)
        return now - call->quiet_ms >= call->stall_ms ? "time-out: the upload stalled"
                                                      : NULL;
    return now - call->quiet_ms >= call->answer_ms ? "time-out: no answer" : NULL;
}

static void on_tick(uv_timer_t *tick)
{
    struct http *h = tick->data;
    int64_t now = clock_mono_ms();

    for (struct http_call *call = h->calls; call;) {
        const char *why = call->easy ? overdue(call, now) : NULL;
        if (why)
            end_call(call, RETRY_NET_TIMEOUT, why);
        call = why ? h->calls : call->next; /* done may have changed the list */
    }
    http_loop_kick(h);
}

static void on_deliver(uv_timer_t *timer)
{
    struct http *h = timer->data;

    for (struct http_call *call = h->calls; call;) {
        if (call->yields && call->easy) {
            call->yields = false;
            (void)curl_easy_pause(call->easy,
                                  CURLPAUSE_CONT); /* libcurl's timer goes on */
        }
        if (call->more && !call->cancelled && !call->lost)
            http_intake_resume(call);
        bool ended = call->cancelled || call->lost;
        if (call->cancelled)
            end_call(call, RETRY_NET_ABORTED, "aborted");
        else if (ended)
            end_call(call, RETRY_NET_RECEIVE, "no memory to watch its connection");
        call = ended ? h->calls : call->next;
    }
}

void http_deliver_soon(struct http *h)
{
    (void)uv_timer_start(&h->deliver, on_deliver, 0, 0);
}

void http_lose(struct http_call *call)
{
    if (!call || call->cancelled)
        return;
    call->lost = true;
    http_deliver_soon(call->http);
}

void http_cancel(struct http_call *call)
{
    if (call->cancelled)
        return;
    call->cancelled = true;
    detach_easy(call);
    http_deliver_soon(call->http);
}

int64_t http_sent(const struct http_call *call)
{
    curl_off_t sent = 0;

    if (!call->easy ||
        curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &sent) != CURLE_OK)
        return call->sent;
    return sent;
}

/* --- sending --- */

static void link_call(struct http_call *call)
{
    struct http *h = call->http;

    call->next = h->calls;
    if (h->calls)
        h->calls->previous = call;
    h->calls = call;
    if (h->count++ == 0)
        (void)uv_timer_start(&h->tick, on_tick, TICK_MS, TICK_MS);
}

struct http_call *http_send(struct http *h, const struct http_request *r)
{
    struct http_call *call = calloc(1, sizeof *call);

    if (!call)
        return NULL;
    http_response_init(&call->response);
    call->http = h;
    call->fd = -1;
    call->body = r->body ? *r->body : (struct http_body){.fd = -1};
    call->intake = r->intake ? *r->intake : (struct http_intake){.piece = NULL};
    call->quiet_ms = clock_mono_ms() + r->connect_ms;
    call->stall_ms = r->stall_ms;
    call->answer_ms = r->answer_ms;
    call->done = r->done;
    call->ctx = r->ctx;
    call->easy = h->pooled ? h->pool[--h->pooled] : curl_easy_init();
    if (!call->easy || !http_easy_prepare(call, r)) {
        curl_easy_cleanup(call->easy);
        free_call(call);
        return NULL;
    }
    uv_update_time(h->loop); /* libcurl's timers count from now */
    if (curl_multi_add_handle(h->multi, call->easy) != CURLM_OK) {
        curl_easy_cleanup(call->easy);
        free_call(call);
        return NULL;
    }
    link_call(call);
    return call;
}

/* --- life cycle --- */

enum err_code http_open(uv_loop_t *loop, struct http **ret, struct err *e)
{
    struct http *h = calloc(1, sizeof *h);

    if (!h || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        !(h->multi = curl_multi_init())) {
        free(h);
        return err_set(e, ERR_NOMEM, "no memory for libcurl");
    }
    h->loop = loop;
    h->line = (struct buf)BUF_INIT(LINE_MAX_BYTES);
    uv_timer_t *timers[] = {&h->timer, &h->tick, &h->deliver, &h->refill};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        (void)uv_timer_init(loop, timers[i]); /* cannot fail */
        timers[i]->data = h;
        h->open_handles++;
    }
    http_loop_attach(h);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
    *ret = h;
    return ERR_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http *h = handle->data;

    if (--h->open_handles > 0)
        return;
    buf_release(&h->line);
    free(h->sockets);
    free(h);
}

void http_close(struct http *h)
{
    if (!h)
        return;
    while (h->calls)
        end_call(h->calls, RETRY_NET_ABORTED, "aborted");
    while (h->pooled > 0)
        curl_easy_cleanup(h->pool[--h->pooled]);
    (void)curl_multi_cleanup(h->multi); /* and kept connections, ending their polls */
    curl_global_cleanup();
    uv_close((uv_handle_t *)&h->timer, on_timer_closed);
    uv_close((uv_handle_t *)&h->tick, on_timer_closed);
    uv_close((uv_handle_t *)&h->deliver, on_timer_closed);
    uv_close((uv_handle_t *)&h->refill, on_timer_closed);
}
