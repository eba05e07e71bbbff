#include "worker/s3/s3_clear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "worker/s3/dest_s3_internal.h"
#include "worker/s3/s3_call.h"
#include "worker/s3/s3_parts_answer.h"

enum { IDS_MAX = PARTS_JOURNAL_UPLOADS_MAX, ROUNDS_MAX = 32 };

struct s3_clear {
    struct dest_s3 *dest;
    struct config_destination config; /* the destination's, with this bucket */
    struct job job;                   /* with this key; nothing else of it counts */
    char *bucket, *key;
    char *ids[IDS_MAX]; /* to be aborted */
    size_t count, next;
    bool list, more, cancelled, adapted;
    unsigned rounds;
    struct s3_call *call;
    uv_timer_t later;
    struct s3_answer answer;
    void (*done)(const struct s3_answer *a, void *ctx);
    void *ctx;
};

static void step(struct s3_clear *c);

static void on_closed(uv_handle_t *handle)
{
    struct s3_clear *c = handle->data;

    c->done(&c->answer, c->ctx);
    for (size_t i = 0; i < c->count; i++)
        free(c->ids[i]);
    free(c->bucket);
    free(c->key);
    free(c);
}

static void finish(struct s3_clear *c, const struct s3_answer *a)
{
    c->answer = *a;
    c->call = NULL;
    if (!uv_is_closing((uv_handle_t *)&c->later))
        uv_close((uv_handle_t *)&c->later, on_closed);
}

static void fail(struct s3_clear *c, const char *why)
{
    struct s3_answer a = {.verdict = S3_FAILED, .class = RETRY_TRANSIENT};

    (void)snprintf(a.error, sizeof a.error, "%s", why);
    finish(c, &a);
}

/* The store's clock, once.  False: *a is what it came to. */
static bool adapts(struct s3_clear *c, const struct s3_answer *a)
{
    if (a->verdict != S3_SKEWED || c->adapted)
        return false;
    c->adapted = true;
    dest_s3_set_skew(c->dest, a->skew_s);
    return true;
}

static void ask(struct s3_clear *c, enum s3_operation operation, const char *id,
                s3_call_done_fn *done)
{
    struct s3_call_order o = {.operation = operation,
                              .job = &c->job,
                              .config = &c->config,
                              .upload_id = id,
                              .done = done,
                              .ctx = c};

    c->call = s3_call_begin(c->dest, &o);
    if (!c->call)
        fail(c, "no memory for a request");
}

/* --- aborting --- */

static void on_aborted(const struct s3_call_result *r, void *ctx)
{
    struct s3_clear *c = ctx;
    struct s3_answer a = s3_answer_abort(r->http, clock_wall_ms() / 1000);

    c->call = NULL;
    if (a.verdict == S3_DONE)
        c->next++;
    else if (c->cancelled || !adapts(c, &a)) {
        a.verdict = S3_FAILED;
        finish(c, &a);
        return;
    }
    step(c);
}

/* --- listing --- */

static void on_upload(const char *key, const char *id, void *ctx)
{
    struct s3_clear *c = ctx;

    if (strcmp(key, c->key) != 0)
        return;
    c->more = true;
    if (c->count < IDS_MAX && (c->ids[c->count] = strdup(id)))
        c->count++;
}

/* The next round sees what this one did not: keys are listed in their order, and those that only begin with ours come behind
 * it. */
static void on_listed(const struct s3_call_result *r, void *ctx)
{
    const struct http_result *result = r->http;
    struct s3_clear *c = ctx;
    struct s3_answer a = s3_answer_list(result, clock_wall_ms() / 1000);
    const struct buf *body = &result->response->body;
    struct s3_list list = {.count = 0};

    int status = result->response->status;
    bool no_lists =
        a.verdict == S3_PLAINER || (a.verdict == S3_FAILED && status == 405);

    c->call = NULL;
    if (no_lists || (a.verdict == S3_DONE && status / 100 != 2)) {
        c->list = false; /* there are none, or there is no such bucket */
    } else if (a.verdict == S3_DONE) {
        c->more = false;
        if (!s3_uploads_parse(body->data, body->len, on_upload, c, &list)) {
            fail(c, "ListMultipartUploads: the answer is no list");
            return;
        }
        c->list = c->more; /* until a round finds none */
    } else if (c->cancelled || !adapts(c, &a)) {
        a.verdict = S3_FAILED;
        finish(c, &a);
        return;
    }
    step(c);
}

static void step(struct s3_clear *c)
{
    static const struct s3_answer cleared = {.verdict = S3_DONE};

    if (c->cancelled) {
        fail(c, "stopped");
    } else if (c->next < c->count) {
        ask(c, S3_ABORT_PARTS, c->ids[c->next], on_aborted);
    } else if (c->list && c->rounds++ < ROUNDS_MAX) {
        while (c->count > 0)
            free(c->ids[--c->count]);
        c->next = 0;
        ask(c, S3_LIST_UPLOADS, NULL, on_listed);
    } else if (c->list) {
        fail(c, "ListMultipartUploads: there are ever more");
    } else {
        finish(c, &cleared);
    }
}

static void on_later(uv_timer_t *timer)
{
    step(timer->data);
}

static bool copy(struct s3_clear *c, const struct s3_clear_order *o)
{
    c->bucket = strdup(o->bucket);
    c->key = strdup(o->key);
    for (size_t i = 0; i < o->upload_count && c->count < IDS_MAX; i++) {
        if (o->uploads[i].gone)
            continue;
        if (!(c->ids[c->count] = strdup(o->uploads[i].id)))
            return false;
        c->count++;
    }
    return c->bucket && c->key;
}

struct s3_clear *s3_clear_begin(struct dest_s3 *d, const struct s3_clear_order *o)
{
    struct s3_clear *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    if (!copy(c, o)) {
        for (size_t i = 0; i < c->count; i++)
            free(c->ids[i]);
        free(c->bucket);
        free(c->key);
        free(c);
        return NULL;
    }
    c->dest = d;
    c->config = *d->base.config;
    c->config.bucket = c->bucket;
    c->config.prefix = NULL;
    c->job.key = c->key;
    c->list = o->list;
    c->done = o->done;
    c->ctx = o->ctx;
    c->later.data = c;
    (void)uv_timer_init(d->loop, &c->later); /* cannot fail */
    (void)uv_timer_start(&c->later, on_later, 0, 0);
    return c;
}

void s3_clear_cancel(struct s3_clear *c)
{
    c->cancelled = true;
    if (c->call)
        s3_call_cancel(c->call);
}
