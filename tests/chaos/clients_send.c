#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/clock.h"
#include "tests/chaos/clients_internal.h"

#define BOUNDARY "hoist-chaos-Q7fX2m"

enum { SLOW_PIECES = 20, HEAD_MAX = 1024 };

/* Bytes gather in chunk and leave when it is full. */
struct sender {
    struct client *client;
    size_t filled;
    int64_t deadline;
    enum wire_result result;
};

static void flush(struct sender *s)
{
    if (s->result == WIRE_OK && s->filled > 0)
        s->result = wire_send(s->client->fd, s->client->chunk, s->filled, s->deadline);
    s->filled = 0;
}

static void add(struct sender *s, const char *text, size_t len)
{
    if (s->filled + len > SEND_CHUNK)
        flush(s);
    memcpy(s->client->chunk + s->filled, text, len);
    s->filled += len;
}

/* The bytes from .. to of a file. */
static void add_body(struct sender *s, const struct body *b, int64_t from, int64_t to)
{
    while (from < to && s->result == WIRE_OK) {
        if (s->filled == SEND_CHUNK)
            flush(s);
        size_t room = SEND_CHUNK - s->filled;
        size_t len = to - from < (int64_t)room ? (size_t)(to - from) : room;
        body_fill(b, from, s->client->chunk + s->filled, len);
        s->filled += len;
        from += (int64_t)len;
    }
}

static void add_head(struct sender *s, const struct work *w, const char *length)
{
    char head[HEAD_MAX], target[64];
    bool put = w->kind != CLIENTS_POST && w->kind != CLIENTS_FORM;

    if (put)
        (void)snprintf(target, sizeof target, "/v1/uploads/chaos-%" PRId64 ".bin",
                       w->files[0].n);
    else
        (void)snprintf(target, sizeof target, "/v1/uploads");
    int len = snprintf(
        head, sizeof head,
        "%s %s%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%s\r\n\r\n",
        put ? "PUT" : "POST", target, w->query,
        w->kind == CLIENTS_FORM ? "multipart/form-data; boundary=" BOUNDARY
                                : "application/octet-stream",
        length);
    add(s, head, (size_t)len);
}

static void add_length_head(struct sender *s, const struct work *w, int64_t length)
{
    char line[64];

    (void)snprintf(line, sizeof line, "Content-Length: %" PRId64, length);
    add_head(s, w, line);
}

static void send_chunked(struct sender *s, const struct work *w)
{
    const struct body *b = &w->files[0];
    uint64_t random = w->random;
    char line[32];

    add_head(s, w, "Transfer-Encoding: chunked");
    for (int64_t at = 0; at < b->size && s->result == WIRE_OK;) {
        int64_t len = 1 + (int64_t)(clients_random(&random) % 20000);
        if (len > b->size - at)
            len = b->size - at;
        int n = snprintf(line, sizeof line, "%" PRIx64 "\r\n", (uint64_t)len);
        add(s, line, (size_t)n);
        add_body(s, b, at, at + len);
        add(s, "\r\n", 2);
        at += len;
    }
    add(s, "0\r\n\r\n", 5);
}

static size_t part_head(const struct body *b, char ret[256])
{
    int len =
        snprintf(ret, 256,
                 "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; "
                 "filename=\"chaos-%" PRId64 ".bin\"\r\n"
                 "Content-Type: application/octet-stream\r\n\r\n",
                 b->n);

    return (size_t)len;
}

static void send_form(struct sender *s, const struct work *w)
{
    static const char end[] = "--" BOUNDARY "--\r\n";
    char head[256];
    int64_t length = sizeof end - 1;

    for (size_t i = 0; i < w->count; i++)
        length += (int64_t)part_head(&w->files[i], head) + w->files[i].size + 2;
    add_length_head(s, w, length);
    for (size_t i = 0; i < w->count; i++) {
        size_t len = part_head(&w->files[i], head);
        add(s, head, len);
        add_body(s, &w->files[i], 0, w->files[i].size);
        add(s, "\r\n", 2);
    }
    add(s, end, sizeof end - 1);
}

static void send_slowly(struct sender *s, const struct work *w)
{
    const struct body *b = &w->files[0];
    int pause = s->client->clients->options.slow_ms / SLOW_PIECES;

    s->deadline += s->client->clients->options.slow_ms;
    add_length_head(s, w, b->size);
    for (int64_t i = 0; i < SLOW_PIECES && s->result == WIRE_OK; i++) {
        flush(s);
        /* Stopped: the rest goes at once. */
        (void)clients_sleep(s->client->clients, pause);
        add_body(s, b, b->size * i / SLOW_PIECES, b->size * (i + 1) / SLOW_PIECES);
    }
}

static void send_broken(struct sender *s, const struct work *w)
{
    const struct body *b = &w->files[0];
    uint64_t random = w->random;

    add_length_head(s, w, b->size);
    add_body(s, b, 0, (int64_t)(clients_random(&random) % (uint64_t)b->size));
}

static void send_short(struct sender *s, const struct work *w)
{
    const struct body *b = &w->files[0];
    uint64_t random = w->random;

    add_length_head(s, w, b->size + 1 + (int64_t)(clients_random(&random) % 1000));
    add_body(s, b, 0, b->size);
    flush(s);
    if (s->result == WIRE_OK && shutdown(s->client->fd, SHUT_WR) < 0)
        s->result = WIRE_BROKEN;
}

enum wire_result clients_send(struct client *c, struct work *w)
{
    struct sender s = {.client = c,
                       .deadline = clock_mono_ms() + c->clients->options.timeout_ms};

    w->started_us = clock_mono_us();
    switch (w->kind) {
    case CLIENTS_CHUNKED:
        send_chunked(&s, w);
        break;
    case CLIENTS_FORM:
        send_form(&s, w);
        break;
    case CLIENTS_SLOW:
        send_slowly(&s, w);
        break;
    case CLIENTS_BREAK:
        send_broken(&s, w);
        break;
    case CLIENTS_SHORT:
        send_short(&s, w);
        break;
    case CLIENTS_PUT:
    case CLIENTS_POST:
    case CLIENTS_DEAF:
    case CLIENTS_KINDS:
        add_length_head(&s, w, w->files[0].size);
        add_body(&s, &w->files[0], 0, w->files[0].size);
        break;
    }
    flush(&s);
    return s.result;
}
