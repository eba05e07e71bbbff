#include "worker/s3/dest_s3_parts.h"
#include "worker/s3/dest_s3_stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/convert.h"

/* PUTs in one run: the four of make_plainer, one with the right time, one with other keys */
enum { PUTS_MAX = 6, OWN_BUDGET = 256 * 1024 * 1024 };
/* What the kernel reads ahead unasked. */
enum { READ_AHEAD = 128 * 1024 };

static void send_put(struct destination_run *run);

/* The body could not be read, or was found damaged: nothing of it was stored. */
static void deliver_source_failure(struct destination_run *run)
{
    struct stat st;

    if (run->memory)
        outcome_fail(&run->outcome, RETRY_TRANSIENT, "damaged in memory");
    else if (run->hash.corrupt)
        outcome_fail(&run->outcome, RETRY_NEVER, DEST_S3_CORRUPT, run->hash.corrupt);
    else if (fstat(run->work.fd, &st) == 0 && st.st_size < run->work.job->size)
        outcome_fail(&run->outcome, RETRY_NEVER, "spool short");
    else
        outcome_fail(&run->outcome, RETRY_TRANSIENT, "cannot read the spool file");
    dest_s3_deliver(run);
}

/*
 * The store does not know something we asked for: first without the checksum, then without the condition, which is worth
 * more, then without both.  False: it was nothing of ours.
 */
static bool make_plainer(struct destination_run *run)
{
    const struct dest_s3 *d = run->dest;

    if (run->was_checksummed) {
        run->no_checksum = true;
    } else if (run->was_conditional) {
        run->no_condition = true;
        run->no_checksum = d->checksum == CONFIG_NO_CHECKSUM;
    } else {
        return false;
    }
    return true;
}

/* A plainer PUT was taken: that it was plainer is why. */
static void remember_plainer(struct destination_run *run)
{
    if (run->no_condition)
        dest_s3_forget_condition(run->dest);
    if (run->no_checksum)
        dest_s3_forget_checksum(run->dest);
}

/* Whether the next answers will bring a checksum, too. */
static void remember_checksum(struct destination_run *run,
                              const struct http_response *r)
{
    if (run->was_checksummed && !run->md5[0])
        run->dest->tells_checksum = r->checksum_sha256[0] || r->checksum_crc32c[0];
}

static void put_again(struct destination_run *run)
{
    dest_s3_send_in_turn(run, send_put, true);
}

/* Without the condition it replaces what is there: where that can be somebody else's, a look comes first. */
static void put_plainer(struct destination_run *run)
{
    run->looking =
        run->no_condition && !run->looked && !convert_owns_key(run->work.job);
    if (!run->looking) {
        put_again(run);
        return;
    }
    run->looked = true;
    dest_s3_resolve(run);
}

static void on_put(const struct http_result *result, void *ctx)
{
    struct destination_run *run = ctx;
    struct s3_expected want = dest_s3_expected(run);
    struct s3_answer a = s3_answer_put(result, &want, clock_wall_ms() / 1000);

    run->call = NULL;
    run->putting = false;
    dest_s3_tell_flow(run, result, &a);
    expect_told(&run->dest->base.expect, run->work.job->size, result->net,
                result->response->status);
    run->sent = result->sent;
    run->taken = a.taken;
    if (a.taken) {
        remember_plainer(run);
        remember_checksum(run, result->response);
    }
    run->put_status = result->response->status;
    memcpy(run->etag, result->response->etag, sizeof run->etag);
    memcpy(run->put_error, a.error, sizeof run->put_error);
    if (a.taken || run->put_status == 412)
        credentials_accept(run->dest->credentials, run->generation);
    if (atomic_load(&run->aborting)) {
        dest_s3_deliver(run);
    } else if (result->source_failed) {
        deliver_source_failure(run);
    } else if (dest_s3_refused(run, &a, put_again)) {
        return;
    } else if (dest_s3_moved(run, result)) {
        put_again(run);
    } else if (a.verdict == S3_DONE) {
        if (!dest_s3_probe(run))
            dest_s3_deliver_done(run);
    } else if (a.verdict == S3_RESOLVE) {
        dest_s3_resolve(run);
    } else if (a.verdict == S3_PLAINER && run->puts < PUTS_MAX && make_plainer(run)) {
        put_plainer(run);
    } else if (a.verdict == S3_SKEWED && run->puts < PUTS_MAX) {
        dest_s3_set_skew(run->dest, a.skew_s);
        put_again(run);
    } else {
        dest_s3_deliver_failure(run, &a);
    }
}

static void send_put(struct destination_run *run)
{
    struct s3_request request = S3_REQUEST_INIT;
    struct s3_ask ask = dest_s3_ask(run, S3_PUT);
    struct err e = ERR_INIT;

    if (destination_is_late(&run->work)) {
        atomic_store(&run->aborting, true);
        dest_s3_deliver_later(run);
        return;
    }
    run->puts++;
    run->was_conditional = ask.conditional;
    run->was_checksummed = ask.checksum != CONFIG_NO_CHECKSUM;
    run->hash.with_md5 =
        !run->md5[0] && (!run->was_checksummed || !run->dest->tells_checksum);
    run->hash.sha256_is_checked =
        ask.checksum == CONFIG_SHA256 || !run->dest->endpoint.https;
    enum err_code code = s3_request_make(&request, &ask, &e);
    if (code == ERR_OK && run->work.job->size == 0 &&
        !spool_hash_pass(&run->hash, "", 0, 0))
        code = err_set(&e, ERR_REJECT, DEST_S3_CORRUPT, run->hash.corrupt);
    if (code == ERR_OK && !dest_s3_send(run, &request, S3_PUT, on_put))
        code = err_set(&e, ERR_NOMEM, "no memory for a request");
    run->putting = code == ERR_OK;
    s3_request_release(&request);
    if (code != ERR_OK) {
        outcome_fail_err(&run->outcome, &e);
        dest_s3_deliver_later(run);
    }
}

static void put_first(struct destination_run *run)
{
    dest_s3_send_in_turn(run, send_put, false);
}

void dest_s3_start(struct destination_run *run)
{
    if (run->taking && dest_s3_stream_complete(run))
        return;
    if (dest_s3_parts_is_for(run->dest, &run->work)) {
        if (dest_s3_parts_begin(run))
            return;
        outcome_fail(&run->outcome, RETRY_TRANSIENT,
                     "no memory for an upload in parts");
        dest_s3_deliver_later(run);
    } else if (!dest_s3_hash_first(run, put_first)) {
        put_first(run);
    }
}

void dest_s3_set_out(struct destination_run *run)
{
    run->looking = dest_s3_looks_first(run->dest, run->work.job);
    if (run->looking)
        dest_s3_resolve(run);
    else
        dest_s3_start(run);
}

/* --- the interface --- */

static struct destination_run *s3_begin(struct destination *d,
                                        const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->dest = (struct dest_s3 *)d;
    run->work = *w;
    run->later.data = run;
    (void)uv_timer_init(run->dest->loop, &run->later); /* cannot fail */
    spool_hash_init(&run->hash, w->job);
    s3_checksums_of(w->job, &run->sums);
    if (w->only_look) {
        dest_s3_resolve(run);
        return run;
    }
    if (w->stream) {
        dest_s3_stream_begin(run);
        return run;
    }
    if (w->job->size > READ_AHEAD)
        (void)posix_fadvise(w->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint */
    dest_s3_set_out(run);
    return run;
}

static void s3_abort(struct destination_run *run)
{
    atomic_store(&run->aborting, true);
    if (run->is_hashing)
        return; /* soon */
    if (run->call) {
        http_cancel(run->call);
    } else if (flow_is_waiting(&run->ticket)) {
        flow_leave(&run->ticket);
        dest_s3_deliver_later(run);
    } else if (dest_s3_stop_waiting(run)) {
        return;
    } else if (run->parts) {
        dest_s3_parts_abort(run);
    } else if (run->taking) {
        dest_s3_stream_abort(run);
    }
}

static void s3_progress(const struct destination_run *run,
                        struct destination_progress *ret)
{
    if (run->taking) {
        dest_s3_stream_progress(run, ret);
        return;
    }
    ret->sent = run->putting ? http_sent(run->call) : run->sent;
    if (run->parts)
        dest_s3_parts_progress(run, ret);
    ret->total = run->work.job->size;
    ret->phase = ret->sent < ret->total ? DESTINATION_UPLOADING : DESTINATION_FINISHING;
    if (flow_is_waiting(&run->ticket) && ret->sent == 0)
        ret->phase = DESTINATION_QUEUED;
}

static void s3_release(struct destination *d)
{
    credentials_close(((struct dest_s3 *)d)->credentials);
    free(d);
}

struct dest_s3 *dest_s3_of(struct destination *d)
{
    return d && d->config->scheme == CONFIG_S3 ? (struct dest_s3 *)d : NULL;
}

enum err_code dest_s3_open(const struct dest_s3_options *o, struct destination **ret,
                           struct err *e)
{
    static const struct destination_ops ops = {s3_begin, s3_abort, s3_progress,
                                               s3_release};
    const struct config_destination *c = o->config;
    struct s3_endpoint endpoint;

    if (s3_endpoint_parse(c, &endpoint, e) != ERR_OK)
        return e->code;
    struct dest_s3 *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for a destination");
    d->base = (struct destination){
        .ops = &ops, .config = c, .flow = dest_s3_flow_open(o->flows, c, &endpoint)};
    d->loop = o->loop;
    d->http = o->http;
    d->spool = o->spool;
    membudget_init(&d->own_budget, OWN_BUDGET);
    d->budget = o->budget ? o->budget : &d->own_budget;
    d->endpoint = endpoint;
    d->conditional = c->conditional != CONFIG_OVERWRITE;
    d->checksum = c->checksum;
    d->tells_checksum = true; /* until an answer has none */
    struct credentials_options keys = {
        .loop = o->loop, .http = o->http, .config = c, .env = o->env};
    if (credentials_open(&keys, &d->credentials, e) != ERR_OK) {
        free(d);
        return e->code;
    }
    *ret = &d->base;
    return ERR_OK;
}
