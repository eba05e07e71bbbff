/*
 * libcurl's sockets and timer on the libuv loop.
 *
 * libcurl asks to watch a socket for one request, and to forget it when that is over, although the connection is kept and
 * used again at once; and each change of a uv_poll_t takes two system calls.  So a socket that libcurl connects (on_open to
 * on_close) keeps its poll for its whole life, and what is watched is changed only when something is wanted that is
 * not watched yet, or when something happens that is not wanted any more.  Other descriptors (the resolver's) come and go
 * as libcurl says; and so do sockets that are not connected yet: libcurl closes those without a word (7.88: cf_socket_close),
 * and the next who gets the descriptor must be able to watch it.
 */
#include "worker/http/http_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKETS_STEP = 64 };

struct http_socket {
    uv_poll_t poll;
    struct http *http;
    curl_socket_t fd;
    bool is_connection; /* closed by on_close, once it is connected */
    bool is_connected;  /* known to be */
    int wanted;         /* UV_READABLE, UV_WRITABLE: what libcurl asks for */
    int watched;        /* what the poll looks for */
};

static void on_socket_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* False: it cannot be watched. */
static bool watch(struct http_socket *s, int events)
{
    s->watched = events;
    if (events == 0)
        return uv_poll_stop(&s->poll) == 0;
    return uv_poll_start(&s->poll, events, on_poll) == 0;
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
    else if (!(events & s->wanted)) {
        (void)watch(s, s->wanted); /* less than before: that cannot fail */
        return;
    }
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    if (status < 0 && s->wanted == 0)
        (void)watch(s, 0);
    else
        (void)curl_multi_socket_action(h->multi, s->fd, flags, &running);
    http_reap(h);
}

/* --- the sockets there are, by descriptor --- */

static struct http_socket *find(const struct http *h, curl_socket_t fd)
{
    return fd >= 0 && (size_t)fd < h->socket_room ? h->sockets[fd] : NULL;
}

static bool make_room(struct http *h, curl_socket_t fd)
{
    size_t room = (size_t)fd + SOCKETS_STEP;

    if ((size_t)fd < h->socket_room)
        return true;
    struct http_socket **sockets = realloc(h->sockets, room * sizeof(void *));
    if (!sockets)
        return false;
    memset(sockets + h->socket_room, 0, (room - h->socket_room) * sizeof(void *));
    h->sockets = sockets;
    h->socket_room = room;
    return true;
}

static struct http_socket *add(struct http *h, curl_socket_t fd, bool is_connection)
{
    struct http_socket *s = make_room(h, fd) ? calloc(1, sizeof *s) : NULL;

    if (!s || uv_poll_init_socket(h->loop, &s->poll, fd) != 0) {
        free(s);
        return NULL;
    }
    s->http = h;
    s->fd = fd;
    s->is_connection = is_connection;
    s->poll.data = s;
    h->sockets[fd] = s;
    return s;
}

static void drop(struct http_socket *s)
{
    s->http->sockets[s->fd] = NULL;
    uv_close((uv_handle_t *)&s->poll, on_socket_closed);
}

/* Whether it keeps its poll while nobody asks for it. */
static bool stays(struct http_socket *s)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;

    if (s->is_connection && !s->is_connected)
        s->is_connected = getpeername(s->fd, (struct sockaddr *)&peer, &len) == 0;
    return s->is_connected;
}

/* --- what libcurl says --- */

int http_loop_on_open(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    (void)purpose;
    return add(ctx, fd, true) ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

int http_loop_on_close(void *ctx, curl_socket_t fd)
{
    struct http_socket *s = find(ctx, fd);

    if (s)
        drop(s); /* before the descriptor is another's */
    return close(fd);
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
    struct http_socket *s = find(h, fd);
    struct http_call *call = NULL;

    (void)socket;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            s->wanted = 0;
        if (s && !stays(s))
            drop(s);
        return 0;
    }
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call) == CURLE_OK)
        call->fd = fd;
    if (!s)
        s = add(h, fd, false);
    if (!s)
        return lose(easy);
    s->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if ((s->watched & s->wanted) == s->wanted)
        return 0;
    return watch(s, s->wanted) ? 0 : lose(easy);
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
