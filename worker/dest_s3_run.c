#include "worker/dest_s3_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/convert.h"

struct s3_ask dest_s3_ask(struct destination_run *run, enum s3_operation operation)
{
    struct dest_s3 *d = run->dest;
    struct sigv4_key *key = dest_s3_key(d);

    run->generation = credentials_generation(d->credentials);
    return (struct s3_ask){.operation = operation,
                           .config = d->base.config,
                           .endpoint = &d->endpoint,
                           .key = key,
                           .job = run->work.job,
                           .sums = &run->sums,
                           .conditional = d->conditional && !run->no_condition,
                           .checksum =
                               run->no_checksum ? CONFIG_NO_CHECKSUM : d->checksum,
                           .time_s = clock_wall_ms() / 1000 + d->skew_s};
}

struct s3_expected dest_s3_expected(const struct destination_run *run)
{
    const struct job *j = run->work.job;

    return (struct s3_expected){.size = j->size,
                                .sha256_base64 = run->sums.sha256,
                                .crc32c_base64 = run->sums.crc32c,
                                .md5_hex = run->hash.md5[0] ? run->hash.md5 : run->md5,
                                .only_ours = convert_owns_key(j) || run->taken};
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

/* Send what was signed; false: no memory. */
bool dest_s3_send(struct destination_run *run, const struct s3_request *signed_,
                  enum s3_operation operation, http_done_fn *done)
{
    const struct config_destination *c = run->dest->base.config;
    struct http_body body = {
        .fd = run->work.fd, .len = run->work.job->size, .pass = pass, .ctx = run};
    struct http_request r = {.method = s3_operation_method(operation),
                             .url = signed_->url.data,
                             .headers = signed_->headers,
                             .header_count = signed_->header_count,
                             .body = operation == S3_PUT ? &body : NULL,
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

    spool_hash_release(&run->hash);
    outcome_release(&run->outcome);
    free(run);
}

void dest_s3_deliver(struct destination_run *run)
{
    run->outcome.sent = run->outcome.done ? run->work.job->size : run->sent;
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
