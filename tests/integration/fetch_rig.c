#include "tests/integration/fetch_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { BODY_ROOM = 4 * 1000 * 1000 };

struct fetch_rig fetch_rig;
static struct taker taker;

static void on_closed(void *ctx)
{
    ((struct taker *)ctx)->closed = true;
}

static void finish(struct taker *t)
{
    if (t->fetch) {
        fetch_close(t->fetch, on_closed);
        t->fetch = NULL;
    }
}

static void take(struct taker *t)
{
    enum stream_state state = STREAM_SOME;
    struct stream *s = fetch_stream(t->fetch);

    while (state == STREAM_SOME) {
        size_t n = 0;
        cr_assert(t->len + t->piece <= BODY_ROOM);
        state = stream_read(s, t->body + t->len, t->piece, &n);
        t->len += state == STREAM_SOME ? n : 0;
        if (t->stop_at && t->len >= t->stop_at) {
            stream_stop(s);
            t->stop_at = 0;
        }
        if (t->slow && state == STREAM_SOME)
            return; /* the timer goes on */
    }
    if (state == STREAM_WAIT)
        return;
    t->ended = state == STREAM_END;
    t->failed = state == STREAM_FAILED;
    if (t->failed)
        stream_failure(s, &t->failure);
    (void)uv_timer_stop(&t->later);
    finish(t);
}

static void on_later(uv_timer_t *timer)
{
    struct taker *t = timer->data;

    if (t->fetch)
        take(t);
}

static void on_ready(void *ctx)
{
    struct taker *t = ctx;

    if (!t->slow)
        take(t);
}

static void on_head(const struct fetch_head *head, void *ctx)
{
    struct taker *t = ctx;
    struct stream *s = fetch_stream(t->fetch);

    cr_expect(not(t->had_head || t->failed));
    t->had_head = true;
    t->told_length = head->length;
    (void)snprintf(t->type, sizeof t->type, "%s", head->type);
    s->on_ready = on_ready;
    s->ctx = t;
    if (t->slow)
        (void)uv_timer_start(&t->later, on_later, 1, (uint64_t)t->slow);
    else
        take(t);
}

static void on_failed(void *ctx)
{
    struct taker *t = ctx;

    cr_expect(not(t->had_head || t->failed));
    t->failed = true;
    fetch_failure(t->fetch, &t->failure);
    finish(t);
}

static void on_later_closed(uv_handle_t *handle)
{
    (void)handle;
}

/* Fetch it and take what comes. */
struct taker *fetch_from(const char *url, struct taker how)
{
    struct fetch_options o = {.loop = &fetch_rig.loop,
                              .http = fetch_rig.http,
                              .config = &fetch_rig.config,
                              .url = url,
                              .max_bytes = INT64_MAX,
                              .on_head = on_head,
                              .on_failed = on_failed,
                              .ctx = &taker};
    char *body = taker.body ? taker.body : malloc(BODY_ROOM);

    taker = how;
    taker.body = body;
    taker.piece = how.piece ? how.piece : 64 * 1024;
    (void)uv_timer_init(&fetch_rig.loop, &taker.later);
    taker.later.data = &taker;
    taker.fetch = fetch_begin(&o);
    cr_assert(ne(ptr, taker.fetch, NULL));
    while (!taker.closed)
        (void)uv_run(&fetch_rig.loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&taker.later, on_later_closed);
    (void)uv_run(&fetch_rig.loop, UV_RUN_NOWAIT);
    return &taker;
}

struct taker *fetch_path(const char *path)
{
    char url[512];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", fetch_rig.server.port,
                   path);
    return fetch_from(url, (struct taker){.len = 0});
}

bool fetch_is_pattern(const struct taker *t, size_t len)
{
    for (size_t i = 0; i < t->len; i++)
        if (t->body[i] != url_server_byte(i))
            return false;
    return t->len == len;
}

void fetch_allow(const char *list)
{
    struct err e = ERR_INIT;

    cr_assert(not(fetch_list_parse(list, &fetch_rig.config.rules.allow, &e)), "%s",
              e.text);
}

void fetch_rig_up(const struct url_page *pages)
{
    struct err e = ERR_INIT;

    fetch_rig.config = (struct config_fetch){.enabled = true,
                                             .max_bytes = 1 << 30,
                                             .time_limit_ms = 60 * 1000,
                                             .redirects_max = 3,
                                             .ca_file = (char *)""};
    fetch_allow("127.0.0.1");
    url_server_start(&fetch_rig.server, pages);
    cr_assert(uv_loop_init(&fetch_rig.loop) == 0);
    cr_assert(not(http_open(&fetch_rig.loop, &fetch_rig.http, &e)), "%s", e.text);
}

void fetch_rig_down(void)
{
    http_close(fetch_rig.http);
    (void)uv_run(&fetch_rig.loop, UV_RUN_DEFAULT);
    cr_assert(uv_loop_close(&fetch_rig.loop) == 0, "handles are left open");
    url_server_stop(&fetch_rig.server);
    free(taker.body);
}
