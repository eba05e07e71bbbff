#include "worker/dest_s3.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/s3_answer.h"
#include "worker/s3_request.h"
#include "worker/spool_hash.h"

enum {
    PUTS_MAX = 4
}; /* in one run: without condition, without checksum, with the right time */

struct dest_s3 {
    struct destination base;
    uv_loop_t *loop;
    struct http *http;
    struct s3_endpoint endpoint;
    struct sigv4_key key;
    /* Learnt from the store. */
    bool conditional;
    bool checksum;
    int64_t skew_s;
};

struct destination_run {
    struct dest_s3 *dest;
    struct destination_work work;
    struct http_call *call; /* under way; NULL between */
    struct spool_hash hash;
    char sha256_base64[DIGEST_BASE64_SIZE(DIGEST_SHA256_BYTES)];
    unsigned puts;
    bool was_conditional, was_checksummed; /* the latest PUT */
    int put_status;
    char put_error[256];
    char etag[HTTP_VALUE_SIZE];
    int64_t sent;
    atomic_bool aborting;
    uv_work_t hashing;
    uv_timer_t later; /* for an outcome known before begin returned */
    struct outcome outcome;
};

static void send_put(struct destination_run *run);

/* --- the end --- */

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
    run->outcome.aborted = !run->outcome.done && atomic_load(&run->aborting);
    (void)close(run->work.fd); /* read only */
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

static enum retry_class class_of(enum err_code code)
{
    if (code == ERR_REJECT)
        return RETRY_NEVER;
    return code == ERR_CONFIG ? RETRY_CONFIG : RETRY_TRANSIENT;
}

static void deliver_done(struct destination_run *run)
{
    const struct config_destination *c = run->dest->base.config;
    bool has_prefix = c->prefix && *c->prefix;
    char *url = NULL;

    if (asprintf(&url, "s3://%s/%s%s%s", c->bucket, has_prefix ? c->prefix : "",
                 has_prefix ? "/" : "", run->work.job->key) >= 0)
        run->outcome.url = url;
    run->outcome.etag = run->etag[0] ? strdup(run->etag) : NULL;
    run->outcome.done = true;
    deliver(run);
}

static void deliver_failure(struct destination_run *run, const struct s3_answer *a)
{
    outcome_fail(&run->outcome, a->class, "%s", a->error);
    run->outcome.retry_after_ms = a->retry_after_ms;
    deliver(run);
}

/* --- HEAD --- */

static void deliver_other(struct destination_run *run)
{
    /* Where our own PUT was taken, the store holds something else than it took: that may mend itself. */
    bool refused = run->put_status == 412 || run->put_status == 304 ||
                   (run->put_status == 0 && run->was_conditional);

    if (refused)
        outcome_fail(&run->outcome, RETRY_NEVER, "key exists with other content");
    else
        outcome_fail(&run->outcome, RETRY_TRANSIENT,
                     "the store holds other bytes than were sent");
    deliver(run);
}

static void hash_on_pool(uv_work_t *work)
{
    struct destination_run *run = work->data;

    (void)spool_hash_file(&run->hash, run->work.fd, &run->aborting); /* md5 tells */
}

static void after_hash(uv_work_t *work, int status)
{
    struct destination_run *run = work->data;
    const char *etag = run->etag + (run->etag[0] == '"');

    (void)status; /* never cancelled */
    if (run->hash.corrupt) {
        outcome_fail(&run->outcome, RETRY_NEVER,
                     "spool corrupt: its SHA-256 is not the manifest's");
        deliver(run);
    } else if (!run->hash.md5[0]) {
        outcome_fail(&run->outcome, RETRY_TRANSIENT, "cannot hash the spool file");
        deliver(run);
    } else if (strncasecmp(etag, run->hash.md5, DIGEST_MD5_HEX) == 0) {
        deliver_done(run);
    } else {
        deliver_other(run);
    }
}

static struct s3_expected expected(const struct destination_run *run)
{
    return (struct s3_expected){.size = run->work.job->size,
                                .sha256_base64 = run->sha256_base64,
                                .md5_hex = run->hash.md5};
}

static void on_head(const struct http_result *result, void *ctx)
{
    struct destination_run *run = ctx;
    struct s3_expected want = expected(run);
    struct s3_answer a = s3_answer_head(result, &want);

    run->call = NULL;
    if (atomic_load(&run->aborting)) {
        deliver(run);
        return;
    }
    memcpy(run->etag, result->response->etag, sizeof run->etag);
    if (a.verdict == S3_DONE && a.needs_md5) {
        run->hashing.data = run;
        if (uv_queue_work(run->dest->loop, &run->hashing, hash_on_pool, after_hash) ==
            0)
            return;
        a.verdict = S3_FAILED;
    }
    if (a.verdict == S3_DONE) {
        deliver_done(run);
    } else if (a.verdict == S3_OTHER) {
        deliver_other(run);
    } else if (a.verdict == S3_ABSENT) {
        outcome_fail(&run->outcome, RETRY_TRANSIENT, "%s", run->put_error);
        deliver(run);
    } else {
        deliver_failure(run, &a);
    }
}

/* --- sending --- */

static struct s3_ask make_ask(struct destination_run *run)
{
    struct dest_s3 *d = run->dest;

    return (struct s3_ask){.config = d->base.config,
                           .endpoint = &d->endpoint,
                           .key = &d->key,
                           .job = run->work.job,
                           .conditional = d->conditional,
                           .checksum = d->checksum,
                           .time_s = clock_wall_ms() / 1000 + d->skew_s};
}

static bool pass(const void *data, size_t len, int64_t offset, void *ctx)
{
    struct destination_run *run = ctx;

    return spool_hash_pass(&run->hash, data, len, offset);
}

/* Send what was signed; false: no memory. */
static bool send_signed(struct destination_run *run, const struct s3_request *signed_,
                        const char *method, http_done_fn *done)
{
    const struct config_destination *c = run->dest->base.config;
    struct http_body body = {
        .fd = run->work.fd, .len = run->work.job->size, .pass = pass, .ctx = run};
    struct http_request r = {.method = method,
                             .url = signed_->url.data,
                             .headers = signed_->headers,
                             .header_count = signed_->header_count,
                             .body = strcmp(method, "PUT") == 0 ? &body : NULL,
                             .connect_ms = c->connect_timeout_seconds * 1000,
                             .stall_ms = c->stall_timeout_seconds * 1000,
                             .answer_ms = c->answer_timeout_seconds * 1000,
                             .ca_file = c->ca_file,
                             .done = done,
                             .ctx = run};

    run->call = http_send(run->dest->http, &r);
    return run->call != NULL;
}

static void send_head(struct destination_run *run)
{
    struct s3_request request = S3_REQUEST_INIT;
    struct s3_ask ask = make_ask(run);
    struct err e = ERR_INIT;

    enum err_code code = s3_request_head(&request, &ask, &e);
    if (code == ERR_OK && !send_signed(run, &request, "HEAD", on_head))
        code = err_set(&e, ERR_NOMEM, "no memory for a request");
    s3_request_release(&request);
    if (code != ERR_OK) {
        outcome_fail(&run->outcome, class_of(code), "%s", e.text);
        deliver_later(run);
    }
}

/* The body could not be read, or was found damaged: nothing of it was stored. */
static void deliver_source_failure(struct destination_run *run)
{
    struct stat st;

    if (run->hash.corrupt)
        outcome_fail(&run->outcome, RETRY_NEVER,
                     "spool corrupt: its SHA-256 is not the manifest's");
    else if (fstat(run->work.fd, &st) == 0 && st.st_size < run->work.job->size)
        outcome_fail(&run->outcome, RETRY_NEVER, "spool short");
    else
        outcome_fail(&run->outcome, RETRY_TRANSIENT, "cannot read the spool file");
    deliver(run);
}

/* The store does not know something we asked for.  False: it was nothing of ours. */
static bool make_plainer(struct destination_run *run)
{
    struct dest_s3 *d = run->dest;

    if (run->was_conditional)
        d->conditional = false;
    else if (run->was_checksummed)
        d->checksum = false;
    else
        return false;
    log_warn("dest_s3",
             run->was_conditional
                 ? "the store knows no If-None-Match: objects are "
                   "overwritten from now on"
                 : "the store knows no checksums: none is sent from now on",
             LOG_STR("destination", d->base.config->name));
    return true;
}

static void on_put(const struct http_result *result, void *ctx)
{
    struct destination_run *run = ctx;
    struct s3_expected want = expected(run);
    struct s3_answer a = s3_answer_put(result, &want, clock_wall_ms() / 1000);

    run->call = NULL;
    run->sent = result->sent;
    run->put_status = result->response->status;
    memcpy(run->etag, result->response->etag, sizeof run->etag);
    memcpy(run->put_error, a.error, sizeof run->put_error);
    if (atomic_load(&run->aborting)) {
        deliver(run);
    } else if (result->source_failed) {
        deliver_source_failure(run);
    } else if (a.verdict == S3_DONE) {
        deliver_done(run);
    } else if (a.verdict == S3_RESOLVE) {
        send_head(run);
    } else if (a.verdict == S3_PLAINER && run->puts < PUTS_MAX && make_plainer(run)) {
        send_put(run);
    } else if (a.verdict == S3_SKEWED && run->puts < PUTS_MAX) {
        run->dest->skew_s = a.skew_s;
        log_warn("dest_s3", "the store's clock differs from ours",
                 LOG_STR("destination", run->dest->base.config->name),
                 LOG_INT("seconds", a.skew_s));
        send_put(run);
    } else {
        deliver_failure(run, &a);
    }
}

static void send_put(struct destination_run *run)
{
    struct s3_request request = S3_REQUEST_INIT;
    struct s3_ask ask = make_ask(run);
    struct err e = ERR_INIT;

    run->puts++;
    run->was_conditional = ask.conditional;
    run->was_checksummed = ask.checksum;
    enum err_code code = s3_request_put(&request, &ask, &e);
    if (code == ERR_OK && run->work.job->size == 0 &&
        !spool_hash_pass(&run->hash, "", 0, 0))
        code =
            err_set(&e, ERR_REJECT, "spool corrupt: its SHA-256 is not the manifest's");
    if (code == ERR_OK && !send_signed(run, &request, "PUT", on_put))
        code = err_set(&e, ERR_NOMEM, "no memory for a request");
    s3_request_release(&request);
    if (code != ERR_OK) {
        outcome_fail(&run->outcome, class_of(code), "%s", e.text);
        deliver_later(run);
    }
}

/* --- the interface --- */

static struct destination_run *s3_begin(struct destination *d,
                                        const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);
    uint8_t sum[DIGEST_SHA256_BYTES];

    if (!run)
        return NULL;
    run->dest = (struct dest_s3 *)d;
    run->work = *w;
    run->later.data = run;
    (void)uv_timer_init(run->dest->loop, &run->later); /* cannot fail */
    spool_hash_init(&run->hash, w->job->size, w->job->sha256);
    if (digest_hex_decode(w->job->sha256, strlen(w->job->sha256), sum, sizeof sum))
        (void)digest_base64_encode(sum, sizeof sum, run->sha256_base64,
                                   sizeof run->sha256_base64); /* fits */
    (void)posix_fadvise(w->fd, 0, 0, POSIX_FADV_SEQUENTIAL);   /* a hint */
    send_put(run);
    return run;
}

static void s3_abort(struct destination_run *run)
{
    atomic_store(&run->aborting, true);
    if (run->call)
        http_cancel(run->call);
}

static int64_t s3_sent(const struct destination_run *run)
{
    return run->call && run->puts ? http_sent(run->call) : run->sent;
}

static void s3_release(struct destination *d)
{
    sigv4_key_wipe(&((struct dest_s3 *)d)->key);
    free(d);
}

enum err_code dest_s3_open(const struct dest_s3_options *o, struct destination **ret,
                           struct err *e)
{
    static const struct destination_ops ops = {s3_begin, s3_abort, s3_sent, s3_release};
    const struct config_destination *c = o->config;
    struct s3_endpoint endpoint;

    if (s3_endpoint_parse(c, &endpoint, e) != ERR_OK)
        return e->code;
    struct dest_s3 *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for a destination");
    d->base = (struct destination){.ops = &ops, .config = c};
    d->loop = o->loop;
    d->http = o->http;
    d->endpoint = endpoint;
    d->conditional = c->conditional;
    d->checksum = c->checksum;
    d->key = (struct sigv4_key){.access_key = c->access_key,
                                .secret_key = c->secret_key,
                                .session_token = c->session_token,
                                .region = c->region,
                                .service = "s3"};
    *ret = &d->base;
    return ERR_OK;
}
