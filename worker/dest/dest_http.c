#include "worker/dest/dest_http_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "shared/convert.h"

static void deliver_answer(struct destination_run *run,
                           const struct dest_http_answer *a)
{
    run->outcome.retry_after_ms = a->retry_after_ms;
    dest_http_fail(run, a->class, a->error);
}

/* --- HEAD --- */

/* What is there is not, or cannot be told to be, the job's. */
static void deliver_other(struct destination_run *run, const char *text)
{
    bool ours_may_follow = !run->work.only_look && !run->was_refused &&
                           !run->dest->base.config->conditional;

    dest_http_fail(run, ours_may_follow ? RETRY_TRANSIENT : RETRY_NEVER, text);
}

/* This server cannot be asked. */
static void deliver_blind(struct destination_run *run, const char *text)
{
    run->outcome.blind = run->work.only_look;
    if (run->work.only_look)
        dest_http_fail(run, RETRY_NEVER, text);
    else
        dest_http_fail(run, run->was_refused ? RETRY_NEVER : RETRY_TRANSIENT,
                       run->why_look);
}

static void deliver_absent(struct destination_run *run)
{
    run->outcome.absent = run->work.only_look;
    if (run->work.only_look)
        dest_http_deliver(run);
    else
        dest_http_fail(run, RETRY_TRANSIENT, run->why_look);
}

static void on_head(const struct http_result *result, void *ctx)
{
    struct destination_run *run = ctx;
    const struct job *j = run->work.job;
    struct dest_http_expected want = {.size = j->size,
                                      .sha256 = j->sha256,
                                      .only_ours = convert_owns_key(j),
                                      .takes_any = run->work.remade ||
                                                   (run->work.only_look && j->convert)};
    struct dest_http_answer a = dest_http_answer_head(result, &want);

    run->call = NULL;
    dest_http_tell_flow(run, result, &a);
    if (run->aborting) {
        dest_http_deliver(run);
        return;
    }
    switch (a.verdict) {
    case DEST_HTTP_DONE:
        run->outcome.earlier =
            run->work.remade &&
            dest_http_answer_differs(result->response, &want, run->outcome.sha256);
        run->sent = result->response->content_length;
        dest_http_deliver_done(run, result->response->etag);
        return;
    case DEST_HTTP_ABSENT:
        deliver_absent(run);
        return;
    case DEST_HTTP_OTHER:
    case DEST_HTTP_UNPROVEN:
        deliver_other(run, a.error);
        return;
    case DEST_HTTP_BLIND:
        deliver_blind(run, a.error);
        return;
    case DEST_HTTP_LOOK:
    case DEST_HTTP_FAILED:
        deliver_answer(run, &a);
        return;
    }
}

static void look(struct destination_run *run)
{
    struct err e = ERR_INIT;

    if (dest_http_send(run, true, on_head, &e) == ERR_OK)
        return;
    outcome_fail_err(&run->outcome, &e);
    dest_http_deliver_later(run);
}

/* --- PUT and POST --- */

static void on_answer(const struct http_result *result, void *ctx)
{
    struct destination_run *run = ctx;
    struct dest_http_answer a = dest_http_answer_send(result, dest_http_is_post(run));

    run->call = NULL;
    run->sending = false;
    dest_http_tell_flow(run, result, &a);
    expect_told(&run->dest->base.expect, run->work.job->size, result->net,
                result->response->status);
    run->sent = result->sent;
    if (a.verdict == DEST_HTTP_DONE) {
        dest_http_deliver_done(run, result->response->etag);
    } else if (run->aborting) {
        dest_http_deliver(run);
    } else if (result->source_failed) {
        dest_http_deliver_source_failure(run);
    } else if (a.verdict == DEST_HTTP_LOOK) {
        memcpy(run->why_look, a.error, sizeof run->why_look);
        run->was_refused =
            result->response->status == 409 || result->response->status == 412;
        dest_http_send_in_turn(run, look, true);
    } else {
        deliver_answer(run, &a);
    }
}

static void send_body(struct destination_run *run)
{
    struct err e = ERR_INIT;
    enum err_code code = ERR_OK;

    if (destination_is_late(&run->work)) {
        run->aborting = true;
        dest_http_deliver_later(run);
        return;
    }
    if (run->work.job->size == 0 && !spool_hash_pass(&run->hash, "", 0, 0))
        code = err_set(&e, ERR_REJECT, "spool corrupt: its %s is not the manifest's",
                       run->hash.corrupt ? run->hash.corrupt : "digest");
    if (code == ERR_OK)
        code = dest_http_send(run, false, on_answer, &e);
    run->sending = code == ERR_OK;
    if (code == ERR_OK)
        return;
    outcome_fail_err(&run->outcome, &e);
    dest_http_deliver_later(run);
}

/* --- the interface --- */

static struct destination_run *dest_http_begin(struct destination *d,
                                               const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->dest = (struct dest_http *)d;
    run->work = *w;
    spool_hash_init(&run->hash, w->job);
    run->later.data = run;
    (void)uv_timer_init(run->dest->loop, &run->later); /* cannot fail */
    if (!w->only_look) {
        (void)posix_fadvise(w->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint */
        dest_http_send_in_turn(run, send_body, false);
    } else if (dest_http_is_post(run)) {
        run->outcome.blind = true;
        outcome_fail(&run->outcome, RETRY_NEVER,
                     "whether a POST has arrived cannot be told");
        dest_http_deliver_later(run);
    } else {
        dest_http_send_in_turn(run, look, false);
    }
    return run;
}

static void dest_http_abort(struct destination_run *run)
{
    run->aborting = true;
    if (run->call) {
        http_cancel(run->call);
    } else if (flow_is_waiting(&run->ticket)) {
        flow_leave(&run->ticket);
        dest_http_deliver_later(run);
    }
}

static void dest_http_progress(const struct destination_run *run,
                               struct destination_progress *ret)
{
    ret->sent = run->sending ? http_sent(run->call) : run->sent;
    ret->total = run->work.job->size;
    ret->phase = ret->sent < ret->total ? DESTINATION_UPLOADING : DESTINATION_FINISHING;
    if (flow_is_waiting(&run->ticket) && ret->sent == 0)
        ret->phase = DESTINATION_QUEUED;
}

static void dest_http_release(struct destination *d)
{
    free(d);
}

enum err_code dest_http_open(const struct dest_http_options *o,
                             struct destination **ret, struct err *e)
{
    static const struct destination_ops ops = {dest_http_begin, dest_http_abort,
                                               dest_http_progress, dest_http_release};
    struct dest_http *d = calloc(1, sizeof *d);

    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for a destination");
    d->base =
        (struct destination){.ops = &ops,
                             .config = o->config,
                             .flow = flows_add(o->flows, o->config, o->config->url)};
    d->loop = o->loop;
    d->http = o->http;
    *ret = &d->base;
    return ERR_OK;
}
