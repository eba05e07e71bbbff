#include "worker/dest_http.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/convert.h"
#include "worker/dest_http_answer.h"
#include "worker/dest_http_request.h"
#include "worker/spool_hash.h"

struct dest_http {
    struct destination base;
    uv_loop_t *loop;
    struct http *http;
};

struct destination_run {
    struct dest_http *dest;
    struct destination_work work;
    struct flow_ticket ticket;
    void (*send)(struct destination_run *run); /* when it is its turn */
    struct http_call *call;                    /* under way; NULL between */
    bool sending;                              /* it is the PUT or POST */
    struct spool_hash hash;
    bool aborting;
    char why_look[256]; /* what made HEAD necessary */
    bool was_refused;   /* by 409 or 412 */
    int64_t sent;
    uv_timer_t later; /* for an outcome known before begin returned */
    struct outcome outcome;
};

static bool is_post(const struct destination_run *run)
{
    return run->dest->base.config->method == CONFIG_POST;
}

/* --- the end of a run --- */

static void on_run_closed(uv_handle_t *handle)
{
    struct destination_run *run = handle->data;

    spool_hash_release(&run->hash);
    outcome_release(&run->outcome);
    free(run);
}

static void deliver(struct destination_run *run)
{
    run->outcome.sent = run->outcome.done ? run->work.job->size : run->sent;
    run->outcome.aborted = !run->outcome.done && run->aborting;
    flow_leave(&run->ticket); /* where what was to be sent was not */
    fd_close(&run->work.fd);
    run->work.done(&run->outcome, run->work.ctx);
    uv_close((uv_handle_t *)&run->later, on_run_closed);
}

static void on_later(uv_timer_t *timer)
{
    deliver(timer->data);
}

static void deliver_later(struct destination_run *run)
{
    (void)uv_timer_start(&run->later, on_later, 0, 0);
}

static void fail(struct destination_run *run, enum retry_class class, const char *text)
{
    outcome_fail(&run->outcome, class, "%s", text);
    deliver(run);
}

static void deliver_done(struct destination_run *run, const char *etag)
{
    struct dest_http_request request = DEST_HTTP_REQUEST_INIT;
    struct dest_http_ask ask = {
        .config = run->dest->base.config, .job = run->work.job, .is_head = true};
    struct err e = ERR_INIT;

    if (is_post(run))
        run->outcome.url = strdup(ask.config->url);
    else if (dest_http_request_make(&request, &ask, &e) == ERR_OK)
        run->outcome.url = buf_detach(&request.url);
    dest_http_request_release(&request);
    run->outcome.etag = *etag ? strdup(etag) : NULL;
    run->outcome.done = true;
    deliver(run);
}

static void deliver_answer(struct destination_run *run,
                           const struct dest_http_answer *a)
{
    run->outcome.retry_after_ms = a->retry_after_ms;
    fail(run, a->class, a->error);
}

/* The body could not be read, or was found damaged: the server has no whole one. */
static void deliver_source_failure(struct destination_run *run)
{
    struct stat st;

    if (run->hash.corrupt) {
        outcome_fail(&run->outcome, RETRY_NEVER,
                     "spool corrupt: its %s is not the manifest's", run->hash.corrupt);
        deliver(run);
    } else if (fstat(run->work.fd, &st) == 0 && st.st_size < run->work.job->size) {
        fail(run, RETRY_NEVER, "spool short");
    } else {
        fail(run, RETRY_TRANSIENT, "cannot read the spool file");
    }
}

/* --- turns (flow.h) --- */

static void on_turn(enum flow_turn turn, void *ctx)
{
    struct destination_run *run = ctx;

    if (turn == FLOW_GO) {
        run->send(run);
        return;
    }
    outcome_hold(&run->outcome, flow_rest_ms(run->dest->base.flow));
    deliver_later(run);
}

/* first: flow_ask's. */
static void send_in_turn(struct destination_run *run,
                         void (*send)(struct destination_run *run), bool first)
{
    run->send = send;
    run->ticket.on_turn = on_turn;
    run->ticket.ctx = run;
    enum flow_turn turn = flow_ask(run->dest->base.flow, &run->ticket, first);
    if (turn != FLOW_WAIT)
        on_turn(turn, run);
}

static void tell_flow(struct destination_run *run, const struct http_result *result,
                      const struct dest_http_answer *a)
{
    flow_told(&run->ticket, &(struct flow_answer){.net = result->net,
                                                  .status = result->response->status,
                                                  .class = a->class,
                                                  .retry_after_ms = a->retry_after_ms,
                                                  .error = a->error});
}

/* --- requests --- */

static bool pass(const void *data, size_t len, int64_t offset, void *ctx)
{
    struct destination_run *run = ctx;

    if (destination_is_late(&run->work)) {
        run->aborting = true;
        return false;
    }
    return spool_hash_pass(&run->hash, data, len, offset);
}

static enum err_code send_request(struct destination_run *run, bool is_head,
                                  http_done_fn *done, struct err *e)
{
    const struct config_destination *c = run->dest->base.config;
    struct dest_http_request request = DEST_HTTP_REQUEST_INIT;
    struct dest_http_ask ask = {.config = c,
                                .job = run->work.job,
                                .is_head = is_head,
                                .time_s = clock_wall_ms() / 1000};
    struct http_body body = {
        .fd = run->work.fd, .len = run->work.job->size, .pass = pass, .ctx = run};

    enum err_code code = dest_http_request_make(&request, &ask, e);
    if (code == ERR_OK) {
        struct http_request r = {.method = is_head        ? "HEAD"
                                           : is_post(run) ? "POST"
                                                          : "PUT",
                                 .url = request.url.data,
                                 .headers = request.headers,
                                 .header_count = request.header_count,
                                 .body = is_head ? NULL : &body,
                                 .connect_ms = c->connect_timeout_seconds * 1000,
                                 .stall_ms = c->stall_timeout_seconds * 1000,
                                 .answer_ms = c->answer_timeout_seconds * 1000,
                                 .ca_file = c->ca_file,
                                 .done = done,
                                 .ctx = run};
        run->call = http_send(run->dest->http, &r);
        if (!run->call)
            code = err_set(e, ERR_NOMEM, "no memory for a request");
    }
    dest_http_request_release(&request);
    return code;
}

/* --- HEAD --- */

/* What is there is not, or cannot be told to be, the job's. */
static void deliver_other(struct destination_run *run, const char *text)
{
    bool ours_may_follow = !run->work.only_look && !run->was_refused &&
                           !run->dest->base.config->conditional;

    fail(run, ours_may_follow ? RETRY_TRANSIENT : RETRY_NEVER, text);
}

/* This server cannot be asked. */
static void deliver_blind(struct destination_run *run, const char *text)
{
    run->outcome.blind = run->work.only_look;
    if (run->work.only_look)
        fail(run, RETRY_NEVER, text);
    else
        fail(run, run->was_refused ? RETRY_NEVER : RETRY_TRANSIENT, run->why_look);
}

static void deliver_absent(struct destination_run *run)
{
    run->outcome.absent = run->work.only_look;
    if (run->work.only_look)
        deliver(run);
    else
        fail(run, RETRY_TRANSIENT, run->why_look);
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
    tell_flow(run, result, &a);
    if (run->aborting) {
        deliver(run);
        return;
    }
    switch (a.verdict) {
    case DEST_HTTP_DONE:
        deliver_done(run, result->response->etag);
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

    if (send_request(run, true, on_head, &e) == ERR_OK)
        return;
    outcome_fail_err(&run->outcome, &e);
    deliver_later(run);
}

/* --- PUT and POST --- */

static void on_answer(const struct http_result *result, void *ctx)
{
    struct destination_run *run = ctx;
    struct dest_http_answer a = dest_http_answer_send(result, is_post(run));

    run->call = NULL;
    run->sending = false;
    tell_flow(run, result, &a);
    run->sent = result->sent;
    if (a.verdict == DEST_HTTP_DONE) {
        deliver_done(run, result->response->etag);
    } else if (run->aborting) {
        deliver(run);
    } else if (result->source_failed) {
        deliver_source_failure(run);
    } else if (a.verdict == DEST_HTTP_LOOK) {
        memcpy(run->why_look, a.error, sizeof run->why_look);
        run->was_refused =
            result->response->status == 409 || result->response->status == 412;
        send_in_turn(run, look, true);
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
        deliver_later(run);
        return;
    }
    if (run->work.job->size == 0 && !spool_hash_pass(&run->hash, "", 0, 0))
        code = err_set(&e, ERR_REJECT, "spool corrupt: its %s is not the manifest's",
                       run->hash.corrupt ? run->hash.corrupt : "digest");
    if (code == ERR_OK)
        code = send_request(run, false, on_answer, &e);
    run->sending = code == ERR_OK;
    if (code == ERR_OK)
        return;
    outcome_fail_err(&run->outcome, &e);
    deliver_later(run);
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
        send_in_turn(run, send_body, false);
    } else if (is_post(run)) {
        run->outcome.blind = true;
        outcome_fail(&run->outcome, RETRY_NEVER,
                     "whether a POST has arrived cannot be told");
        deliver_later(run);
    } else {
        send_in_turn(run, look, false);
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
        deliver_later(run);
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
