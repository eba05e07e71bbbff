#include "worker/hooks/dest_hook.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/webhooks.h"
#include "worker/hooks/hook_answer.h"
#include "worker/hooks/hook_sign.h"

enum { SIGNATURE_MAX = 256, HEADERS_MAX = 7 };

struct dest_hook {
    struct destination base;
    const struct worker_env *env;
    struct http *http;
};

struct destination_run {
    struct dest_hook *dest;
    struct destination_work work;
    const struct config_webhook *webhook;
    struct fetch_rules rules;
    const char *url; /* the job's, or the webhook's */
    struct url parsed;
    struct err refusal; /* of the address that was refused last */
    char delivery[ID_JOB_MAX + 1];
    struct http_call *call;
    bool aborting, timed_out;
    uv_timer_t timer; /* its time is up; or delivers, on a later turn */
    struct outcome outcome;
};

/* --- the end of a run --- */

static void on_run_closed(uv_handle_t *handle)
{
    struct destination_run *run = handle->data;

    outcome_release(&run->outcome);
    free(run);
}

static void deliver(struct destination_run *run)
{
    run->outcome.aborted = !run->outcome.done && run->aborting;
    run->work.done(&run->outcome, run->work.ctx);
    uv_close((uv_handle_t *)&run->timer, on_run_closed);
}

static void on_later(uv_timer_t *timer)
{
    deliver(timer->data);
}

static void deliver_later(struct destination_run *run)
{
    (void)uv_timer_start(&run->timer, on_later, 0, 0);
}

/* Where it went, without what stands behind a '?'; what was sent becomes the record's size and digest. */
static void note_done(struct destination_run *run)
{
    const char *payload = run->work.job->payload;
    struct err e = ERR_INIT;

    run->outcome.url = strndup(run->url, url_shown_len(run->url));
    run->outcome.sent = (int64_t)strlen(payload);
    if (digest_sha256_hex(payload, strlen(payload), run->outcome.sha256, &e))
        run->outcome.sha256[0] = '\0'; /* it is not known then */
}

static void fail_request(struct destination_run *run, const struct http_result *result)
{
    struct outcome *o = &run->outcome;

    if (result->refused) {
        outcome_fail(o, RETRY_NEVER, "%s", run->refusal.text);
        o->error_class = "refused";
    } else if (run->timed_out) {
        outcome_fail(o, RETRY_TRANSIENT, "POST: no answer within %" PRId64 " ms",
                     run->webhook->timeout_ms);
    } else {
        outcome_fail(
            o, result->net == RETRY_NET_TLS_VERIFY ? RETRY_CONFIG : RETRY_TRANSIENT,
            "POST: %s", result->error);
    }
}

static void on_done(const struct http_result *result, void *ctx)
{
    struct destination_run *run = ctx;
    const struct http_response *r = result->response;

    run->call = NULL;
    (void)uv_timer_stop(&run->timer);
    if (r->has_whole_head && r->status >= 200 && (result->body_sent || r->status > 299))
        hook_answer_judge(r, &run->outcome);
    else
        fail_request(run, result);
    if (run->outcome.done)
        note_done(run);
    deliver(run);
}

/* --- the request --- */

static void on_time(uv_timer_t *timer)
{
    struct destination_run *run = timer->data;

    run->timed_out = true;
    if (run->call)
        http_cancel(run->call);
}

static bool may_connect(const struct sockaddr *address, socklen_t len, void *ctx)
{
    struct destination_run *run = ctx;

    return fetch_check_address(&run->rules, &run->parsed, address, len,
                               &run->refusal) == ERR_OK;
}

/* Its status says all. */
static bool on_head(const struct http_response *r, void *ctx)
{
    (void)r;
    (void)ctx;
    return false;
}

static bool on_piece(const void *data, size_t len, void *ctx)
{
    (void)data;
    (void)len;
    (void)ctx;
    return true;
}

static size_t add_headers(const struct destination_run *run, const char *signature,
                          struct http_header headers[static HEADERS_MAX])
{
    const struct job *j = run->work.job;
    const struct http_header all[HEADERS_MAX] = {{"Content-Type", "application/json"},
                                                 {"Connection", "close"},
                                                 {"Hoist-Event", j->hook},
                                                 {"Hoist-Delivery", run->delivery},
                                                 {"Hoist-Signature", signature},
                                                 {"traceparent", j->traceparent},
                                                 {"tracestate", j->tracestate}};
    size_t count = 0;

    for (size_t i = 0; i < HEADERS_MAX; i++)
        if (all[i].value)
            headers[count++] = all[i];
    return count;
}

static enum err_code send_request(struct destination_run *run, struct err *e)
{
    const struct config_webhook *w = run->webhook;
    const char *payload = run->work.job->payload;
    CLEANUP(buf_release) struct buf signature = BUF_INIT(SIGNATURE_MAX);
    struct hook_secrets secrets = {{w->secret, w->second_secret}};
    struct http_body body = {
        .fd = -1, .data = payload, .len = (int64_t)strlen(payload)};
    struct http_intake intake = {may_connect, on_head, on_piece, run};
    struct http_header headers[HEADERS_MAX];

    if (hook_sign(&secrets, clock_wall_ms() / 1000,
                  (struct digest_span){payload, strlen(payload)}, &signature, e))
        return e->code;
    run->call = http_send(run->dest->http,
                          &(struct http_request){
                              .method = "POST",
                              .url = run->url,
                              .headers = headers,
                              .header_count = add_headers(run, signature.data, headers),
                              .body = &body,
                              .intake = &intake,
                              .connect_ms = w->timeout_ms,
                              .stall_ms = w->timeout_ms,
                              .answer_ms = w->timeout_ms,
                              .ca_file = w->ca_file,
                              .done = on_done,
                              .ctx = run});
    if (!run->call)
        return err_set(e, ERR_NOMEM, "no memory for a request");
    (void)uv_timer_start(&run->timer, on_time, (uint64_t)w->timeout_ms, 0);
    return ERR_OK;
}

/* --- the beginning --- */

static enum err_code check_scheme(const struct destination_run *run, struct err *e)
{
    return *run->webhook->url || run->parsed.is_https || run->webhook->http
               ? ERR_OK
               : err_set(e, ERR_REJECT, "not allowed: it is not https");
}

/* Where it goes, and whether that is allowed: what was allowed when the job was made may not be any more, and a record may have
 * been edited. */
static bool find_receiver(struct destination_run *run)
{
    const struct job *j = run->work.job;
    const struct config_webhook *w =
        config_find_webhook(run->dest->env->config, j->to, strlen(j->to));
    struct err e = ERR_INIT;

    if (!w || (*w->url == '\0' && !j->callback)) {
        outcome_fail(&run->outcome, RETRY_CONFIG, "[webhook %.40s] is not configured",
                     j->to);
        return false;
    }
    run->webhook = w;
    run->url = *w->url ? w->url : j->callback;
    if (url_parse(run->url, strlen(run->url), &run->parsed, &e) == ERR_OK &&
        webhooks_rules(w, &run->rules, &e) == ERR_OK &&
        check_scheme(run, &e) == ERR_OK &&
        fetch_check_url(&run->rules, &run->parsed, &e) == ERR_OK)
        return true;
    outcome_fail_err(&run->outcome, &e);
    if (e.code == ERR_REJECT)
        run->outcome.error_class = "refused";
    return false;
}

static void start(struct destination_run *run)
{
    struct err e = ERR_INIT;

    if (run->work.only_look) {
        run->outcome.blind = true;
        outcome_fail(&run->outcome, RETRY_NEVER,
                     "whether a webhook has arrived cannot be told");
    } else if (destination_is_late(&run->work)) {
        run->aborting = true;
    } else if (find_receiver(run)) {
        if (send_request(run, &e) == ERR_OK)
            return;
        outcome_fail_err(&run->outcome, &e);
    }
    deliver_later(run);
}

static struct destination_run *hook_begin(struct destination *d,
                                          const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->dest = (struct dest_hook *)d;
    run->work = *w;
    run->timer.data = run;
    (void)uv_timer_init(run->dest->env->loop, &run->timer); /* cannot fail */
    id_format_job(&w->job->id, run->delivery);
    start(run);
    return run;
}

static void hook_abort(struct destination_run *run)
{
    run->aborting = true;
    if (run->call)
        http_cancel(run->call);
}

static void hook_progress(const struct destination_run *run,
                          struct destination_progress *ret)
{
    ret->phase = DESTINATION_UPLOADING;
    ret->total = (int64_t)strlen(run->work.job->payload);
    ret->sent = run->call ? http_sent(run->call) : run->outcome.sent;
}

static void hook_release(struct destination *d)
{
    free(d);
}

enum err_code dest_hook_open(const struct worker_env *env, struct http *http,
                             struct destination **ret, struct err *e)
{
    static const struct destination_ops ops = {hook_begin, hook_abort, hook_progress,
                                               hook_release};
    struct dest_hook *d = calloc(1, sizeof *d);

    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for webhooks");
    d->base = (struct destination){.ops = &ops};
    d->env = env;
    d->http = http;
    *ret = &d->base;
    return ERR_OK;
}
