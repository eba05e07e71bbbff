#include "worker/http_internal.h"

#include <stdlib.h>

struct http_socket {
    uv_poll_t poll;
    struct http *http;
    curl_socket_t fd;
};

static void on_socket_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_socket *s = poll->data;
    struct http *h = s->http;
    int running, flags = 0;

    /* A broken connection: let libcurl try, as an answer may stand in front of the break (a store that refuses an
     * upload and closes without reading it).  CURL_CSELECT_ERR would throw that away. */
    if (status < 0)
        flags = CURL_CSELECT_IN | CURL_CSELECT_OUT;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    (void)curl_multi_socket_action(h->multi, s->fd, flags, &running);
    http_reap(h);
}

/* Without a watch nothing would wake the request.  -1 from the callback below would say so, but libcurl gives up its multi
 * handle for good then, with all requests there are and ever will be. */
static int lose(CURL *easy)
{
    struct http_call *call = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call) == CURLE_OK)
        http_lose(call);
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket)
{
    struct http *h = ctx;
    struct http_socket *s = socket;

    if (what == CURL_POLL_REMOVE) {
        if (s) {
            (void)curl_multi_assign(h->multi, fd, NULL); /* it knows the socket */
            uv_close((uv_handle_t *)&s->poll, on_socket_closed);
        }
        return 0;
    }
    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s || uv_poll_init_socket(h->loop, &s->poll, fd) != 0) {
            free(s);
            return lose(easy);
        }
        s->http = h;
        s->fd = fd;
        s->poll.data = s;
        (void)curl_multi_assign(h->multi, fd, s);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                 (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&s->poll, events, on_poll) == 0 ? 0 : lose(easy);
}

void http_loop_kick(struct http *h)
{
    int running;

    (void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    http_reap(h);
}

static void on_curl_timer(uv_timer_t *timer)
{
    http_loop_kick(timer->data);
}

static int on_timer_wanted(CURLM *multi, long ms, void *ctx)
{
    struct http *h = ctx;

    (void)multi;
    if (ms < 0)
        return uv_timer_stop(&h->timer);
    return uv_timer_start(&h->timer, on_curl_timer, (uint64_t)ms, 0);
}

void http_loop_attach(struct http *h)
{
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
}
