#include "worker/dest/dest_http_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "worker/dest/dest_http_request.h"

bool dest_http_is_post(const struct destination_run *run)
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

void dest_http_deliver(struct destination_run *run)
{
    run->outcome.sent =
        run->outcome.done && !run->outcome.earlier ? run->work.job->size : run->sent;
    run->outcome.aborted = !run->outcome.done && run->aborting;
    flow_leave(&run->ticket); /* where what was to be sent was not */
    fd_close(&run->work.fd);
    run->work.done(&run->outcome, run->work.ctx);
    uv_close((uv_handle_t *)&run->later, on_run_closed);
}

static void on_later(uv_timer_t *timer)
{
    dest_http_deliver(timer->data);
}

void dest_http_deliver_later(struct destination_run *run)
{
    (void)uv_timer_start(&run->later, on_later, 0, 0);
}

void dest_http_fail(struct destination_run *run, enum retry_class class,
                    const char *text)
{
    outcome_fail(&run->outcome, class, "%s", text);
    dest_http_deliver(run);
}

void dest_http_deliver_done(struct destination_run *run, const char *etag)
{
    struct dest_http_request request = DEST_HTTP_REQUEST_INIT;
    struct dest_http_ask ask = {
        .config = run->dest->base.config, .job = run->work.job, .is_head = true};
    struct err e = ERR_INIT;

    if (dest_http_is_post(run))
        run->outcome.url = strdup(ask.config->url);
    else if (dest_http_request_make(&request, &ask, &e) == ERR_OK)
        run->outcome.url = buf_detach(&request.url);
    dest_http_request_release(&request);
    run->outcome.etag = *etag ? strdup(etag) : NULL;
    run->outcome.done = true;
    dest_http_deliver(run);
}

/* The body could not be read, or was found damaged: the server has no whole one. */
void dest_http_deliver_source_failure(struct destination_run *run)
{
    struct stat st;

    if (run->hash.corrupt) {
        outcome_fail(&run->outcome, RETRY_NEVER,
                     "spool corrupt: its %s is not the manifest's", run->hash.corrupt);
        dest_http_deliver(run);
    } else if (fstat(run->work.fd, &st) == 0 && st.st_size < run->work.job->size) {
        dest_http_fail(run, RETRY_NEVER, "spool short");
    } else {
        dest_http_fail(run, RETRY_TRANSIENT, "cannot read the spool file");
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
    dest_http_deliver_later(run);
}

/* first: flow_ask's. */
void dest_http_send_in_turn(struct destination_run *run,
                            void (*send)(struct destination_run *run), bool first)
{
    run->send = send;
    run->ticket.on_turn = on_turn;
    run->ticket.ctx = run;
    enum flow_turn turn = flow_ask(run->dest->base.flow, &run->ticket, first);
    if (turn != FLOW_WAIT)
        on_turn(turn, run);
}

void dest_http_tell_flow(struct destination_run *run, const struct http_result *result,
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

enum err_code dest_http_send(struct destination_run *run, bool is_head,
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
        struct http_request r = {
            .method = is_head                  ? "HEAD"
                      : dest_http_is_post(run) ? "POST"
                                               : "PUT",
            .url = request.url.data,
            .headers = request.headers,
            .header_count = request.header_count,
            .body = is_head ? NULL : &body,
            .expects =
                !is_head && expect_wants(&run->dest->base.expect, body.len, false),
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
