#include "worker/source/fetch_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/log.h"

enum {
    CONNECT_MS = 10 * 1000,
    STALL_MS = 30 * 1000,
    ANSWER_MS = 60 * 1000,
    GRACE_MS = 300,
    RESUMES_MAX = 5,
    RESUME_MS = 100 /* before the first, doubled before each later one */
};

static int64_t max_bytes(const struct fetch *f)
{
    int64_t max = f->options.config->max_bytes;

    return f->options.max_bytes < max ? f->options.max_bytes : max;
}

void fetch_fail(struct fetch *f, enum retry_class class, const char *text)
{
    if (f->state == FETCH_FAILED || f->state == FETCH_ENDED ||
        f->state == FETCH_STOPPED)
        return;
    outcome_fail(&f->failure, class, "%s", text);
    f->failure.retry_after_ms = f->ruling.retry_after_ms;
    f->state = FETCH_FAILED;
    f->held = 0;
    fetch_wake(f);
}

/* --- redirects --- */

/* The URL is where it is to be: may it be fetched? */
bool fetch_check(struct fetch *f)
{
    struct err e = ERR_INIT;

    if (url_parse(f->url, strlen(f->url), &f->parsed, &e) == ERR_OK &&
        fetch_check_url(&f->options.config->rules, &f->parsed, &e) == ERR_OK)
        return true;
    fetch_fail(f, RETRY_NEVER, e.text);
    return false;
}

static void follow(struct fetch *f, const char *location)
{
    CLEANUP(buf_release) struct buf to = BUF_INIT(URL_MAX);
    struct err e = ERR_INIT;
    bool was_https = f->parsed.is_https;

    if (f->redirects >= f->options.config->redirects_max) {
        fetch_fail(f, RETRY_NEVER, "too many redirects");
        return;
    }
    if (url_resolve(f->url, location, &to, &e) != ERR_OK) {
        fetch_fail(f, e.code == ERR_NOMEM ? RETRY_TRANSIENT : RETRY_NEVER, e.text);
        return;
    }
    f->redirects++;
    memcpy(f->url, to.data, to.len + 1);
    if (!fetch_check(f))
        return;
    if (was_https && !f->parsed.is_https)
        fetch_fail(f, RETRY_NEVER, "not allowed: a redirect from https to http");
    else
        fetch_send(f);
}

/* --- the answer --- */

static bool may_connect(const struct sockaddr *address, socklen_t len, void *ctx)
{
    struct fetch *f = ctx;

    return fetch_check_address(&f->options.config->rules, &f->parsed, address, len,
                               &f->refusal) == ERR_OK;
}

static bool on_head(const struct http_response *r, void *ctx)
{
    struct fetch *f = ctx;
    struct fetch_want want = {.max_bytes = max_bytes(f)};

    if (f->state == FETCH_BROKEN) {
        want.offset = f->received;
        want.length = f->length;
        want.validator = f->validator;
    }
    fetch_judge(r, &want, &f->ruling);
    if (f->ruling.verdict != FETCH_TAKE)
        return false; /* on_done sees to it */
    if (f->state == FETCH_ASKING) {
        f->length = f->ruling.length;
        memcpy(f->validator, fetch_validator(r), strlen(fetch_validator(r)) + 1);
        memcpy(f->type, r->content_type, sizeof f->type);
    }
    f->state = FETCH_RECEIVING;
    fetch_wake(f);
    return true;
}

static void complete(struct fetch *f)
{
    f->state = FETCH_ENDED;
    fetch_wake(f);
}

static void on_grace(uv_timer_t *timer)
{
    complete(timer->data);
}

/* So many more bytes have come.  False: they are too many. */
static bool fits(struct fetch *f, size_t len)
{
    char text[128];

    if (f->length >= 0 && f->received + (int64_t)len > f->length) {
        (void)snprintf(text, sizeof text,
                       "the server sent more than the %" PRId64 " bytes it told of",
                       f->length);
        fetch_fail(f, RETRY_TRANSIENT, text);
    } else if (f->received + (int64_t)len > max_bytes(f)) {
        (void)snprintf(text, sizeof text, "it has more than %" PRId64 " bytes",
                       max_bytes(f));
        fetch_fail(f, RETRY_NEVER, text);
    }
    return f->state == FETCH_RECEIVING;
}

static bool on_piece(const void *data, size_t len, void *ctx)
{
    struct fetch *f = ctx;

    if (f->state != FETCH_RECEIVING || !fits(f, len))
        return true; /* nobody wants it any more */
    if (len > FETCH_WINDOW - f->held) {
        f->has_piece = true;
        return false;
    }
    size_t at = (f->first + f->held) % FETCH_WINDOW;
    size_t until_end = FETCH_WINDOW - at < len ? FETCH_WINDOW - at : len;
    memcpy(f->window + at, data, until_end);
    memcpy(f->window, (const char *)data + until_end, len - until_end);
    f->held += len;
    f->received += (int64_t)len;
    if (f->received == f->length)
        (void)uv_timer_start(&f->pause, on_grace, GRACE_MS, 0);
    fetch_wake(f);
    return true;
}

/* --- the end of a request --- */

static void on_pause(uv_timer_t *timer)
{
    fetch_send(timer->data);
}

/* It broke off: go on if that is possible. */
static void resume(struct fetch *f, const char *why)
{
    char text[200];

    if (f->length < 0 || f->received == 0 || !f->validator[0] ||
        f->resumes == RESUMES_MAX) {
        (void)snprintf(text, sizeof text, "it broke off after %" PRId64 " bytes: %s",
                       f->received, why);
        fetch_fail(f, RETRY_TRANSIENT, text);
        return;
    }
    log_info("fetch", "broke off, goes on", LOG_INT("bytes", f->received),
             LOG_STR("why", why));
    f->state = FETCH_BROKEN;
    (void)uv_timer_start(&f->pause, on_pause, (uint64_t)RESUME_MS << f->resumes++, 0);
}

/* No head that is wanted has come. */
static void no_answer(struct fetch *f, const struct http_result *result)
{
    bool answered = result->response->has_whole_head && result->response->status >= 200;

    if (result->refused)
        fetch_fail(f, RETRY_NEVER, f->refusal.text);
    else if (result->net == RETRY_NET_TLS_VERIFY)
        fetch_fail(f, RETRY_CONFIG, result->error);
    else if (answered && f->ruling.verdict == FETCH_REDIRECT &&
             f->state == FETCH_ASKING)
        follow(f, result->response->location);
    else if (answered && f->ruling.verdict == FETCH_REDIRECT)
        fetch_fail(f, RETRY_TRANSIENT, "it moved while it was fetched");
    else if (answered && f->state == FETCH_BROKEN && result->response->status >= 500)
        resume(f, f->ruling.text);
    else if (answered)
        fetch_fail(f, f->ruling.class, f->ruling.text);
    else if (f->state == FETCH_BROKEN)
        resume(f, result->error);
    else
        fetch_fail(f, RETRY_TRANSIENT, result->error);
}

static void on_done(const struct http_result *result, void *ctx)
{
    struct fetch *f = ctx;

    f->call = NULL;
    f->has_piece = false;
    if (f->on_closed) {
        fetch_closed_one(f);
        return;
    }
    if (f->state == FETCH_ASKING || f->state == FETCH_BROKEN) {
        no_answer(f, result);
    } else if (f->state == FETCH_RECEIVING) {
        (void)uv_timer_stop(&f->pause);
        if (f->length >= 0 ? f->received == f->length : result->net == RETRY_NET_OK)
            complete(f);
        else
            resume(f, result->net == RETRY_NET_OK ? "the connection was closed"
                                                  : result->error);
    }
}

/* --- the request --- */

void fetch_send(struct fetch *f)
{
    char range[48];
    struct http_header headers[] = {{"Accept-Encoding", "identity"},
                                    {"Connection", "close"},
                                    {"Range", range},
                                    {"If-Range", f->validator}};
    struct http_intake intake = {may_connect, on_head, on_piece, f};
    struct http_request r = {.method = "GET",
                             .url = f->url,
                             .headers = headers,
                             .header_count = f->state == FETCH_BROKEN ? 4 : 2,
                             .intake = &intake,
                             .connect_ms = CONNECT_MS,
                             .stall_ms = STALL_MS,
                             .answer_ms = ANSWER_MS,
                             .ca_file = f->options.config->ca_file,
                             .done = on_done,
                             .ctx = f};

    (void)snprintf(range, sizeof range, "bytes=%" PRId64 "-", f->received);
    f->call = http_send(f->options.http, &r);
    if (!f->call)
        fetch_fail(f, RETRY_TRANSIENT, "no memory for a request");
}
