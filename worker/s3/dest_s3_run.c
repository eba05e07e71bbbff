#include "worker/s3/dest_s3_parts.h"
#include "worker/s3/dest_s3_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/convert.h"
#include "shared/log.h"

struct s3_ask dest_s3_ask_of(struct dest_s3 *d, enum s3_operation operation,
                             const struct job *job)
{
    return (struct s3_ask){.operation = operation,
                           .config = d->base.config,
                           .endpoint = &d->endpoint,
                           .key = dest_s3_key(d),
                           .job = job,
                           .time_s = clock_wall_ms() / 1000 + d->skew_s};
}

struct s3_ask dest_s3_ask(struct destination_run *run, enum s3_operation operation)
{
    struct dest_s3 *d = run->dest;
    struct s3_ask ask = dest_s3_ask_of(d, operation, run->work.job);

    run->generation = credentials_generation(d->credentials);
    ask.sums = &run->sums;
    ask.conditional = d->conditional && !run->no_condition;
    ask.checksum = run->no_checksum ? CONFIG_NO_CHECKSUM : d->checksum;
    return ask;
}

void dest_s3_forget_condition(struct dest_s3 *d)
{
    if (!d->conditional)
        return;
    d->conditional = false;
    log_warn("dest_s3",
             "the store knows no If-None-Match: keys that were chosen by clients are "
             "looked up first from now on",
             LOG_STR("destination", d->base.config->name));
}

void dest_s3_forget_checksum(struct dest_s3 *d)
{
    if (d->checksum == CONFIG_NO_CHECKSUM)
        return;
    d->checksum = CONFIG_NO_CHECKSUM;
    log_warn("dest_s3", "the store knows no checksums: none is sent from now on",
             LOG_STR("destination", d->base.config->name));
}

void dest_s3_set_skew(struct dest_s3 *d, int64_t skew_s)
{
    d->skew_s = skew_s;
    log_warn("dest_s3", "the store's clock differs from ours",
             LOG_STR("destination", d->base.config->name), LOG_INT("seconds", skew_s));
}

struct s3_expected dest_s3_expected(const struct destination_run *run)
{
    const struct job *j = run->work.job;

    return (struct s3_expected){.size = j->size,
                                .sha256_base64 = run->sums.sha256,
                                .crc32c_base64 = run->sums.crc32c,
                                .md5_hex = run->hash.md5[0] ? run->hash.md5 : run->md5,
                                .only_ours =
                                    run->taken || (!run->taking && convert_owns_key(j)),
                                .parts = run->taking ? dest_s3_stream_composite(run)
                                                     : dest_s3_parts_composite(run),
                                .taken = run->taken};
}

static bool pass(const void *data, size_t len, int64_t offset, void *ctx)
{
    struct destination_run *run = ctx;

    if (destination_is_late(&run->work)) {
        atomic_store(&run->aborting, true);
        return false;
    }
    return spool_hash_pass(&run->hash, data, len, offset);
}

/* A later attempt may be refused because an earlier one has put the object. */
static bool expects(const struct destination_run *run)
{
    return expect_wants(&run->dest->base.expect, run->work.job->size,
                        run->was_conditional && run->work.job->attempts > 1);
}

/* Send what was signed; false: no memory. */
bool dest_s3_send(struct destination_run *run, const struct s3_request *signed_,
                  enum s3_operation operation, http_done_fn *done)
{
    const struct config_destination *c = run->dest->base.config;
    struct http_body body = {.fd = run->work.fd,
                             .data = run->memory,
                             .len = run->work.job->size,
                             .pass = pass,
                             .ctx = run};
    struct http_request r = {.method = s3_operation_method(operation),
                             .url = signed_->url.data,
                             .headers = signed_->headers,
                             .header_count = signed_->header_count,
                             .body = operation == S3_PUT ? &body : NULL,
                             .expects = operation == S3_PUT && expects(run),
                             .connect_ms = c->connect_timeout_seconds * 1000,
                             .stall_ms = c->stall_timeout_seconds * 1000,
                             .answer_ms = c->answer_timeout_seconds * 1000,
                             .ca_file = c->ca_file,
                             .done = done,
                             .ctx = run};

    run->call = http_send(run->dest->http, &r);
    return run->call != NULL;
}

static void on_run_closed(uv_handle_t *handle)
{
    struct destination_run *run = handle->data;

    dest_s3_parts_free(run);
    spool_hash_release(&run->hash);
    outcome_release(&run->outcome);
    dest_s3_stream_free(run);
    free(run);
}

void dest_s3_deliver(struct destination_run *run)
{
    if (run->parts && dest_s3_parts_end(run))
        return; /* it comes back when nothing is under way */
    if (run->taking && dest_s3_stream_end(run))
        return;
    run->outcome.sent = run->found_earlier  ? run->found_size
                        : run->outcome.done ? run->work.job->size
                                            : run->sent;
    run->outcome.earlier = run->outcome.done && run->found_earlier;
    run->outcome.aborted = !run->outcome.done && atomic_load(&run->aborting);
    flow_leave(&run->ticket); /* where what was to be sent was not */
    fd_close(&run->work.fd);
    run->work.done(&run->outcome, run->work.ctx);
    uv_close((uv_handle_t *)&run->later, on_run_closed);
}

static void on_later(uv_timer_t *timer)
{
    dest_s3_deliver(timer->data);
}

void dest_s3_deliver_later(struct destination_run *run)
{
    (void)uv_timer_start(&run->later, on_later, 0, 0);
}

void dest_s3_deliver_done(struct destination_run *run)
{
    const struct config_destination *c = run->dest->base.config;
    bool has_prefix = c->prefix && *c->prefix;
    char *url = NULL;

    if (asprintf(&url, "s3://%s/%s%s%s", c->bucket, has_prefix ? c->prefix : "",
                 has_prefix ? "/" : "", run->work.job->key) >= 0)
        run->outcome.url = url;
    run->outcome.etag = run->etag[0] ? strdup(run->etag) : NULL;
    run->outcome.done = true;
    dest_s3_deliver(run);
}

void dest_s3_deliver_failure(struct destination_run *run, const struct s3_answer *a)
{
    outcome_fail(&run->outcome, a->class, "%s", a->error);
    run->outcome.retry_after_ms = a->retry_after_ms;
    dest_s3_deliver(run);
}
