#include "worker/http/http_internal.h"

#include "shared/clock.h"

/* What this call asks the bucket for at once. */
static int64_t piece_of(const struct http_call *call)
{
    int64_t left = call->body.len - call->at, piece = call->http->bandwidth.piece;

    return left < piece ? left : piece;
}

static void on_refill(uv_timer_t *timer);

static void wait_for_head(struct http *h)
{
    int64_t us =
        bandwidth_wait_us(&h->bandwidth, piece_of(h->paused_first), clock_mono_us());

    uv_update_time(h->loop); /* the timer counts from now */
    (void)uv_timer_start(&h->refill, on_refill, (uint64_t)(us + 999) / 1000, 0);
}

static struct http_call *take_head(struct http *h)
{
    struct http_call *call = h->paused_first;

    h->paused_first = call->next_paused;
    if (!h->paused_first)
        h->paused_last = NULL;
    call->next_paused = NULL;
    call->paused = false;
    call->quiet_ms = clock_mono_ms(); /* it could not move before */
    return call;
}

/* Each gets a piece in its turn; who wants more then stands behind the others. */
static void on_refill(uv_timer_t *timer)
{
    struct http *h = timer->data;

    while (h->paused_first) {
        int64_t piece = piece_of(h->paused_first);
        if (!bandwidth_take(&h->bandwidth, piece, clock_mono_us())) {
            wait_for_head(h);
            return;
        }
        struct http_call *call = take_head(h);
        call->granted = piece;
        (void)curl_easy_pause(call->easy, CURLPAUSE_CONT); /* libcurl's timer goes on */
    }
}

size_t http_limit_room(struct http_call *call, size_t want)
{
    struct http *h = call->http;

    if (h->bandwidth.rate == 0)
        return want;
    if (call->granted == 0) {
        int64_t piece = piece_of(call);
        if (h->paused_first || !bandwidth_take(&h->bandwidth, piece, clock_mono_us())) {
            *(h->paused_last ? &h->paused_last->next_paused : &h->paused_first) = call;
            h->paused_last = call;
            call->paused = true;
            if (h->paused_first == call)
                wait_for_head(h);
            return 0;
        }
        call->granted = piece;
    }
    if ((int64_t)want > call->granted)
        want = (size_t)call->granted;
    call->granted -= (int64_t)want;
    return want;
}

void http_limit_forget(struct http_call *call)
{
    struct http *h = call->http;
    struct http_call *before = NULL;

    bandwidth_give(&h->bandwidth, call->granted);
    call->granted = 0;
    if (!call->paused)
        return;
    for (struct http_call *at = h->paused_first; at != call; at = at->next_paused)
        before = at;
    *(before ? &before->next_paused : &h->paused_first) = call->next_paused;
    if (h->paused_last == call)
        h->paused_last = before;
    call->next_paused = NULL;
    call->paused = false;
    if (!h->paused_first)
        (void)uv_timer_stop(&h->refill);
}

void http_limit_resume(struct http_call *call)
{
    if (!call->paused)
        return;
    http_limit_forget(call);
    (void)curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

void http_limit(struct http *h, int64_t bytes_per_s)
{
    bandwidth_init(&h->bandwidth, bytes_per_s, clock_mono_us());
}
