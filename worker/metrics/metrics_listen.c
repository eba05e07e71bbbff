#include "worker/metrics/metrics_listen.h"

#include "shared/cleanup.h"
#include "shared/exposition.h"
#include "shared/log.h"
#include "shared/stale_socket.h"
#include "worker/metrics/metrics_request.h"
#include "worker/metrics/metrics_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

union stream {
    uv_stream_t stream;
    uv_handle_t handle;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
};

struct connection {
    struct metrics_listen *listen;
    struct connection *next; /* of the open ones */
    union stream stream;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    char head[METRICS_REQUEST_MAX];
    size_t len;
    struct buf answer;
    unsigned handles; /* not closed yet */
    bool answered;
};

struct metrics_listen {
    uv_loop_t *loop;
    union stream stream;
    bool is_unix;
    void (*write)(struct buf *b, void *ctx);
    void *ctx;
    struct connection *open;
    size_t count; /* connections, those that are being closed too */
    bool closing, closed;
};

static void free_if_idle(struct metrics_listen *l)
{
    if (l->closed && l->count == 0)
        free(l);
}

/* --- One connection --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;

    if (--c->handles > 0)
        return;
    struct metrics_listen *l = c->listen;
    buf_release(&c->answer);
    free(c);
    l->count--;
    free_if_idle(l);
}

static void close_connection(struct connection *c)
{
    struct connection **at = &c->listen->open;

    if (uv_is_closing(&c->stream.handle))
        return;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    uv_close(&c->stream.handle, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

static void on_time_over(uv_timer_t *timer)
{
    close_connection(timer->data);
}

/* The peer closes when it has read all; what it still sends is thrown away until then. */
static void on_written(uv_write_t *request, int status)
{
    struct connection *c = request->data;

    if (status != 0 || uv_shutdown(&c->shutdown, &c->stream.stream, NULL) != 0)
        close_connection(c);
}

static const char *status_of(enum metrics_request verdict)
{
    switch (verdict) {
    case METRICS_REQUEST_GET:
    case METRICS_REQUEST_HEAD:
        return "200 OK";
    case METRICS_REQUEST_NOT_FOUND:
        return "404 Not Found";
    case METRICS_REQUEST_METHOD:
        return "405 Method Not Allowed\r\nAllow: GET, HEAD";
    case METRICS_REQUEST_FORBIDDEN:
        return "403 Forbidden";
    case METRICS_REQUEST_TOO_LONG:
        return "431 Request Header Fields Too Large";
    case METRICS_REQUEST_BAD:
    case METRICS_REQUEST_MORE:
        break;
    }
    return "400 Bad Request";
}

static void answer(struct connection *c, enum metrics_request verdict)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(METRICS_TEXT_MAX);
    const char *status = status_of(verdict);

    if (verdict == METRICS_REQUEST_GET || verdict == METRICS_REQUEST_HEAD)
        c->listen->write(&text, c->listen->ctx);
    if (text.failed) {
        status = "500 Internal Server Error";
        buf_clear(&text);
    }
    BUF_PUTS(&c->answer, "HTTP/1.1 ", status,
             "\r\nContent-Type: " EXPOSITION_MEDIA_TYPE
             "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store"
             "\r\nConnection: close\r\nContent-Length: ");
    buf_add_int(&c->answer, (int64_t)text.len);
    buf_puts(&c->answer, "\r\n\r\n");
    if (verdict != METRICS_REQUEST_HEAD)
        buf_add(&c->answer, text.data, text.len);
    uv_buf_t out = uv_buf_init(c->answer.data, (unsigned)c->answer.len);
    c->answered = true;
    c->write.data = c;
    if (c->answer.failed ||
        uv_write(&c->write, &c->stream.stream, &out, 1, on_written) != 0)
        close_connection(c);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *ret)
{
    struct connection *c = handle->data;

    (void)wanted;
    if (c->answered)
        c->len = 0; /* nobody looks at it */
    *ret = uv_buf_init(c->head + c->len, (unsigned)(sizeof c->head - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *unused)
{
    struct connection *c = stream->data;

    (void)unused;
    if (n < 0) {
        close_connection(c);
        return;
    }
    if (c->answered)
        return;
    c->len += (size_t)n;
    enum metrics_request verdict =
        metrics_request_parse(c->head, c->len, c->listen->is_unix);
    if (verdict != METRICS_REQUEST_MORE)
        answer(c, verdict);
}

/* --- The listener --- */

static void init_stream(struct metrics_listen *l, union stream *s)
{
    if (l->is_unix)
        (void)uv_pipe_init(l->loop, &s->pipe, 0); /* none of these can fail */
    else
        (void)uv_tcp_init(l->loop, &s->tcp);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct metrics_listen *l = stream->data;
    struct connection *c = status == 0 ? calloc(1, sizeof *c) : NULL;

    if (!c)
        return; /* it is taken with the next one */
    c->listen = l;
    c->handles = 2;
    buf_init(&c->answer, METRICS_TEXT_MAX + METRICS_REQUEST_MAX);
    init_stream(l, &c->stream);
    (void)uv_timer_init(l->loop, &c->timer);
    c->stream.handle.data = c->timer.data = c;
    c->next = l->open;
    l->open = c;
    l->count++;
    if (uv_accept(stream, &c->stream.stream) != 0 ||
        l->count > METRICS_CONNECTIONS_MAX ||
        uv_timer_start(&c->timer, on_time_over, METRICS_LIVE_MS, 0) != 0 ||
        uv_read_start(&c->stream.stream, on_alloc, on_read) != 0)
        close_connection(c);
}

static enum err_code listen_there(struct metrics_listen *l, const struct listen_at *at,
                                  struct err *e)
{
    int status;

    if (l->is_unix) {
        if (stale_socket_remove(&at->address.local, e) != ERR_OK)
            return e->code;
        status = uv_pipe_bind(&l->stream.pipe, at->address.local.sun_path);
        if (status == 0 && chmod(at->address.local.sun_path, 0660) < 0)
            return err_errno(e, ERR_CONFIG, "%s", at->address.local.sun_path);
    } else {
        status = uv_tcp_bind(&l->stream.tcp, &at->address.any, 0);
    }
    if (status == 0)
        status = uv_listen(&l->stream.stream, METRICS_CONNECTIONS_MAX, on_connection);
    return status == 0 ? ERR_OK : err_set(e, ERR_CONFIG, "%s", uv_strerror(status));
}

static void log_address(struct metrics_listen *l)
{
    struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
    int len = sizeof a;
    uint16_t port = 0;

    if (!l->is_unix &&
        uv_tcp_getsockname(&l->stream.tcp, (struct sockaddr *)&a, &len) == 0)
        port = ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port
                                            : ((struct sockaddr_in6 *)&a)->sin6_port);
    log_info("metrics", "answered at /metrics", LOG_INT("port", port));
}

enum err_code metrics_listen_open(uv_loop_t *loop, const struct listen_at *at,
                                  void (*write)(struct buf *b, void *ctx), void *ctx,
                                  struct metrics_listen **ret, struct err *e)
{
    struct metrics_listen *l = calloc(1, sizeof *l);

    if (!l)
        return err_set(e, ERR_NOMEM, "no memory to listen");
    l->loop = loop;
    l->is_unix = at->family == AF_UNIX;
    l->write = write;
    l->ctx = ctx;
    init_stream(l, &l->stream);
    l->stream.handle.data = l;
    if (listen_there(l, at, e) != ERR_OK) {
        (void)err_prefix(e, "[worker] metrics_listen");
        metrics_listen_close(l);
        return e->code;
    }
    log_address(l);
    *ret = l;
    return ERR_OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct metrics_listen *l = handle->data;

    l->closed = true;
    free_if_idle(l);
}

void metrics_listen_close(struct metrics_listen *l)
{
    if (!l || l->closing)
        return;
    l->closing = true;
    while (l->open)
        close_connection(l->open);
    uv_close(&l->stream.handle, on_listener_closed);
}
